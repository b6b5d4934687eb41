#include "tools/vmmodel/predict/contents.hpp"

#include <algorithm>

namespace vmmodel {

using partialfs::model::BlockInPage;
using partialfs::model::BlockMask;
using partialfs::model::BlockSize;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;
using partialfs::model::kPageSize;
using partialfs::model::page_of;
using partialfs::model::PageIndex;

namespace {

std::size_t in_page(ByteOffset offset, PageIndex page) {
    return static_cast<std::size_t>((offset - start_of(page)).value);
}

} // namespace

void Contents::grow(ByteOffset size) {
    size_ = std::max(size_, size);
}

void Contents::shrink(ByteOffset size) {
    size_ = size;
    const bool inside = size.value % kPageSize != 0;
    pages_.erase(pages_.lower_bound(PageIndex{page_of(size).value + (inside ? 1 : 0)}),
                 pages_.end());
    unbuffer({size, ByteOffset{~std::uint64_t{0}}});
    if (inside) {
        zero({size, range_of(page_of(size)).end});
    }
}

template <typename Change>
void Contents::change(ByteRange range, Change per_page) {
    if (range.empty()) {
        return;
    }
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        const ByteRange part = intersect(range, partialfs::model::range_of(index));
        Page& changed = page(index);
        per_page(changed.memory, part, in_page(part.begin, index));
        if (changed.expected) {
            per_page(*changed.expected, part, in_page(part.begin, index));
        }
    }
}

void Contents::put(ByteOffset offset, std::span<const std::byte> bytes) {
    change({offset, ByteOffset{offset.value + bytes.size()}},
           [&](Bytes& target, ByteRange part, std::size_t at) {
               std::ranges::copy(bytes.subspan((part.begin - offset).value, part.size().value),
                                 target.begin() + static_cast<std::ptrdiff_t>(at));
           });
}

void Contents::zero(ByteRange range) {
    change(range, [](Bytes& target, ByteRange part, std::size_t at) {
        std::fill_n(target.begin() + static_cast<std::ptrdiff_t>(at), part.size().value,
                    std::byte{0});
    });
}

std::vector<std::byte> Contents::read(ByteRange range) const {
    std::vector<std::byte> bytes(range.size().value);
    for (auto found = pages_.lower_bound(page_of(range.begin)); found != pages_.end(); ++found) {
        const ByteRange part = intersect(range, partialfs::model::range_of(found->first));
        if (part.empty()) {
            break;
        }
        const auto from = found->second.memory.begin() +
                          static_cast<std::ptrdiff_t>(in_page(part.begin, found->first));
        std::copy_n(from, part.size().value,
                    bytes.begin() + static_cast<std::ptrdiff_t>((part.begin - range.begin).value));
    }
    return bytes;
}

void Contents::zero_tail(PageIndex index) {
    zero(intersect({size_, range_of(index).end}, range_of(index)));
}

void Contents::out(PageIndex index, BlockMask blocks, BlockSize block_size) {
    if (blocks.empty()) {
        return;
    }
    Page& written = page(index);
    for (std::uint8_t i = 0; i < block_size.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            const auto at = static_cast<std::ptrdiff_t>(i * block_size.bytes());
            std::copy_n(written.memory.begin() + at, block_size.bytes(), written.disk.begin() + at);
            unbuffer(block_size.range_of(index, BlockInPage{i}));
        }
    }
}

void Contents::out_buffered(PageIndex index, BlockMask blocks, BlockSize block_size) {
    const auto held = buffered_.find(index);
    if (held == buffered_.end()) {
        return;
    }
    Page& written = page(index);
    for (std::size_t i = 0; i < kPageSize; ++i) {
        const BlockInPage block{static_cast<std::uint8_t>(i / block_size.bytes())};
        if (held->second.held[i] && blocks.contains(block)) {
            written.disk[i] = held->second.bytes[i];
            held->second.held[i] = false;
        }
    }
    if (held->second.held.none()) {
        buffered_.erase(held);
    }
}

void Contents::zero_disk(ByteRange range) {
    if (range.empty()) {
        return;
    }
    const auto end = pages_.upper_bound(range.last_page());
    for (auto found = pages_.lower_bound(range.first_page()); found != end; ++found) {
        const ByteRange part = intersect(range, partialfs::model::range_of(found->first));
        std::fill_n(found->second.disk.begin() +
                        static_cast<std::ptrdiff_t>(in_page(part.begin, found->first)),
                    part.size().value, std::byte{0});
    }
}

