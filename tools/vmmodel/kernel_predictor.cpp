#include "tools/vmmodel/kernel_predictor.hpp"

#include "tools/vmmodel/damage_list.hpp"

#include <algorithm>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockIndex;
using model::BlockInPage;
using model::BlockMask;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

constexpr std::uint64_t bit(MapNumber map) {
    return std::uint64_t{1} << map.value;
}

constexpr ByteRange kWholeFile{ByteOffset{0}, ByteOffset{~std::uint64_t{0}}};

void note(std::array<OpNumber, 8>& by_block, BlockMask blocks, OpNumber op) {
    for (std::size_t i = 0; i < by_block.size(); ++i) {
        if (blocks.contains(BlockInPage{static_cast<std::uint8_t>(i)})) {
            by_block[i] = op;
        }
    }
}

} // namespace

/// Visits the pages of the range that the file has a record of, in ascending order.
template <typename Visit>
void KernelPredictor::each_page(File& file, ByteRange range, Visit visit) {
    if (range.empty()) {
        return;
    }
    const auto end = file.pages.upper_bound(range.last_page());
    for (auto found = file.pages.lower_bound(range.first_page()); found != end; ++found) {
        visit(found->first, found->second);
    }
}

FileNumber KernelPredictor::create(ByteOffset size) {
    files_.emplace_back(size);
    return FileNumber{static_cast<std::uint32_t>(files_.size() - 1)};
}

ByteOffset KernelPredictor::size(FileNumber file) const {
    return at(file).contents.size();
}

std::vector<std::byte> KernelPredictor::read(FileNumber file, ByteRange range) const {
    return at(file).contents.read(range);
}

void KernelPredictor::fault_for_write(Page& page, MapNumber map) const {
    page.present |= bit(map);
    if ((page.dirty & bit(map)) != 0) {
        return; // writable and dirty already: no fault, nobody hears of the store
    }
    page.dirty |= bit(map);
    if (era_.tracks_shared_dirty) {
        set_page_dirty(page.state, block_size_); // do_wp_page, do_no_page: set_page_dirty_balance
    }
}

void KernelPredictor::store(FileNumber file, MapNumber map, ByteOffset offset,
                            std::span<const std::byte> bytes) {
    write_fault(file, map, {offset, ByteOffset{offset.value + bytes.size()}});
    at(file).contents.put(offset, bytes);
    note_change(at(file), {offset, ByteOffset{offset.value + bytes.size()}});
}

void KernelPredictor::write_fault(FileNumber file, MapNumber map, ByteRange range) {
    if (range.empty()) {
        return;
    }
    File& target = at(file);
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        fault_for_write(target.pages[index], map);
    }
}

void KernelPredictor::read_fault(FileNumber file, MapNumber map, ByteRange range) {
    if (range.empty()) {
        return;
    }
    File& target = at(file);
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        target.pages[index].present |= bit(map);
    }
}

/// zap_pte_range, try_to_unmap_one: a dirty PTE's bit moves to the page. This rescues what was
/// stored since the filesystem last cleaned the blocks.
void KernelPredictor::zap(Page& page, MapNumber map) const {
    if ((page.dirty & bit(map)) != 0) {
        set_page_dirty(page.state, block_size_);
    }
    page.dirty &= ~bit(map);
    page.present &= ~bit(map);
}

void KernelPredictor::drop_ptes(FileNumber file, MapNumber map, ByteRange range) {
    each_page(at(file), range, [&](PageIndex, Page& page) { zap(page, map); });
}

void KernelPredictor::unmap(FileNumber file, MapNumber map) {
    drop_ptes(file, map, kWholeFile);
}

void KernelPredictor::child_exits(FileNumber file, MapNumber map) {
    unmap(file, map);
}

/// Nothing that matters: no page becomes dirty, mapped or clean by it.
void KernelPredictor::cached_read(FileNumber, ByteRange) {}

void KernelPredictor::write(FileNumber file, ByteOffset offset, std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return; // generic_file_aio_write_nolock: nothing happens, not even to mtime
    }
    File& target = at(file);
    const ByteRange range{offset, ByteOffset{offset.value + bytes.size()}};
    const ByteOffset before = target.contents.size();
    target.contents.grow(range.end);
    target.contents.put(offset, bytes);
    // mtime has a granularity of one second: this write alone may not have changed it.
    bool changed = range.end > before;
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        changed |= explicit_write(target.pages[index].state, block_size_.touched(index, range));
    }
    note_change(target, range);
    target.inode_dirty =
        std::max(target.inode_dirty, changed ? InodeDirty::yes : InodeDirty::if_clock_moved);
}

