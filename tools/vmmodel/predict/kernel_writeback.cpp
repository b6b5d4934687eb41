// KernelPredictor's way to the disk: commits, ->writepage and the calls that lead to it.
#include "tools/vmmodel/page_rule.hpp"
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/reiserfs_list.hpp"

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockInPage;
using model::BlockMask;
using model::ByteRange;
using model::PageIndex;

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

void KernelPredictor::out(File& file, PageIndex index, Page& page, BlockMask blocks) const {
    file.contents.out(index, blocks, block_size_);
    for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            page.disk_op[i] = page.memory_op[i];
        }
    }
}

void KernelPredictor::writepage(File& file, PageIndex index, Page& page) {
    if (!page.state.page_dirty) {
        return; // not tagged dirty: writeback does not visit the page, whatever the PTEs say
    }
    const BlockMask within = block_size_.within(index, file.contents.size());
    page_rule::clear_dirty_for_io(era_, filesystem_, page.state, page.dirty != 0, block_size_);
    if (era_.tracks_shared_dirty) {
        page.dirty = 0; // page_mkclean
    }
    file.contents.zero_tail(index);
    const BlockMask lost = file.contents.stale(index, block_size_);
    if (allocates(page.state, page.state.dirty & within)) {
        file.inode_dirty = InodeDirty::yes;
    }
    const BlockMask ordered =
        page.state.ordered | joined_by_writepage(page.state, page.state.dirty & within);
    const model::WriteDecision decision =
        page_rule::write_back(filesystem_, page.state, within, block_size_);
    if (filesystem_.list == OrderedList::reiserfs) {
        page.state.ordered = ordered;
    }
    out(file, index, page, decision.written);
    note(page.story.lost_by, decision.written, OpNumber{0});
    note(page.story.cleaned_by, decision.written, OpNumber{0});
    note(page.story.lost_by, decision.skipped & lost, op());
}

void KernelPredictor::writepages(File& file, ByteRange range) {
    each_page(file, range, [&](PageIndex index, Page& page) { writepage(file, index, page); });
}

void KernelPredictor::write_and_wait(File& file, ByteRange range) {
    writepages(file, range);
    each_page(file, range, [](PageIndex, Page& page) { page.under_writeback = false; });
}

/// A block device has nothing to commit, whatever the clock says.
void KernelPredictor::commit_if(File& file, std::optional<bool> commits) {
    if (!filesystem_.is_block_device && will_commit(file.inode_dirty, commits)) {
        file.inode_dirty = InodeDirty::no;
        commit();
    }
}

void KernelPredictor::fsync(FileNumber file, std::optional<bool> commits) {
    write_and_wait(at(file), kWholeFile);
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
            page_rule::set_dirty(filesystem_, page.state, block_size_);
        }
    });
}

void KernelPredictor::msync(FileNumber file, std::optional<MapNumber> map, ByteRange range,
                            std::optional<bool> commits) {
    if (era_.syncs_ranges) {
        write_and_wait(at(file), range);
        commit_if(at(file), commits);
        return;
    }
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

/// sys_sync: pages and inodes of every file, then a commit. Allocations during the first round may
/// make inodes dirty; its second round writes these.
void KernelPredictor::sync() {
    for (File& file : files_) {
        write_and_wait(file, kWholeFile);
    }
    for (File& file : files_) {
        file.inode_dirty = InodeDirty::no;
    }
    commit();
}

/// generic_file_direct_IO: filemap_write_and_wait of the whole file. Today's kernels call
/// kiocb_write_and_wait, of the range.
void KernelPredictor::direct_read(FileNumber file, ByteRange range) {
    if (range.begin < at(file).contents.size()) {
        writepages(at(file), era_.syncs_ranges ? range : kWholeFile);
    }
}

/// sys_fadvise64_64: filemap_flush, then invalidate_mapping_pages, which passes over dirty pages
/// and mapped ones.
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
        page.uptodate = BlockMask{};
        page.memory_op = page.disk_op;
        page.under_writeback = false;
    }
    return all_gone;
}

} // namespace vmmodel
