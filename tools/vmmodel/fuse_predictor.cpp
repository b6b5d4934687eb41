#include "tools/vmmodel/fuse_predictor.hpp"

#include "tools/vmmodel/damage_list.hpp"

#include <algorithm>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockInPage;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::PageIndex;

namespace {

constexpr ByteRange kWholeFile{ByteOffset{0}, ByteOffset{~std::uint64_t{0}}};

/// How many pages around a fault the kernel reads at once (128 KiB), a half of them before it.
constexpr std::uint64_t kReadAround = 32;

constexpr std::uint64_t bit(MapNumber map) {
    return std::uint64_t{1} << map.value;
}

CommitId commit_of(OpNumber op) {
    return CommitId{static_cast<std::uint32_t>(op.value)};
}

} // namespace

FileNumber FusePredictor::create(ByteOffset size) {
    files_.emplace_back(size, block_size_);
    if (size.value != 0) {
        files_.back().backing_size = size;
        files_.back().sparse = true;
    }
    return FileNumber{static_cast<std::uint32_t>(files_.size() - 1)};
}

ByteOffset FusePredictor::size(FileNumber file) const {
    return at(file).contents.size();
}

std::vector<std::byte> FusePredictor::read(FileNumber file, ByteRange range) const {
    return at(file).contents.read(range);
}

// --- The kernel ------------------------------------------------------------------------------

/// filemap_fault: a page that is not there is read, with those around it that are not there either.
void FusePredictor::fetch(File& file, PageIndex index) {
    const Page& page = file.pages[index];
    if (page.uptodate) {
        return;
    }
    std::vector<PageIndex> fetched{index};
    if (!page.cached) {
        const std::uint64_t before = std::min(index.value, kReadAround / 2);
        for (PageIndex near{index.value - before};
             near.value < index.value - before + kReadAround &&
             start_of(near) < file.contents.size();
             ++near) {
            if (near != index && !file.pages[near].cached) {
                fetched.push_back(near);
            }
        }
    }
    std::ranges::sort(fetched);
    for (const PageIndex one : fetched) {
        file.pages[one].cached = true;
        file.pages[one].uptodate = true;
    }
    daemon_read(file, fetched);
}

void FusePredictor::store(FileNumber file, MapNumber map, ByteOffset offset,
                          std::span<const std::byte> bytes) {
    write_fault(file, map, {offset, offset + ByteCount{bytes.size()}});
    at(file).contents.put(offset, bytes);
}

void FusePredictor::write_fault(FileNumber file, MapNumber map, ByteRange range) {
    if (range.empty()) {
        return;
    }
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        fetch(at(file), index);
        Page& page = at(file).pages[index];
        page.present |= bit(map);
        page.writable |= bit(map);
        page.dirty = true;
    }
}

void FusePredictor::read_fault(FileNumber file, MapNumber map, ByteRange range) {
    if (range.empty()) {
        return;
    }
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        fetch(at(file), index);
        at(file).pages[index].present |= bit(map);
    }
}

/// zap_pte_range: a page whose PTE was dirty is PG_dirty already, so nobody hears of it.
void FusePredictor::drop_ptes(FileNumber file, MapNumber map, ByteRange range) {
    if (range.empty()) {
        return;
    }
    auto& pages = at(file).pages;
    const auto end = pages.upper_bound(range.last_page());
    for (auto found = pages.lower_bound(range.first_page()); found != end; ++found) {
        found->second.present &= ~bit(map);
        found->second.writable &= ~bit(map);
    }
}

/// fuse_vma_close: write_inode_now, all of the inode.
void FusePredictor::unmap(FileNumber file, MapNumber map) {
    drop_ptes(file, map, kWholeFile);
    write_back(at(file), kWholeFile);
}

/// The child closes every mapping and every descriptor that it has inherited, and each of them
/// writes its inode back (fuse_vma_close, fuse_flush).
void FusePredictor::child_exits(FileNumber file, MapNumber map) {
    drop_ptes(file, map, kWholeFile);
    for (File& open : files_) {
        write_back(open, kWholeFile);
    }
}