void KernelPredictor::truncate(FileNumber file, ByteOffset size) {
    File& target = at(file);
    target.inode_dirty = InodeDirty::yes;
    const ByteOffset before = target.contents.size();
    if (size == before) {
        return; // inode_setattr: only the times change
    }
    const PageIndex last = page_of(size);
    const bool inside_page = size.value % model::kPageSize != 0;
    if (size < before) {
        // vmtruncate: pages past the new size leave mappings and page cache, whatever their state.
        target.pages.erase(target.pages.lower_bound(inside_page ? PageIndex{last.value + 1} : last),
                           target.pages.end());
        target.contents.shrink(size);
    } else {
        target.contents.grow(size);
    }
    if (!inside_page) {
        return;
    }
    Page& page = target.pages[last];
    const BlockMask kept = block_size_.within(last, size);
    BlockMask straddling;
    if (size.value % block_size_.bytes() != 0) {
        straddling =
            block_size_.touched(last, {size, ByteOffset{size.value + 1}}) & page.state.allocated;
        if (!straddling.empty()) {
            // ext3_block_truncate_page zeroes to the end of the block, and dirties it.
            const BlockIndex block = block_size_.block_of(size);
            target.contents.zero({size, ByteOffset{(block.value + 1) * block_size_.bytes()}});
        }
    }
    if (size < before) {
        target.contents.free(last, block_size_.all() - kept, block_size_);
        truncate_inside(page.state, kept, straddling);
    } else {
        truncate_inside(page.state, block_size_.all(), straddling);
    }
}

/// Pages wholly inside leave mappings and page cache (truncate_pagecache_range); blocks wholly
/// inside lose their place on disk; what remains at the edges is zeroed as by a write(2). No kernel
/// of these eras had the call: this is what their successors do.
void KernelPredictor::punch(FileNumber file, ByteRange range) {
    File& target = at(file);
    const ByteRange inside = intersect(range, {ByteOffset{0}, target.contents.size()});
    if (inside.empty()) {
        return;
    }
    target.inode_dirty = InodeDirty::yes;
    for (PageIndex index = inside.first_page(); index <= inside.last_page(); ++index) {
        const auto found = target.pages.find(index);
        if (found == target.pages.end()) {
            continue;
        }
        const ByteRange part = intersect(inside, model::range_of(index));
        BlockMask whole;
        for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
            const ByteRange block = block_size_.range_of(index, BlockInPage{i});
            if (intersect(block, part) == block) {
                whole |= BlockMask::of(BlockInPage{i});
            }
        }
        const BlockMask edges = (block_size_.touched(index, part) - whole) &
                                (found->second.state.allocated | found->second.state.dirty);
        target.contents.zero(part);
        target.contents.free(index, whole, block_size_);
        if (part == model::range_of(index)) {
            target.pages.erase(found);
            continue;
        }
        model::punch(found->second.state, whole);
        if (!edges.empty()) {
            explicit_write(found->second.state, edges);
        }
    }
}

void KernelPredictor::touch_inode(FileNumber file) {
    at(file).inode_dirty = InodeDirty::yes;
}

/// kjournald: journal_submit_data_buffers. PG_dirty and the PTEs stay as they are: the bug.
void KernelPredictor::commit() {
    if (!filesystem_.flushes) {
        return;
    }
    for (File& file : files_) {
        flush(file);
    }
}

void KernelPredictor::flush(File& file) {
    for (auto& [index, page] : file.pages) {
        const BlockMask flushed =
            ordered_flush(page.state, filesystem_.flushes.value_or(model::FlushPolicy::eager),
                          block_size_.within(index, file.contents.size()));
        out(file, index, page, flushed);
        note(page.story.cleaned_by, flushed, op());
    }
}

void KernelPredictor::note_change(File& file, ByteRange range) const {
    each_page(file, range, [&](PageIndex index, Page& page) {
        note(page.memory_op, block_size_.touched(index, range), op());
    });
}

void KernelPredictor::out(File& file, PageIndex index, Page& page, BlockMask blocks) const {
    file.contents.out(index, blocks, block_size_);
    for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            page.disk_op[i] = page.memory_op[i];
        }
    }
}

KernelPredictor::PageView KernelPredictor::view(FileNumber file, PageIndex index) const {
    PageView view;
    const auto found = at(file).pages.find(index);
    if (found != at(file).pages.end()) {
        const Page& page = found->second;
        view = {page.state,     page.present,
                page.dirty,     at(file).contents.stale(index, block_size_),
                page.memory_op, page.disk_op};
    }
    return view;
}

