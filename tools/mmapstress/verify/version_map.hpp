// Which version every byte of a file has: a compact interval map.
//
// The file is divided into stretches of 64 KiB. A stretch of a single version costs at most a map
// node; any other keeps the begins of its intervals (16 bits each) and their versions (32 bits
// each) in one allocation, with an eighth to spare. So a file written in pieces of 1 KiB costs less
// than 1 % of its size, one written in pieces of 4 KiB less than 0.3 %.
//
// Not thread-safe.
#pragma once

#include "tools/schedule/op.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace mmapstress {

/// A version of a byte; the caller gives it its meaning. At first all bytes have version 0.
using Version = partialfs::model::Strong<struct VersionTag, std::uint32_t>;

class VersionMap {
  public:
    /// Gives all bytes of `range` this version.
    void assign(ByteRange range, Version version);

    /// Calls `visit(ByteRange, Version)` for the pieces that make up `range`, ascending. Pieces
    /// that follow one another may have the same version.
    template <typename Visit>
    void visit(ByteRange range, Visit visit) const;

    /// Bytes of memory held, the allocator's own overhead estimated.
    [[nodiscard]] std::size_t memory() const { return memory_; }

  private:
    static constexpr std::uint64_t kStretch = 65536;

    /// The intervals of one stretch; the first begins at 0, each ends where the next begins.
    class Stretch {
      public:
        explicit Stretch(Version all);
        void assign(std::uint32_t begin, std::uint32_t end, Version version);
        [[nodiscard]] std::uint32_t count() const { return count_; }
        [[nodiscard]] std::uint32_t begin(std::uint32_t index) const { return begins()[index]; }
        [[nodiscard]] std::uint32_t end(std::uint32_t index) const {
            return index + 1 == count_ ? kStretch : begins()[index + 1];
        }
        [[nodiscard]] Version version(std::uint32_t index) const {
            return Version{versions()[index]};
        }
        /// The interval that holds this position.
        [[nodiscard]] std::uint32_t find(std::uint32_t position) const;
        [[nodiscard]] std::size_t memory() const;

      private:
        [[nodiscard]] std::uint16_t* begins() const {
            return reinterpret_cast<std::uint16_t*>(data_.get() +
                                                    capacity_ * sizeof(std::uint32_t));
        }
        [[nodiscard]] std::uint32_t* versions() const {
            return reinterpret_cast<std::uint32_t*>(data_.get());
        }
        /// Puts `fresh` entries in place of the `old` ones at `at`, their values yet to be set.
        void splice(std::uint32_t at, std::uint32_t old, std::uint32_t fresh);

        std::uint32_t count_ = 1;
        std::uint32_t capacity_ = 1;
        /// `capacity_` versions, then as many begins.
        std::unique_ptr<std::byte[]> data_;
    };

    std::map<std::uint64_t, Stretch> stretches_;
    std::size_t memory_ = 0;
};

template <typename Visit>
void VersionMap::visit(ByteRange range, Visit visit) const {
    std::uint64_t at = range.begin.value;
    auto next = stretches_.lower_bound(at / kStretch);
    while (at < range.end.value) {
        const std::uint64_t stretch = at / kStretch;
        if (next == stretches_.end() || next->first > stretch) {
            // No entry up to the next known stretch: all these bytes have version 0.
            std::uint64_t end = range.end.value;
            if (next != stretches_.end()) {
                end = std::min(end, next->first * kStretch);
            }
            visit(ByteRange{ByteOffset{at}, ByteOffset{end}}, Version{0});
            at = end;
            continue;
        }
        const Stretch& known = next->second;
        const std::uint64_t base = stretch * kStretch;
        for (std::uint32_t i = known.find(static_cast<std::uint32_t>(at - base));
             i != known.count() && at < range.end.value; ++i) {
            const std::uint64_t end = std::min(range.end.value, base + known.end(i));
            visit(ByteRange{ByteOffset{at}, ByteOffset{end}}, known.version(i));
            at = end;
        }
        ++next;
    }
}

} // namespace mmapstress
