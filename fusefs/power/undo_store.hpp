// Bytes that are kept in case that they must be put back: an unlinked file beside SOURCE.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace partialfs::power {

/// Not thread-safe, but for read(), of what is kept and stays so.
class UndoStore {
  public:
    /// Where some bytes are kept. Nothing but zeros takes no space.
    struct Place {
        std::uint64_t at = 0;
        std::uint64_t length = 0;
        bool zeros = false;
    };

    /// An unlinked file in the directory `beside`, for at most `cap` bytes. The errno of open(2) if
    /// none can be made there.
    static base::Result<UndoStore> make(const std::string& beside, model::ByteCount cap);

    /// The bytes are kept. ENOSPC: not with those that are there, for the cap or for the
    /// filesystem; or the errno of pwrite(2).
    base::Result<Place> keep(std::span<const std::byte> bytes);
    void drop(const Place& place);
    /// Fills `target` with the bytes at `offset` of a place.
    base::Result<void> read(const Place& place, std::uint64_t offset,
                            std::span<std::byte> target) const;
    [[nodiscard]] std::uint64_t used() const { return used_; }
    [[nodiscard]] std::uint64_t cap() const { return cap_; }

  private:
    UndoStore(base::Fd fd, std::uint64_t cap) : fd_(std::move(fd)), cap_(cap) {}

    base::Fd fd_;
    std::uint64_t cap_;
    std::uint64_t used_ = 0; ///< bytes of places that are kept
    std::uint64_t end_ = 0;  ///< where the next place begins
};

} // namespace partialfs::power
