// The ledger as text, read a part at a time.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/model/ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace partialfs::file {

class LedgerBook;

/// The text for one open handle of `.partialfs/ledger`: JSON Lines, an object for each entry in the
/// order of discovery. Open entries have their file's present path ("" if it has no name any more),
/// healed ones the path at the file's first loss, entries of a power cut the path at the cut. If
/// the ledger was full at some time, a last line says so.
///
/// The text is made as it is read, and only as much is kept as one read asks for. Entries made
/// after the first read are left out; changes of the others show if the reader has not passed them
/// yet. Reading from the start again, or from before the last read, starts with the present ledger.
///
/// Thread-safe.
class LedgerReader {
  public:
    /// `book` outlives the reader.
    explicit LedgerReader(const LedgerBook& book) : book_(book) {}

    /// Up to `size` bytes of the text from `offset` on; fewer only at its end. Takes time in
    /// proportion to the text between the last read's offset and the end of this one.
    std::string read(std::uint64_t offset, std::size_t size);

  private:
    void begin_anew() REQUIRES(mutex_);
    /// Adds about `size` bytes of text, at least a line, or finds the end.
    void add_lines(std::size_t size) REQUIRES(mutex_);
    void discard_before(std::uint64_t offset) REQUIRES(mutex_);

    const LedgerBook& book_;
    base::Mutex mutex_; ///< taken before the book's
    std::string text_ GUARDED_BY(mutex_);
    std::uint64_t text_offset_ GUARDED_BY(mutex_) = 0; ///< where `text_` begins
    model::LedgerPosition next_ GUARDED_BY(mutex_){};
    /// The last number that the ledger had given when the reader began.
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;
    bool begun_ GUARDED_BY(mutex_) = false;
    bool ended_ GUARDED_BY(mutex_) = false;
};

} // namespace partialfs::file