/// clear_page_dirty_for_io and fuse_writepages, in ascending order.
void FusePredictor::write_back(File& file, ByteRange range) {
    if (range.empty()) {
        return;
    }
    const auto end = file.pages.upper_bound(range.last_page());
    for (auto found = file.pages.lower_bound(range.first_page()); found != end; ++found) {
        Page& page = found->second;
        if (page.dirty) {
            page.dirty = false;
            page.writable = 0;
            daemon_writepage(file, found->first, page);
        }
    }
}

void FusePredictor::drop_page(File& file, PageIndex index, Page& page) {
    file.contents.evict(index);
    page.cached = page.uptodate = false;
    page.present = page.writable = 0;
}

/// fuse_perform_write: sent at once; PG_dirty stays as it is.
void FusePredictor::write(FileNumber file, ByteOffset offset, std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return;
    }
    File& target = at(file);
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        Page& page = target.pages[index];
        page.cached = true;
        page.uptodate = page.uptodate || intersect(range, range_of(index)) == range_of(index);
    }
    learn_allocation(target, range);
    for (const PageIndex index : {range.first_page(), range.last_page()}) {
        if (ext3() && intersect(range, range_of(index)) != range_of(index) &&
            target.blocks.page(index).mapped.empty()) {
            target.partial.insert(index);
        }
    }
    const bool grows = range.end > target.contents.size();
    target.contents.grow(range.end);
    target.contents.put(offset, bytes);
    target.contents.buffer(range);
    if (target.blocks.explicit_write(range) || grows) {
        target.inode_dirty = InodeDirty::yes;
    }
    touch_mtime(target);
}

/// fuse_do_setattr: after the daemon's answer, truncate_pagecache, and invalidate_inode_pages2 of
/// what is left, which writes dirty pages back and drops them all.
void FusePredictor::truncate(FileNumber file, ByteOffset size) {
    File& target = at(file);
    const ByteOffset before = target.contents.size();
    target.inode_dirty = InodeDirty::yes;
    if (size == before) {
        return;
    }
    const bool growth_pending = before != target.backing_size;
    const bool on_disk = size < before ? target.backing_size >= size : !growth_pending;
    const bool straddles = ext3() && size < before && size.value % block_size_.bytes() != 0;
    if (straddles) {
        learn_allocation(target, {size, ByteOffset{size.value + 1}});
    }
    if (on_disk) {
        target.backing_size = size;
    }
    const PageIndex first_gone{(size.value + model::kPageSize - 1) / model::kPageSize};
    if (size < before) {
        const BlockMask straddling =
            block_size_.touched(page_of(size), {size, ByteOffset{size.value + 1}});
        target.blocks.truncate(
            size, straddles && !(target.blocks.page(page_of(size)).allocated & straddling).empty());
        target.partial.erase(target.partial.lower_bound(first_gone), target.partial.end());
        target.backed.erase(target.backed.lower_bound(first_gone), target.backed.end());
        target.pages.erase(target.pages.lower_bound(first_gone), target.pages.end());
        target.contents.shrink(size);
        // ftruncate of the backing file zeroes its tail as well.
        target.contents.zero_disk({size, range_of(page_of(size)).end});
    } else {
        target.contents.grow(size);
        target.sparse = true;
    }
    write_back(target, kWholeFile);
    for (auto& [index, page] : target.pages) {
        drop_page(target, index, page);
    }
    if (!on_disk || target.mtime_held) {
        touch_mtime(target);
    }
}

/// fuse_file_fallocate: everything from the range on is written back (fuse_writeback_range); the
/// range is punched, and dropped from the page cache.
void FusePredictor::punch(FileNumber file, ByteRange range) {
    File& target = at(file);
    write_back(target, {range.begin, kWholeFile.end});
    const ByteRange inside = intersect(range, {ByteOffset{0}, target.contents.size()});
    target.blocks.punch(range);
    target.sparse = true;
    target.inode_dirty = InodeDirty::yes;
    if (inside.empty()) {
        return;
    }
    target.contents.unbuffer(inside);
    target.contents.zero(inside);
    target.contents.zero_disk(inside);
    for (PageIndex index = inside.first_page(); index <= inside.last_page(); ++index) {
        const bool whole = intersect(inside, range_of(index)) ==
                           intersect(range_of(index), {ByteOffset{0}, target.contents.size()});
        const auto found = target.pages.find(index);
        if (whole) {
            target.backed.erase(index);
        }
        if (whole && found != target.pages.end()) {
            drop_page(target, index, found->second);
        }
    }
    if (target.mtime_held) {
        touch_mtime(target);
    }
}

