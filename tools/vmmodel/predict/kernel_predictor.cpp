#include "tools/vmmodel/predict/kernel_predictor.hpp"

#include "tools/vmmodel/page_rule.hpp"
#include "tools/vmmodel/predict/damage_list.hpp"
#include "tools/vmmodel/predict/reiserfs_list.hpp"

#include <algorithm>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockIndex;
using model::BlockInPage;
using model::BlockMask;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

FileNumber KernelPredictor::create(ByteOffset size) {
    File& file = files_.emplace_back(size);
    end_in_block(file, size);
    return FileNumber{static_cast<std::uint32_t>(files_.size() - 1)};
}

ByteOffset KernelPredictor::size(FileNumber file) const {
    return at(file).contents.size();
}

std::vector<std::byte> KernelPredictor::read(FileNumber file, ByteRange range) const {
    return at(file).contents.read(range);
}

/// generic_cont_expand_simple, which only reiserfs calls: a file that is made longer ends in an
/// allocated block, written as if by a write(2) of no bytes.
void KernelPredictor::end_in_block(File& file, ByteOffset size) const {
    if (filesystem_.list != OrderedList::reiserfs || size.value % block_size_.bytes() == 0) {
        return;
    }
    const PageIndex index = page_of(size);
    const BlockMask last = block_size_.touched(index, {size, ByteOffset{size.value + 1}});
    Page& page = file.pages[index];
    const BlockMask ordered =
        page.state.ordered |
        joined_by_write(page.state, page.uptodate, last, {index, ByteOffset{0}, block_size_});
    explicit_write(page.state, last);
    page.state.ordered = ordered;
    page.uptodate |= last;
}

/// Reads the blocks of the page that are not up to date.
void KernelPredictor::fill(Page& page) const {
    if (page.uptodate != block_size_.all()) {
        page_rule::read(filesystem_, page.state);
        page.uptodate = block_size_.all();
    }
}

void KernelPredictor::fault_for_write(Page& page, MapNumber map) const {
    page.present |= bit(map);
    fill(page);
    if ((page.dirty & bit(map)) != 0) {
        return; // writable and dirty already: no fault, so the store is not seen
    }
    page.dirty |= bit(map);
    if (era_.tracks_shared_dirty) {
        // do_wp_page, do_no_page: set_page_dirty_balance
        page_rule::set_dirty(filesystem_, page.state, block_size_);
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
        fill(target.pages[index]);
    }
}

/// zap_pte_range, try_to_unmap_one: a PTE's dirty bit moves to the page. This rescues what was
/// stored after the filesystem had last cleaned the blocks.
void KernelPredictor::zap(Page& page, MapNumber map) const {
    if ((page.dirty & bit(map)) != 0) {
        page_rule::set_dirty(filesystem_, page.state, block_size_);
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

/// It makes no page dirty, mapped or clean.
void KernelPredictor::cached_read(FileNumber file, ByteRange range) {
    const ByteRange inside = intersect(range, {ByteOffset{0}, size(file)});
    if (inside.empty()) {
        return;
    }
    for (PageIndex index = inside.first_page(); index <= inside.last_page(); ++index) {
        fill(at(file).pages[index]);
    }
}

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
        Page& page = target.pages[index];
        const BlockMask touched = block_size_.touched(index, range);
        const BlockMask ordered =
            page.state.ordered |
            joined_by_write(page.state, page.uptodate, touched, {index, before, block_size_});
        const bool whole = intersect(range, model::range_of(index)) == model::range_of(index);
        changed |= page_rule::write(filesystem_, page.state, touched, whole, block_size_);
        if (filesystem_.list == OrderedList::reiserfs) {
            page.state.ordered = ordered;
        }
        page.uptodate |= touched;
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
    const BlockMask ordered = page.state.ordered;
    if (size < before) {
        target.contents.free(last, block_size_.all() - kept, block_size_);
        truncate_inside(page.state, kept, straddling);
    } else {
        truncate_inside(page.state, block_size_.all(), straddling);
    }
    if (filesystem_.list == OrderedList::reiserfs) {
        page.state.ordered &= ordered; // reiserfs_truncate_file: only mark_buffer_dirty
    }
    if (size > before) {
        end_in_block(target, size);
    }
}

/// Pages wholly inside leave mappings and page cache (truncate_pagecache_range); blocks wholly
/// inside are no longer allocated; the rest of the range, at its ends, is zeroed as by a write(2).
/// No kernel of these eras had the call: this is what their successors do.
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

void KernelPredictor::note(std::array<OpNumber, 8>& by_block, BlockMask blocks, OpNumber op) {
    for (std::size_t i = 0; i < by_block.size(); ++i) {
        if (blocks.contains(BlockInPage{static_cast<std::uint8_t>(i)})) {
            by_block[i] = op;
        }
    }
}

void KernelPredictor::note_change(File& file, ByteRange range) const {
    each_page(file, range, [&](PageIndex index, Page& page) {
        note(page.memory_op, block_size_.touched(index, range), op());
    });
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

std::vector<Damage> KernelPredictor::damage() const {
    return damage_list(files_, block_size_);
}

} // namespace vmmodel
