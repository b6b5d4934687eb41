// The bytes of one file that write(2) has brought and that are not on disk yet.
//
// A map of extents that do not overlap; a later write replaces the bytes that it covers. Each
// extent has the epoch in which it was written, which says whether it is newer than a copy of the
// page fetched from the kernel.
//
// Not thread-safe: the owner guards it with the inode's mutex.
#pragma once

#include "fusefs/file/buffer.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

namespace partialfs::file {

/// Counts the fetches of a file's pages from the kernel, the writes of flushes, and the syncs.
using Epoch = model::Strong<struct EpochTag>;

class WriteBuffer {
  public:
    /// Takes over `bytes`, which lie in `owner`.
    void insert(model::ByteOffset offset, std::shared_ptr<Buffer> owner,
                std::span<const std::byte> bytes, Epoch epoch);
    /// Copies `bytes`. False, and nothing changed, if the budget does not allow it.
    [[nodiscard]] bool insert_copy(model::ByteOffset offset, std::span<const std::byte> bytes,
                                   Epoch epoch, BufferBudget& budget,
                                   Charge charge = Charge::within_limit);
    /// The bytes buffered.
    [[nodiscard]] std::uint64_t bytes() const;
    /// Copies the buffered bytes of [offset, offset + target.size()) that were written in `since`
    /// or later into `target`. Returns the number of bytes copied.
    std::size_t overlay(model::ByteOffset offset, std::span<std::byte> target,
                        Epoch since = Epoch{0}) const;
    /// Whether every byte of `range` is buffered.
    [[nodiscard]] bool covers(model::ByteRange range) const;
    /// Whether any byte of `range` is buffered.
    [[nodiscard]] bool touches(model::ByteRange range) const;
    /// Calls `visit(ByteOffset, std::span<const std::byte>)` for the buffered parts of `range`,
    /// ascending.
    template <typename Visit>
    void for_each(model::ByteRange range, Visit visit) const {
        for_each_owned(range, [&](model::ByteOffset at, std::span<const std::byte> bytes,
                                  const std::shared_ptr<Buffer>&) { visit(at, bytes); });
    }
    /// As for_each(); the visitor also gets the shared_ptr<Buffer> that keeps the bytes alive.
    template <typename Visit>
    void for_each_owned(model::ByteRange range, Visit visit) const {
        if (range.empty()) {
            return;
        }
        for (auto extent = first_touching(range);
             extent != extents_.end() && extent->first < range.end; ++extent) {
            const model::ByteRange part =
                intersect(range, {extent->first, extent->first + size_of(extent->second)});
            visit(
                part.begin,
                extent->second.bytes.subspan((part.begin - extent->first).value, part.size().value),
                extent->second.owner);
        }
    }
    /// Drops the buffered bytes of `range`.
    void erase(model::ByteRange range);
    /// Moves the buffered bytes of `range` that were written before `before` to `other`, where they
    /// replace others and get the epoch `now`.
    void move_to(WriteBuffer& other, model::ByteRange range, Epoch before, Epoch now);
    /// Drops extents that were written before `before`.
    void erase_before(Epoch before) {
        std::erase_if(extents_, [&](const auto& one) { return one.second.epoch < before; });
    }
    /// Takes the bytes of `other` that are not buffered here; those here are newer. Empties
    /// `other`.
    void take_missing(WriteBuffer& other);
    void clear() { extents_.clear(); }

    [[nodiscard]] bool empty() const { return extents_.empty(); }
    [[nodiscard]] std::size_t extents() const { return extents_.size(); }
    /// The first buffered byte at or after `offset`.
    [[nodiscard]] std::optional<model::ByteOffset> first_from(model::ByteOffset offset) const;

    /// The end of the run of buffered bytes that contains `offset`; `offset` if there is none.
    [[nodiscard]] model::ByteOffset end_of_run(model::ByteOffset offset) const;

  private:
    struct Extent {
        std::shared_ptr<Buffer> owner;
        std::span<const std::byte> bytes;
        Epoch epoch;
    };
    using Extents = std::map<model::ByteOffset, Extent>;

    static model::ByteCount size_of(const Extent& extent) {
        return model::ByteCount{extent.bytes.size()};
    }
    [[nodiscard]] Extents::const_iterator first_touching(model::ByteRange range) const;
    /// Splits the extent that `offset` lies inside into two at `offset`.
    void split_at(model::ByteOffset offset);

    Extents extents_;
};

} // namespace partialfs::file
