#include "fusefs/model/ledger.hpp"

#include <algorithm>
#include <new>

namespace partialfs::model {

ByteRange Ledger::bytes_of(const Batch& batch, Piece piece) {
    const ByteOffset page = start_of(batch.page);
    return {page + ByteCount{piece.begin}, page + ByteCount{piece.end}};
}

void Ledger::record(InodeId inode, std::string_view path, const Loss& loss,
                    std::span<const ByteRange> lost) {
    std::vector<ByteRange> of_page;
    const auto record_page = [&] {
        if (!of_page.empty()) {
            record_in_page(inode, path, loss, of_page);
            of_page.clear();
        }
    };
    for (const ByteRange& range : lost) {
        for (ByteOffset at = range.begin; at < range.end;) {
            const BlockIndex block = block_size_.block_of(at);
            const ByteOffset block_end{(block.value + 1) * block_size_.bytes()};
            const ByteRange part{at, std::min(range.end, block_end)};
            at = part.end;
            if (!of_page.empty() && page_of(of_page.front().begin) != page_of(part.begin)) {
                record_page();
            }
            if (!of_page.empty() && of_page.back().end == part.begin &&
                block_size_.block_of(of_page.back().begin) == block) {
                of_page.back().end = part.end;
            } else {
                of_page.push_back(part);
            }
        }
    }
    record_page();
}

std::vector<ByteRange> Ledger::open_in_page(InodeId inode, PageIndex page) const {
    std::vector<ByteRange> open;
    const auto found = inodes_.find(inode);
    if (found == inodes_.end()) {
        return open;
    }
    const auto& batches = found->second.batches;
    for (auto listed = batches.lower_bound({page, 0});
         listed != batches.end() && listed->first == page; ++listed) {
        const Batch& batch = batches_.at(listed->second);
        for (const Piece piece : batch.pieces) {
            open.push_back(bytes_of(batch, piece));
        }
    }
    std::ranges::sort(open);
    return open;
}

std::vector<ByteRange> Ledger::news(InodeId inode, std::span<const ByteRange> lost) const {
    const std::vector<ByteRange> known = open_in_page(inode, page_of(lost.front().begin));
    std::vector<ByteRange> fresh;
    auto next = known.begin();
    for (const ByteRange& range : lost) {
        ByteOffset from = range.begin;
        while (next != known.end() && next->end <= from) {
            ++next;
        }
        for (auto seen = next; seen != known.end() && seen->begin < range.end; ++seen) {
            if (from < seen->begin) {
                fresh.push_back({from, seen->begin});
            }
            from = seen->end;
        }
        if (from < range.end) {
            fresh.push_back({from, range.end});
        }
    }
    return fresh;
}

void Ledger::record_in_page(InodeId inode, std::string_view path, const Loss& loss,
                            std::span<const ByteRange> lost) {
    const std::vector<ByteRange> fresh = news(inode, lost);
    const auto kept = std::min<std::size_t>(fresh.size(), open_kept_ - counts_.open);
    const std::uint64_t first = counts_.recorded + 1;
    const PageIndex page = page_of(lost.front().begin);
    Batch batch{.inode = inode, .page = page, .loss = loss, .pieces = {}};
    batch.pieces.reserve(kept);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < kept; ++i) {
        batch.pieces.push_back({static_cast<std::uint16_t>((fresh[i].begin - start_of(page)).value),
                                static_cast<std::uint16_t>((fresh[i].end - start_of(page)).value),
                                static_cast<std::uint16_t>(i)});
        bytes += fresh[i].size().value;
    }
    if (kept != 0) {
        OfInode& of =
            inodes_.try_emplace(inode, OfInode{std::string(path), {}, 0, false}).first->second;
        try {
            of.batches.emplace(page, first);
            batches_.emplace_hint(batches_.end(), first, std::move(batch));
        } catch (const std::bad_alloc&) {
            of.batches.erase({page, first});
            release_if_empty(inode);
            throw;
        }
    }
    counts_.recorded += kept;
    counts_.open += kept;
    counts_.open_bytes += bytes;
    for (std::size_t i = kept; i < fresh.size(); ++i) {
        ++counts_.not_kept;
        counts_.not_kept_bytes += fresh[i].size().value;
    }
}