void KernelPredictor::writepage(File& file, PageIndex index, Page& page) {
    if (!page.state.page_dirty) {
        return; // not tagged dirty: writeback does not come by, whatever the PTEs say
    }
    const BlockMask within = block_size_.within(index, file.contents.size());
    clear_page_dirty_for_io(page.state, contract_of(era_), page.dirty != 0, block_size_);
    if (era_.tracks_shared_dirty) {
        page.dirty = 0; // page_mkclean
    }
    file.contents.zero_tail(index);
    const BlockMask lost = file.contents.stale(index, block_size_);
    if (allocates(page.state, page.state.dirty & within)) {
        file.inode_dirty = InodeDirty::yes;
    }
    const model::WriteDecision decision = model::writepage(page.state, within);
    out(file, index, page, decision.written);
    note(page.story.lost_by, decision.written, OpNumber{0});
    note(page.story.cleaned_by, decision.written, OpNumber{0});
    note(page.story.lost_by, decision.skipped & lost, op());
}

void KernelPredictor::writepages(File& file, ByteRange range) {
    each_page(file, range, [&](PageIndex index, Page& page) { writepage(file, index, page); });
}

void KernelPredictor::commit_if(File& file, std::optional<bool> commits) {
    if (!commits && file.inode_dirty == InodeDirty::if_clock_moved) {
        note_doubt(
            "operation " + std::to_string(op().value) +
            ": commits only if the last write(2) came a second after the one before; taken so "
            "(fchmod before fsync makes it certain)");
    }
    if (commits.value_or(file.inode_dirty != InodeDirty::no)) {
        file.inode_dirty = InodeDirty::no;
        commit();
    }
}

void KernelPredictor::fsync(FileNumber file, std::optional<bool> commits) {
    writepages(at(file), kWholeFile);
    each_page(at(file), kWholeFile, [](PageIndex, Page& page) { page.under_writeback = false; });
    commit_if(at(file), commits);
}

/// Before 2.6.19, msync of either kind walked the PTEs (msync_pte_range).
void KernelPredictor::collect_dirty_bits(File& file, std::optional<MapNumber> map,
                                         ByteRange range) const {
    if (era_.tracks_shared_dirty) {
        return;
    }
    const Mappings mappings = map ? bit(*map) : ~Mappings{0};
    each_page(file, range, [&](PageIndex, Page& page) {
        if ((page.dirty & mappings) != 0) {
            page.dirty &= ~mappings;
            set_page_dirty(page.state, block_size_);
        }
    });
}

void KernelPredictor::msync(FileNumber file, std::optional<MapNumber> map, ByteRange range,
                            std::optional<bool> commits) {
    collect_dirty_bits(at(file), map, range);
    fsync(file, commits); // sys_msync: the whole file
}

void KernelPredictor::msync_async(FileNumber file, std::optional<MapNumber> map, ByteRange range) {
    collect_dirty_bits(at(file), map, range);
}

void KernelPredictor::sync_file_range(FileNumber file, ByteRange range, SyncRangeFlags flags) {
    File& target = at(file);
    if (flags.wait_before) {
        each_page(target, range, [](PageIndex, Page& page) { page.under_writeback = false; });
    }
    if (flags.write) {
        each_page(target, range, [&](PageIndex index, Page& page) {
            if (!page.state.page_dirty) {
                return;
            }
            if (page.under_writeback) {
                note_doubt("operation " + std::to_string(op().value) +
                           ": sync_file_range without WAIT_BEFORE skips a page that is still under "
                           "writeback; taken as written back by then");
            }
            writepage(target, index, page);
            page.under_writeback = !flags.wait_after;
        });
    }
    if (flags.wait_after) {
        each_page(target, range, [](PageIndex, Page& page) { page.under_writeback = false; });
    }
}

/// sys_sync: pages and inodes of every file, then a commit; inodes made dirty by allocations on
/// the way are written in its second round.
void KernelPredictor::sync() {
    for (File& file : files_) {
        writepages(file, kWholeFile);
        each_page(file, kWholeFile, [](PageIndex, Page& page) { page.under_writeback = false; });
    }
    for (File& file : files_) {
        file.inode_dirty = InodeDirty::no;
    }
    commit();
}

/// generic_file_direct_IO: filemap_write_and_wait, the whole file.
void KernelPredictor::direct_read(FileNumber file, ByteRange range) {
    if (range.begin < at(file).contents.size()) {
        writepages(at(file), kWholeFile);
    }
}

/// sys_fadvise64_64: filemap_flush, then invalidate_mapping_pages, which passes over pages that are
/// dirty or that somebody has mapped.
bool KernelPredictor::evict(FileNumber file) {
    File& target = at(file);
    writepages(target, kWholeFile);
    bool all_gone = true;
    for (auto& [index, page] : target.pages) {
        if (page.present != 0) {
            all_gone = false;
            continue;
        }
        target.contents.evict(index);
        model::evict(page.state);
        page.memory_op = page.disk_op;
        page.under_writeback = false;
    }
    return all_gone;
}

std::vector<Damage> KernelPredictor::damage() const {
    return damage_list(files_, block_size_);
}

} // namespace vmmodel
