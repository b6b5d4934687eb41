// Which bytes a lossy filesystem was given and did not write: it owes them.
//
// For every block of which a write was dropped, keeps the bytes that ought to be on disk, until
// they are. Pure: the caller reads and writes the disk. Not thread-safe.
#pragma once

#include "fusefs/model/types.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lossyfs {

using partialfs::model::BlockIndex;
using partialfs::model::BlockSize;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;

/// A range of one block that is wrong on disk.
struct Owed {
    std::string path;
    ByteRange bytes;
};

class DroppedBlocks {
  public:
    explicit DroppedBlocks(BlockSize block_size) : block_size_(block_size) {}

    /// A write of `wanted` at `offset`, inside one block, was dropped. `disk` is the whole block as
    /// it is on disk (it may be shorter at the end of the file: the rest reads as zeros).
    void dropped(const std::string& path, ByteOffset offset, std::span<const std::byte> wanted,
                 std::span<const std::byte> disk);
    /// `data` is about to be written at `offset`. `read_disk(range)` returns the bytes that are
    /// there before. If the kernel has read a dropped block since the drop, it writes the old bytes
    /// back together with new ones: the old bytes stay owed.
    template <typename ReadDisk>
    void written(const std::string& path, ByteOffset offset, std::span<const std::byte> data,
                 ReadDisk read_disk);
    /// The kernel reads these bytes from disk into its page cache.
    void read(const std::string& path, ByteRange range);
    /// The bytes from range.begin to range.end are removed: cut off, or punched out.
    void gone(const std::string& path, ByteRange range);
    void unlinked(const std::string& path);
    void renamed(const std::string& from, const std::string& to);

    /// Everything owed, in ascending order; adjacent bytes of one block are one range.
    [[nodiscard]] std::vector<Owed> owed() const;

  private:
    using Key = std::pair<std::string, BlockIndex>;
    /// One byte of a block. If it is owed, `wanted` is what ought to be on disk.
    struct Byte {
        std::byte wanted{};
        bool owed = false;
    };
    struct Block {
        std::vector<Byte> bytes; ///< a whole block
        bool read_since = false; ///< the kernel has read the block since the last drop
    };

    template <typename Change>
    void for_each_block(const std::string& path, ByteRange range, Change change);

    BlockSize block_size_;
    std::map<Key, Block> blocks_;
};

template <typename Change>
void DroppedBlocks::for_each_block(const std::string& path, ByteRange range, Change change) {
    auto block = blocks_.lower_bound({path, block_size_.block_of(range.begin)});
    while (block != blocks_.end() && block->first.first == path) {
        const ByteOffset begin{block->first.second.value * block_size_.bytes()};
        const ByteRange part =
            intersect(range, {begin, ByteOffset{begin.value + block_size_.bytes()}});
        if (part.empty()) {
            break;
        }
        change(block->second, begin, part);
        const bool clean = std::ranges::none_of(block->second.bytes, &Byte::owed);
        block = clean ? blocks_.erase(block) : std::next(block);
    }
}

template <typename ReadDisk>
void DroppedBlocks::written(const std::string& path, ByteOffset offset,
                            std::span<const std::byte> data, ReadDisk read_disk) {
    const ByteRange all{offset, ByteOffset{offset.value + data.size()}};
    for_each_block(path, all, [&](Block& block, ByteOffset begin, ByteRange part) {
        const std::vector<std::byte> before = read_disk(part);
        for (std::uint64_t at = part.begin.value; at < part.end.value; ++at) {
            Byte& byte = block.bytes[at - begin.value];
            const std::byte now = data[at - offset.value];
            const std::size_t index = at - part.begin.value;
            const std::byte old = index < before.size() ? before[index] : std::byte{0};
            if (byte.owed && !(block.read_since && now == old && now != byte.wanted)) {
                byte.owed = false;
            }
        }
    });
}

} // namespace lossyfs