void Ledger::record_size(InodeId inode, std::string_view path, const Loss& loss, LostSize size) {
    if (counts_.open >= open_kept_) {
        ++counts_.not_kept;
        return;
    }
    if (loss.kind == LossKind::fault) {
        sizes_left_out_[inode].push_back(counts_.recorded + 1);
    }
    sizes_.emplace_hint(sizes_.end(), counts_.recorded + 1,
                        OfSize{inode, std::string(path), loss, size});
    ++counts_.recorded;
    ++counts_.open;
}

template <typename Taken>
void Ledger::cut_batch(Batches::value_type& batch, ByteRange range, Taken taken) {
    auto& [first, what] = batch;
    std::vector<Piece> kept;
    std::vector<Piece> cut;
    kept.reserve(what.pieces.size() + 1); // at most one is cut in two
    cut.reserve(what.pieces.size());
    const std::uint64_t page = start_of(what.page).value;
    for (const Piece piece : what.pieces) {
        const ByteRange part = intersect(bytes_of(what, piece), range);
        if (part.empty()) {
            kept.push_back(piece);
            continue;
        }
        const auto begin = static_cast<std::uint16_t>(part.begin.value - page);
        const auto end = static_cast<std::uint16_t>(part.end.value - page);
        cut.push_back({begin, end, piece.number});
        if (piece.begin < begin) {
            kept.push_back({piece.begin, begin, piece.number});
        }
        if (end < piece.end) {
            kept.push_back({end, piece.end, piece.number});
        }
    }
    counts_.open += kept.size();
    counts_.open -= what.pieces.size();
    what.pieces.swap(kept);
    for (const Piece piece : cut) {
        const ByteRange bytes = bytes_of(what, piece);
        counts_.open_bytes -= bytes.size().value;
        taken(what, first + piece.number, bytes);
    }
    if (counts_.open > open_kept_) { // because one piece was cut in two
        --counts_.open;
        ++counts_.not_kept;
        const std::uint64_t bytes = bytes_of(what, what.pieces.back()).size().value;
        counts_.open_bytes -= bytes;
        counts_.not_kept_bytes += bytes;
        what.pieces.pop_back();
    }
}

template <typename Taken>
void Ledger::cut_out(InodeId inode, ByteRange range, Taken taken) {
    const auto found = inodes_.find(inode);
    if (found == inodes_.end() || range.empty()) {
        return;
    }
    auto& batches = found->second.batches;
    for (auto listed = batches.lower_bound({range.first_page(), 0});
         listed != batches.end() && listed->first <= range.last_page();) {
        const auto batch = batches_.find(listed->second);
        cut_batch(*batch, range, taken);
        if (batch->second.pieces.empty()) {
            batches_.erase(batch);
            listed = batches.erase(listed);
        } else {
            ++listed;
        }
    }
    release_if_empty(inode);
}

void Ledger::heal(InodeId inode, ByteRange range, Nanoseconds now) {
    cut_out(inode, range, [&](const Batch& batch, std::uint64_t number, ByteRange bytes) {
        ++counts_.healed;
        keep_healed({number, bytes.begin}, {batch.inode, bytes.end, batch.loss, now});
    });
}

void Ledger::keep_healed(LedgerPosition position, Healed healed) {
    try {
        healed_.emplace(position, healed);
    } catch (const std::bad_alloc&) {
        return; // counted as healed, but not kept
    }
    ++inodes_.at(healed.inode).healed;
    if (healed_.size() > kHealedKept) {
        const InodeId oldest = healed_.begin()->second.inode;
        healed_.erase(healed_.begin());
        --inodes_.at(oldest).healed;
        release_if_empty(oldest);
    }
}

void Ledger::release_if_empty(InodeId inode) {
    const auto found = inodes_.find(inode);
    if (found != inodes_.end() && found->second.batches.empty() && found->second.healed == 0) {
        inodes_.erase(found);
    }
}

void Ledger::drop(InodeId inode, ByteRange range) {
    cut_out(inode, range, [&](const Batch&, std::uint64_t, ByteRange) { ++counts_.dropped; });
}