/// Visits the pages of the range; those left without a buffered byte are forgotten.
template <typename Change>
void Contents::change_buffered(ByteRange range, Change per_page) {
    if (range.empty()) {
        return;
    }
    const auto end = buffered_.upper_bound(range.last_page());
    for (auto held = buffered_.lower_bound(range.first_page()); held != end;) {
        const ByteRange part = intersect(range, partialfs::model::range_of(held->first));
        per_page(held->first, held->second, in_page(part.begin, held->first), part.size().value);
        held = held->second.held.none() ? buffered_.erase(held) : std::next(held);
    }
}

void Contents::buffer(ByteRange range) {
    for (PageIndex index = range.first_page(); !range.empty() && index <= range.last_page();
         ++index) {
        buffered_.try_emplace(index);
    }
    change_buffered(range, [&](PageIndex index, Buffered& held, std::size_t at, std::size_t count) {
        const Bytes& memory = page(index).memory;
        for (std::size_t i = at; i < at + count; ++i) {
            held.held[i] = true;
            held.bytes[i] = memory[i];
        }
    });
}

void Contents::unbuffer(ByteRange range) {
    change_buffered(range, [](PageIndex, Buffered& held, std::size_t at, std::size_t count) {
        for (std::size_t i = at; i < at + count; ++i) {
            held.held[i] = false;
        }
    });
}

std::optional<ByteOffset> Contents::first_buffered(ByteOffset from) const {
    for (auto held = buffered_.lower_bound(page_of(from)); held != buffered_.end(); ++held) {
        const std::size_t begin = held->first == page_of(from) ? in_page(from, held->first) : 0;
        for (std::size_t i = begin; i < kPageSize; ++i) {
            if (held->second.held[i]) {
                return ByteOffset{start_of(held->first).value + i};
            }
        }
    }
    return std::nullopt;
}

BlockMask Contents::buffered(PageIndex index, BlockSize block_size) const {
    BlockMask blocks;
    const auto held = buffered_.find(index);
    for (std::size_t i = 0; held != buffered_.end() && i < kPageSize; ++i) {
        if (held->second.held[i]) {
            blocks |= BlockMask::of(BlockInPage{static_cast<std::uint8_t>(i / block_size.bytes())});
        }
    }
    return blocks;
}

void Contents::free(PageIndex index, BlockMask blocks, BlockSize block_size) {
    const auto found = pages_.find(index);
    if (found == pages_.end()) {
        return;
    }
    for (std::uint8_t i = 0; i < block_size.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            const auto at = static_cast<std::ptrdiff_t>(i * block_size.bytes());
            std::fill_n(found->second.disk.begin() + at, block_size.bytes(), std::byte{0});
        }
    }
}

void Contents::evict(PageIndex index) {
    const auto found = pages_.find(index);
    if (found == pages_.end()) {
        return;
    }
    Page& evicted = found->second;
    if (!evicted.expected && evicted.memory != evicted.disk) {
        evicted.expected = std::make_unique<Bytes>(evicted.memory);
    }
    const auto held = buffered_.find(index);
    if (held == buffered_.end()) {
        evicted.memory = evicted.disk;
    } else {
        for (std::size_t i = 0; i < kPageSize; ++i) {
            evicted.memory[i] = held->second.held[i] ? held->second.bytes[i] : evicted.disk[i];
        }
    }
    if (evicted.expected && *evicted.expected == evicted.memory) {
        evicted.expected.reset();
    }
}

BlockMask Contents::stale(PageIndex index, BlockSize block_size) const {
    BlockMask differing;
    const auto found = pages_.find(index);
    if (found == pages_.end()) {
        return differing;
    }
    for (std::uint8_t i = 0; i < block_size.per_page(); ++i) {
        const ByteRange block =
            intersect(block_size.range_of(index, BlockInPage{i}), {ByteOffset{0}, size_});
        if (!block.empty()) {
            const auto at = static_cast<std::ptrdiff_t>(in_page(block.begin, index));
            const auto begin = found->second.memory.begin() + at;
            if (!std::equal(begin, begin + static_cast<std::ptrdiff_t>(block.size().value),
                            found->second.disk.begin() + at)) {
                differing |= BlockMask::of(BlockInPage{i});
            }
        }
    }
    return differing;
}

std::vector<ByteRange> Contents::damage() const {
    std::vector<ByteRange> ranges;
    for (const auto& [index, bytes] : pages_) {
        const Bytes& expected = bytes.expected ? *bytes.expected : bytes.memory;
        if (expected == bytes.disk) {
            continue;
        }
        for (std::size_t i = 0; i < kPageSize; ++i) {
            const ByteOffset offset{start_of(index).value + i};
            if (expected[i] == bytes.disk[i] || offset >= size_) {
                continue;
            }
            if (!ranges.empty() && ranges.back().end == offset) {
                ++ranges.back().end;
            } else {
                ranges.push_back({offset, ByteOffset{offset.value + 1}});
            }
        }
    }
    return ranges;
}

} // namespace vmmodel
