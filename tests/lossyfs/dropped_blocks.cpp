#include "tests/lossyfs/dropped_blocks.hpp"

#include <algorithm>

namespace lossyfs {

void DroppedBlocks::dropped(const std::string& path, ByteOffset offset,
                            std::span<const std::byte> wanted, std::span<const std::byte> disk) {
    const BlockIndex index = block_size_.block_of(offset);
    const std::uint64_t begin = index.value * block_size_.bytes();
    Block& block = blocks_[{path, index}];
    block.bytes.resize(block_size_.bytes());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const std::size_t at = offset.value - begin + i;
        const std::byte old = at < disk.size() ? disk[at] : std::byte{0};
        Byte& byte = block.bytes[at];
        if (byte.owed && block.read_since && wanted[i] == old) {
            continue; // the kernel writes back what it read: the earlier store is still missing
        }
        byte = {wanted[i], wanted[i] != old};
    }
    block.read_since = false;
    if (std::ranges::none_of(block.bytes, &Byte::owed)) {
        blocks_.erase({path, index});
    }
}

void DroppedBlocks::read(const std::string& path, ByteRange range) {
    for_each_block(path, range,
                   [](Block& block, ByteOffset, ByteRange) { block.read_since = true; });
}

void DroppedBlocks::gone(const std::string& path, ByteRange range) {
    for_each_block(path, range, [](Block& block, ByteOffset begin, ByteRange part) {
        for (std::uint64_t at = part.begin.value; at < part.end.value; ++at) {
            block.bytes[at - begin.value].owed = false;
        }
    });
}

void DroppedBlocks::unlinked(const std::string& path) {
    std::erase_if(blocks_, [&](const auto& entry) { return entry.first.first == path; });
}

void DroppedBlocks::renamed(const std::string& from, const std::string& to) {
    unlinked(to);
    std::vector<std::pair<Key, Block>> moved;
    std::erase_if(blocks_, [&](auto& entry) {
        if (entry.first.first != from) {
            return false;
        }
        moved.emplace_back(Key{to, entry.first.second}, std::move(entry.second));
        return true;
    });
    blocks_.insert(std::make_move_iterator(moved.begin()), std::make_move_iterator(moved.end()));
}

std::vector<Owed> DroppedBlocks::owed() const {
    std::vector<Owed> all;
    for (const auto& [key, block] : blocks_) {
        const std::uint64_t begin = key.second.value * block_size_.bytes();
        for (std::size_t i = 0; i < block.bytes.size();) {
            if (!block.bytes[i].owed) {
                ++i;
                continue;
            }
            const std::size_t first = i;
            while (i < block.bytes.size() && block.bytes[i].owed) {
                ++i;
            }
            all.push_back({key.first, {ByteOffset{begin + first}, ByteOffset{begin + i}}});
        }
    }
    return all;
}

} // namespace lossyfs
