// The former contents of unsynced changes, in case a cut reverts them: an unlinked file in SOURCE's
// filesystem.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace partialfs::power {

/// Not thread-safe, except read() of places that stay kept.
class UndoStore {
  public:
    /// The place of some kept bytes. Bytes that are all zero take no space.
    struct Place {
        std::uint64_t at = 0;
        std::uint64_t length = 0;
        bool zeros = false;
    };

    /// Makes an unlinked file in the directory `beside`, for at most `cap` bytes. The errno of
    /// open(2) if none can be made there.
    static base::Result<UndoStore> make(const std::string& beside, model::ByteCount cap);

    /// Keeps the bytes. ENOSPC: with those kept already they would exceed the cap, or the
    /// filesystem has no room; or another errno of pwrite(2).
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
