#include "tools/vmmodel/predict/fuse_predictor.hpp"

#include "tools/vmmodel/predict/damage_list.hpp"

#include <algorithm>

namespace vmmodel {

namespace model = partialfs::model;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

/// How many pages around a fault the kernel reads at once (128 KiB), a half of them before it.
constexpr std::uint64_t kReadAround = 32;

} // namespace

FileNumber FusePredictor::create(ByteOffset size) {
    files_.emplace_back(size, block_size_);
    return FileNumber{static_cast<std::uint32_t>(files_.size() - 1)};
}

ByteOffset FusePredictor::size(FileNumber file) const {
    return at(file).contents.size();
}

std::vector<std::byte> FusePredictor::read(FileNumber file, ByteRange range) const {
    return at(file).contents.read(range);
}

/// filemap_fault: a page that is not cached is read, with those around it that are not cached.
void FusePredictor::fetch(FuseFile& file, PageIndex index) {
    const FuseFile::Page& page = file.pages[index];
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
    daemon_.read(file, fetched);
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
        FuseFile::Page& page = at(file).pages[index];
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

/// zap_pte_range: a page whose PTE was dirty is PG_dirty already, so nothing is reported.
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
    for (FuseFile& open : files_) {
        write_back(open, kWholeFile);
    }
}

/// clear_page_dirty_for_io and fuse_writepages, in ascending order.
void FusePredictor::write_back(FuseFile& file, ByteRange range) {
    if (range.empty()) {
        return;
    }
    const auto end = file.pages.upper_bound(range.last_page());
    for (auto found = file.pages.lower_bound(range.first_page()); found != end; ++found) {
        FuseFile::Page& page = found->second;
        if (page.dirty) {
            page.dirty = false;
            page.writable = 0;
            daemon_.writepage(file, found->first, page, op());
        }
    }
}

void FusePredictor::drop_page(FuseFile& file, PageIndex index, FuseFile::Page& page) {
    file.contents.evict(index);
    page.cached = page.uptodate = false;
    page.present = page.writable = 0;
}

/// fuse_perform_write: sent at once; PG_dirty stays as it is.
void FusePredictor::write(FileNumber file, ByteOffset offset, std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return;
    }
    FuseFile& target = at(file);
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        FuseFile::Page& page = target.pages[index];
        page.cached = true;
        page.uptodate = page.uptodate || intersect(range, range_of(index)) == range_of(index);
    }
    target.contents.grow(range.end);
    target.contents.put(offset, bytes);
    daemon_.write(target, range);
}

/// fuse_do_setattr: after the daemon's answer, truncate_pagecache, and invalidate_inode_pages2 of
/// what is left, which writes dirty pages back and drops them all.
void FusePredictor::truncate(FileNumber file, ByteOffset size) {
    FuseFile& target = at(file);
    const ByteOffset before = target.contents.size();
    target.state.attributes_changed();
    if (size == before) {
        return;
    }
    const bool on_disk = daemon_.truncate(target, size);
    if (size < before) {
        const PageIndex first_gone{(size.value + model::kPageSize - 1) / model::kPageSize};
        target.pages.erase(target.pages.lower_bound(first_gone), target.pages.end());
        target.contents.shrink(size);
        // ftruncate of the backing file zeroes its tail as well.
        target.contents.zero_disk({size, range_of(page_of(size)).end});
    } else {
        target.contents.grow(size);
    }
    write_back(target, kWholeFile);
    for (auto& [index, page] : target.pages) {
        drop_page(target, index, page);
    }
    if (!on_disk || target.mtime_held) {
        daemon_.touch_mtime(target);
    }
}

/// fuse_file_fallocate: everything from the range on is written back (fuse_writeback_range); the
/// range is punched, and dropped from the page cache.
void FusePredictor::punch(FileNumber file, ByteRange range) {
    FuseFile& target = at(file);
    write_back(target, {range.begin, kWholeFile.end});
    daemon_.punch(target, range);
    const ByteRange within{ByteOffset{0}, target.contents.size()};
    const ByteRange inside = intersect(range, within);
    if (inside.empty()) {
        return;
    }
    target.contents.zero(inside);
    for (PageIndex index = inside.first_page(); index <= inside.last_page(); ++index) {
        const bool whole = intersect(inside, range_of(index)) == intersect(range_of(index), within);
        const auto found = target.pages.find(index);
        if (whole && found != target.pages.end()) {
            drop_page(target, index, found->second);
        }
    }
}

void FusePredictor::touch_inode(FileNumber file) {
    at(file).state.attributes_changed();
}

void FusePredictor::fsync(FileNumber file, std::optional<bool> commits) {
    write_back(at(file), kWholeFile);
    daemon_fsync(at(file), commits);
}

/// Since Linux 3.16 msync writes back only its range.
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
    for (FuseFile& file : files_) {
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
    FuseFile& target = at(file);
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

/// FUSE_FSYNC.
void FusePredictor::daemon_fsync(FuseFile& file, std::optional<bool> commits) {
    bool commit_needed = true;
    if (daemon_.policy() != model::FlushPolicy::eager) {
        daemon_.write_back_unmapped(file);
        const InodeDirty dirty = file.state.take_inode_dirty();
        commit_needed = daemon_.policy() == model::FlushPolicy::ext3 && will_commit(dirty, commits);
    }
    if (commit_needed) {
        commit();
    } else {
        FuseDaemon::let_metadata_through(file);
    }
}

/// Under the policy writeback an fsync commits nothing: that of the commit's new file writes just
/// that file.
void FusePredictor::commit() {
    if (daemon_.policy() != model::FlushPolicy::writeback) {
        daemon_.commit(files_, op());
    }
}

std::vector<Damage> FusePredictor::damage() const {
    return damage_list(files_, block_size_);
}

} // namespace vmmodel
