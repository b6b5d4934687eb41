#include "fusefs/model/ledger.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace partialfs::model {

std::vector<ByteRange> differing_ranges(std::span<const std::byte> memory,
                                        std::span<const std::byte> disk, ByteOffset begin) {
    const auto differs = [&](std::size_t i) {
        return memory[i] != (i < disk.size() ? disk[i] : std::byte{0});
    };
    std::vector<ByteRange> ranges;
    for (std::size_t i = 0; i < memory.size();) {
        if (!differs(i)) {
            ++i;
            continue;
        }
        const std::size_t first = i;
        while (i < memory.size() && differs(i)) {
            ++i;
        }
        ranges.push_back({begin + ByteCount{first}, begin + ByteCount{i}});
    }
    return ranges;
}

void Ledger::count_closed(const LostStore& entry) {
    --counts_.open;
    counts_.open_bytes -= entry.bytes.size().value;
}

void Ledger::move_to_healed(LostStore& entry, Nanoseconds now) {
    count_closed(entry);
    ++counts_.healed;
    entry.healed_at = now;
    healed_.push_back(std::move(entry));
    if (healed_.size() > kHealedKept) {
        healed_.pop_front();
    }
}

void Ledger::record(const LostStore& loss, BlockIndex block, const std::vector<ByteRange>& lost) {
    if (lost.empty()) {
        return;
    }
    std::vector<LostStore>& open = open_[{loss.inode, block}];
    std::ranges::sort(open, {}, &LostStore::bytes);
    std::vector<LostStore> news;
    for (const ByteRange& range : lost) {
        ByteOffset from = range.begin;
        const auto add = [&](ByteRange fresh) {
            if (fresh.empty()) {
                return;
            }
            LostStore entry = loss;
            entry.number = ++counts_.recorded;
            entry.bytes = fresh;
            entry.healed_at.reset();
            ++counts_.open;
            counts_.open_bytes += fresh.size().value;
            news.push_back(std::move(entry));
        };
        for (const LostStore& known : open) {
            if (intersect(known.bytes, {from, range.end}).empty()) {
                continue;
            }
            add({from, known.bytes.begin});
            from = known.bytes.end;
        }
        add({from, range.end});
    }
    open.insert(open.end(), std::make_move_iterator(news.begin()),
                std::make_move_iterator(news.end()));
}

template <typename Taken>
void Ledger::cut_out(InodeId inode, ByteRange range, BlockSize block_size, Taken taken) {
    if (range.empty()) {
        return;
    }
    const Key last{inode, block_size.block_of(ByteOffset{range.end.value - 1})};
    for (auto block = open_.lower_bound({inode, block_size.block_of(range.begin)});
         block != open_.end() && block->first <= last;) {
        std::vector<LostStore> kept;
        for (LostStore& entry : block->second) {
            const ByteRange cut = intersect(entry.bytes, range);
            if (cut.empty()) {
                kept.push_back(std::move(entry));
                continue;
            }
            count_closed(entry);
            for (const ByteRange outside :
                 {ByteRange{entry.bytes.begin, cut.begin}, ByteRange{cut.end, entry.bytes.end}}) {
                if (!outside.empty()) {
                    LostStore part = entry;
                    part.bytes = outside;
                    ++counts_.open;
                    counts_.open_bytes += outside.size().value;
                    kept.push_back(std::move(part));
                }
            }
            entry.bytes = cut;
            taken(entry);
        }
        block->second = std::move(kept);
        block = block->second.empty() ? open_.erase(block) : std::next(block);
    }
}

void Ledger::heal(InodeId inode, ByteRange range, BlockSize block_size, Nanoseconds now) {
    cut_out(inode, range, block_size, [&](LostStore& entry) {
        ++counts_.open;
        counts_.open_bytes += entry.bytes.size().value;
        move_to_healed(entry, now);
    });
}

void Ledger::drop(InodeId inode, ByteRange range, BlockSize block_size) {
    cut_out(inode, range, block_size, [&](LostStore&) { ++counts_.dropped; });
}

void Ledger::truncate(InodeId inode, ByteOffset size) {
    for (auto block = open_.lower_bound({inode, BlockIndex{0}});
         block != open_.end() && block->first.first == inode;) {
        std::vector<LostStore> kept;
        for (LostStore& entry : block->second) {
            count_closed(entry);
            entry.bytes.end = std::min(entry.bytes.end, size);
            if (entry.bytes.empty()) {
                ++counts_.dropped;
                continue;
            }
            ++counts_.open;
            counts_.open_bytes += entry.bytes.size().value;
            kept.push_back(std::move(entry));
        }
        block->second = std::move(kept);
        block = block->second.empty() ? open_.erase(block) : std::next(block);
    }
}

void Ledger::forget(InodeId inode) {
    truncate(inode, ByteOffset{0});
}

bool Ledger::has_open(InodeId inode) const {
    const auto block = open_.lower_bound({inode, BlockIndex{0}});
    return block != open_.end() && block->first.first == inode;
}

bool Ledger::has_open(InodeId inode, ByteRange range, BlockSize block_size) const {
    if (range.empty()) {
        return false;
    }
    const auto block = open_.lower_bound({inode, block_size.block_of(range.begin)});
    return block != open_.end() &&
           block->first <= Key{inode, block_size.block_of(ByteOffset{range.end.value - 1})};
}

std::vector<LostStore> Ledger::entries() const {
    std::vector<LostStore> all(healed_.begin(), healed_.end());
    for (const auto& [key, entries] : open_) {
        all.insert(all.end(), entries.begin(), entries.end());
    }
    std::ranges::sort(all, {}, &LostStore::number);
    return all;
}

} // namespace partialfs::model