void FusePredictor::touch_inode(FileNumber file) {
    at(file).inode_dirty = InodeDirty::yes;
}

void FusePredictor::fsync(FileNumber file, std::optional<bool> commits) {
    write_back(at(file), kWholeFile);
    daemon_fsync(at(file), commits);
}

/// Today's msync writes back the range only.
void FusePredictor::msync(FileNumber file, std::optional<MapNumber>, ByteRange range,
                          std::optional<bool> commits) {
    write_back(at(file), range);
    daemon_fsync(at(file), commits);
}

void FusePredictor::msync_async(FileNumber, std::optional<MapNumber>, ByteRange) {}

void FusePredictor::sync_file_range(FileNumber file, ByteRange range, SyncRangeFlags flags) {
    if (flags.write) {
        write_back(at(file), range);
    }
}

void FusePredictor::sync() {
    for (File& file : files_) {
        write_back(file, kWholeFile);
    }
}

void FusePredictor::cached_read(FileNumber file, ByteRange range) {
    const ByteRange inside = intersect(range, {ByteOffset{0}, at(file).contents.size()});
    if (inside.empty()) {
        return;
    }
    for (PageIndex index = inside.first_page(); index <= inside.last_page(); ++index) {
        fetch(at(file), index);
    }
}

/// kiocb_write_and_wait of the range, then fuse_flush at close: all of the inode.
void FusePredictor::direct_read(FileNumber file, ByteRange) {
    write_back(at(file), kWholeFile);
}

bool FusePredictor::evict(FileNumber file) {
    File& target = at(file);
    write_back(target, kWholeFile);
    bool all_gone = true;
    for (auto& [index, page] : target.pages) {
        if (page.present != 0) {
            all_gone = false;
        } else if (page.cached) {
            drop_page(target, index, page);
        }
    }
    return all_gone;
}

// --- The daemon ------------------------------------------------------------------------------

/// Under the policy ext3, a read by the page cache says that the page had left it.
void FusePredictor::daemon_read(File& file, const std::vector<PageIndex>& pages) {
    if (!ext3()) {
        return;
    }
    for (const PageIndex index : pages) {
        if (!file.blocks.generation(index)) {
            continue;
        }
        if (file.partial.erase(index) == 0 && file.blocks.page(index).dirty.empty()) {
            file.blocks.evict(index);
        }
    }
}

void FusePredictor::learn_allocation(File& file, ByteRange range) {
    const ByteRange on_disk = intersect(range, {ByteOffset{0}, file.backing_size});
    if (!ext3() || on_disk.empty()) {
        return;
    }
    for (PageIndex index = range.first_page(); index <= on_disk.last_page(); ++index) {
        if (!file.blocks.generation(index)) {
            const bool hole = file.sparse && !file.backed.contains(index);
            file.blocks.set_allocated(index, hole ? BlockMask{}
                                                  : block_size_.within(index, file.backing_size));
        }
    }
}

/// mtime is compared by the second.
void FusePredictor::touch_mtime(File& file) {
    if (ext3()) {
        file.inode_dirty = std::max(file.inode_dirty, InodeDirty::if_clock_moved);
    }
    file.mtime_held = true;
}

/// Blocks have reached the backing file: all of their bytes, or just those that write(2) brought.
void FusePredictor::written(File& file, PageIndex index, BlockMask blocks, bool whole_blocks) {
    if (blocks.empty()) {
        return;
    }
    if (whole_blocks) {
        file.contents.out(index, blocks, block_size_);
    } else {
        file.contents.out_buffered(index, blocks, block_size_);
    }
    file.backed.insert(index);
    for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            const ByteRange block = intersect(block_size_.range_of(index, BlockInPage{i}),
                                              {ByteOffset{0}, file.contents.size()});
            file.backing_size = std::max(file.backing_size, block.end);
        }
    }
}