void Ledger::truncate(InodeId inode, ByteOffset size) {
    drop(inode, {size, kBehindAll});
    const auto left_out = sizes_left_out_.find(inode);
    if (left_out != sizes_left_out_.end()) {
        for (const std::uint64_t number : left_out->second) {
            const std::size_t erased = sizes_.erase(number);
            counts_.open -= erased;
            counts_.dropped += erased;
        }
        sizes_left_out_.erase(left_out);
    }
}

void Ledger::settle(InodeId inode, std::string_view path) {
    const auto found = inodes_.find(inode);
    if (found != inodes_.end()) {
        found->second.path = path;
        found->second.settled = true;
    }
    const auto left_out = sizes_left_out_.find(inode);
    if (left_out != sizes_left_out_.end()) {
        for (const std::uint64_t number : left_out->second) {
            sizes_.at(number).path = path;
        }
        sizes_left_out_.erase(left_out);
    }
}

void Ledger::forget(InodeId inode) {
    truncate(inode, ByteOffset{0});
}

bool Ledger::has_open(InodeId inode) const {
    const auto found = inodes_.find(inode);
    return (found != inodes_.end() && !found->second.batches.empty()) ||
           sizes_left_out_.contains(inode);
}

bool Ledger::has_open(InodeId inode, ByteRange range) const {
    const auto found = inodes_.find(inode);
    if (found == inodes_.end() || range.empty()) {
        return false;
    }
    const auto& batches = found->second.batches;
    for (auto listed = batches.lower_bound({range.first_page(), 0});
         listed != batches.end() && listed->first <= range.last_page(); ++listed) {
        const Batch& batch = batches_.at(listed->second);
        if (std::ranges::any_of(batch.pieces, [&](Piece piece) {
                return !intersect(bytes_of(batch, piece), range).empty();
            })) {
            return true;
        }
    }
    return false;
}

std::vector<LostStore> Ledger::read(LedgerPosition from, std::uint64_t last,
                                    std::size_t most) const {
    const auto position_of = [](const LostStore& entry) {
        return LedgerPosition{entry.number, entry.bytes.begin};
    };
    std::vector<LostStore> entries;
    const auto add = [&](LostStore entry) {
        const OfInode& of = inodes_.at(entry.inode);
        entry.path = of.path;
        entry.settled = of.settled;
        entries.push_back(std::move(entry));
    };
    auto batch = batches_.upper_bound(from.number);
    if (batch != batches_.begin()) {
        --batch; // `from` may lie inside
    }
    for (; batch != batches_.end() && batch->first <= last; ++batch) {
        for (const Piece piece : batch->second.pieces) {
            LostStore entry{.number = batch->first + piece.number,
                            .inode = batch->second.inode,
                            .path = {},
                            .bytes = bytes_of(batch->second, piece),
                            .loss = batch->second.loss,
                            .healed_at = {}};
            if (entry.number <= last && position_of(entry) >= from && entries.size() < most) {
                add(std::move(entry));
            }
        }
        if (entries.size() == most) {
            break;
        }
    }
    const std::size_t open = entries.size();
    for (auto healed = healed_.lower_bound(from);
         healed != healed_.end() && healed->first.number <= last && entries.size() - open < most;
         ++healed) {
        add({.number = healed->first.number,
             .inode = healed->second.inode,
             .path = {},
             .bytes = {healed->first.begin, healed->second.end},
             .loss = healed->second.loss,
             .healed_at = healed->second.healed_at});
    }
    std::size_t taken = 0;
    for (auto size = sizes_.lower_bound(from.number);
         size != sizes_.end() && size->first <= last && taken < most; ++size, ++taken) {
        const OfSize& lost = size->second;
        const ByteOffset at = std::min(lost.size.was, lost.size.is);
        entries.push_back({.number = size->first,
                           .inode = lost.inode,
                           .path = lost.path,
                           .bytes = {at, at},
                           .loss = lost.loss,
                           .healed_at = {},
                           .size = lost.size,
                           .settled = !sizes_left_out_.contains(lost.inode)});
    }
    std::ranges::sort(entries, {}, position_of);
    entries.resize(std::min(entries.size(), most));
    return entries;
}

} // namespace partialfs::model
