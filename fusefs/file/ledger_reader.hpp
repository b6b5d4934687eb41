// The ledger as text, read a part at a time.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/model/ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace partialfs::file {

class LedgerBook;

/// What one open handle of `.partialfs/ledger` reads: JSON Lines, an object for each entry in the
/// order of discovery, open ones under their file's present path ("" if it has no name any more),
/// healed ones under the path of the file's first loss. If the ledger was full at some time, a last
/// line says so.
///
/// Goes through the ledger as it is read, and keeps no more text than one read asks for: entries
/// found after the first read are left out, and what becomes of the others shows as far as the
/// reader has not passed them. Reading from the start again, or from before the last read, begins
/// anew.
///
/// Thread-safe.
class LedgerReader {
  public:
    /// `book` outlives the reader.
    explicit LedgerReader(const LedgerBook& book) : book_(book) {}

    /// Up to `size` bytes of the text from `offset` on; fewer only at its end. Takes time for what
    /// lies between the last read's offset and this one's end.
    std::string read(std::uint64_t offset, std::size_t size);

  private:
    void begin_anew() REQUIRES(mutex_);
    /// Adds about `size` bytes of text, at least a line, or finds the end.
    void add_lines(std::size_t size) REQUIRES(mutex_);
    void discard_before(std::uint64_t offset) REQUIRES(mutex_);

    const LedgerBook& book_;
    base::Mutex mutex_; ///< the book's is locked inside
    std::string text_ GUARDED_BY(mutex_);
    std::uint64_t text_offset_ GUARDED_BY(mutex_) = 0; ///< where `text_` begins
    model::LedgerPosition next_ GUARDED_BY(mutex_){};
    /// The last number that was given when the reader began.
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;
    bool begun_ GUARDED_BY(mutex_) = false;
    bool ended_ GUARDED_BY(mutex_) = false;
};

} // namespace partialfs::file