void FusePredictor::daemon_writepage(File& file, PageIndex index, Page& page) {
    const ByteRange range = intersect(range_of(index), {ByteOffset{0}, file.contents.size()});
    if (range.empty()) {
        return;
    }
    learn_allocation(file, range);
    std::array<CommitId, 8> cleaned_by{};
    for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
        cleaned_by[i] = file.blocks.cleaned_by(index, BlockInPage{i});
    }
    const BlockMask allocated = file.blocks.page(index).allocated;
    const BlockMask stale = file.contents.stale(index, block_size_);
    const model::WriteDecision decision =
        file.blocks.writepage(index, contract_, file.contents.size());
    if (!(decision.written - allocated).empty()) {
        file.inode_dirty = InodeDirty::yes;
    }
    file.contents.unbuffer(range_of(index));
    written(file, index, decision.written, /*whole_blocks=*/true);
    for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
        if (decision.written.contains(BlockInPage{i})) {
            page.story.lost_by[i] = page.story.cleaned_by[i] = OpNumber{0};
        } else if ((decision.skipped & stale).contains(BlockInPage{i})) {
            page.story.lost_by[i] = op();
            page.story.cleaned_by[i] = OpNumber{cleaned_by[i].value};
        }
    }
    if (file.mtime_held && !decision.written.empty()) {
        touch_mtime(file);
    }
}

/// The filesystem's own writepage of what only write(2) has touched.
void FusePredictor::write_back_unmapped(File& file) {
    std::optional<PageIndex> cursor{PageIndex{0}};
    while ((cursor = file.blocks.next_unmapped_dirty(*cursor))) {
        const BlockMask allocated = file.blocks.page(*cursor).allocated;
        const model::WriteDecision decision =
            file.blocks.writepage_unmapped(*cursor, file.contents.size());
        if (!(decision.written - allocated).empty()) {
            file.inode_dirty = InodeDirty::yes;
        }
        written(file, *cursor, decision.written, /*whole_blocks=*/false);
        cursor = PageIndex{cursor->value + 1};
    }
}

void FusePredictor::daemon_fsync(File& file, std::optional<bool> commits) {
    bool commit_needed = true;
    if (ext3()) {
        write_back_unmapped(file);
        if (!commits && file.inode_dirty == InodeDirty::if_clock_moved) {
            note_doubt("operation " + std::to_string(op().value) +
                       ": commits only if the last write(2) came a second after the one before; "
                       "taken so (fchmod before fsync makes it certain)");
        }
        commit_needed = commits.value_or(file.inode_dirty != InodeDirty::no);
        file.inode_dirty = InodeDirty::no;
    }
    if (commit_needed) {
        commit();
    } else {
        let_metadata_through(file);
    }
}

void FusePredictor::commit() {
    for (File& file : files_) {
        for (auto& [index, page] : file.pages) {
            if (page.dirty && start_of(index) < file.contents.size()) { // the probe finds it
                if (!file.blocks.generation(index)) {
                    learn_allocation(file, range_of(index));
                }
                file.blocks.learn_dirty(index);
            }
        }
    }
    for (File& file : files_) {
        flush(file);
        let_metadata_through(file);
    }
}

void FusePredictor::flush(File& file) {
    std::optional<PageIndex> cursor{PageIndex{0}};
    while ((cursor = file.blocks.next_flushable(*cursor, policy_, file.contents.size()))) {
        const bool told = file.blocks.page(*cursor).told;
        if (told && !file.pages[*cursor].dirty) {
            // The kernel has dropped the page without a word.
            file.blocks.forget_told(*cursor, file.contents.buffered(*cursor, block_size_));
            continue;
        }
        const BlockMask blocks =
            file.blocks.flush(*cursor, policy_, file.contents.size(), commit_of(op()));
        written(file, *cursor, blocks, told);
        cursor = PageIndex{cursor->value + 1};
    }
    if (!ext3()) {
        file.blocks.forget_idle();
    }
}

void FusePredictor::let_metadata_through(File& file) {
    if (file.backing_size < file.contents.size()) {
        const ByteOffset covered =
            file.contents.first_buffered(file.backing_size).value_or(file.contents.size());
        if (covered > file.backing_size) {
            file.backing_size = covered;
            file.sparse = true;
        }
    }
    if (!file.contents.first_buffered(ByteOffset{0}) && file.backing_size == file.contents.size()) {
        file.mtime_held = false;
    }
}

std::vector<Damage> FusePredictor::damage() const {
    return damage_list(files_, block_size_);
}

} // namespace vmmodel
