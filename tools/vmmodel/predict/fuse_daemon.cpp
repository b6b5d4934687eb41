#include "tools/vmmodel/predict/fuse_daemon.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockInPage;
using model::BlockMask;
using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::PageIndex;

/// Under the policy ext3, a read by the page cache says that the page had left it.
void FuseDaemon::read(FuseFile& file, const std::vector<PageIndex>& pages) const {
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

/// write(2) reaches the daemon at once.
void FuseDaemon::write(FuseFile& file, ByteRange range, ByteOffset size_before) const {
    learn_allocation(file, range);
    for (const PageIndex index : {range.first_page(), range.last_page()}) {
        if (ext3() && intersect(range, range_of(index)) != range_of(index) &&
            file.blocks.page(index).mapped.empty()) {
            file.partial.insert(index);
        }
    }
    file.contents.buffer(range);
    if (file.blocks.explicit_write(range) || range.end > size_before) {
        file.inode_dirty = InodeDirty::yes;
    }
    touch_mtime(file);
}

bool FuseDaemon::truncate(FuseFile& file, ByteOffset size) const {
    const ByteOffset before = file.contents.size();
    const bool growth_pending = before != file.backing_size;
    const bool on_disk = size < before ? file.backing_size >= size : !growth_pending;
    const bool straddles = ext3() && size < before && size.value % block_size_.bytes() != 0;
    if (straddles) {
        learn_allocation(file, {size, ByteOffset{size.value + 1}});
    }
    if (on_disk) {
        file.backing_size = size;
    }
    if (size < before) {
        const PageIndex first_gone{(size.value + model::kPageSize - 1) / model::kPageSize};
        const BlockMask straddling =
            block_size_.touched(page_of(size), {size, ByteOffset{size.value + 1}});
        file.blocks.truncate(
            size, straddles && !(file.blocks.page(page_of(size)).allocated & straddling).empty());
        file.partial.erase(file.partial.lower_bound(first_gone), file.partial.end());
        file.backed.erase(file.backed.lower_bound(first_gone), file.backed.end());
    } else {
        file.sparse = true;
    }
    return on_disk;
}

void FuseDaemon::punch(FuseFile& file, ByteRange range) const {
    const ByteRange within{ByteOffset{0}, file.contents.size()};
    const ByteRange inside = intersect(range, within);
    file.blocks.punch(range);
    file.sparse = true;
    file.inode_dirty = InodeDirty::yes;
    if (inside.empty()) {
        return;
    }
    file.contents.unbuffer(inside);
    file.contents.zero_disk(inside);
    for (PageIndex index = inside.first_page(); index <= inside.last_page(); ++index) {
        if (intersect(inside, range_of(index)) == intersect(range_of(index), within)) {
            file.backed.erase(index);
        }
    }
    if (file.mtime_held) {
        touch_mtime(file);
    }
}

void FuseDaemon::learn_allocation(FuseFile& file, ByteRange range) const {
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
void FuseDaemon::touch_mtime(FuseFile& file) const {
    if (ext3()) {
        file.inode_dirty = std::max(file.inode_dirty, InodeDirty::if_clock_moved);
    }
    file.mtime_held = true;
}

/// Blocks have reached the backing file: all of their bytes, or just those that write(2) brought.
void FuseDaemon::written(FuseFile& file, PageIndex index, BlockMask blocks,
                         bool whole_blocks) const {
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

void FuseDaemon::writepage(FuseFile& file, PageIndex index, FuseFile::Page& page,
                           OpNumber op) const {
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
            page.story.lost_by[i] = op;
            page.story.cleaned_by[i] = OpNumber{cleaned_by[i].value};
        }
    }
    if (file.mtime_held && !decision.written.empty()) {
        touch_mtime(file);
    }
}

/// The filesystem's own writepage of what only write(2) has touched.
void FuseDaemon::write_back_unmapped(FuseFile& file) const {
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

void FuseDaemon::commit(std::span<FuseFile> files, OpNumber op) const {
    for (FuseFile& file : files) {
        for (auto& [index, page] : file.pages) {
            if (page.dirty && start_of(index) < file.contents.size()) { // the probe finds it
                if (!file.blocks.generation(index)) {
                    learn_allocation(file, range_of(index));
                }
                file.blocks.learn_dirty(index);
            }
        }
    }
    for (FuseFile& file : files) {
        flush(file, op);
        let_metadata_through(file);
    }
}

void FuseDaemon::flush(FuseFile& file, OpNumber op) const {
    std::optional<PageIndex> cursor{PageIndex{0}};
    while ((cursor = file.blocks.next_flushable(*cursor, policy_, file.contents.size()))) {
        const bool told = file.blocks.page(*cursor).told;
        if (told && !file.pages[*cursor].dirty) {
            // The kernel has dropped the page without a word.
            file.blocks.forget_told(*cursor, file.contents.buffered(*cursor, block_size_));
            continue;
        }
        const BlockMask blocks = file.blocks.flush(*cursor, policy_, file.contents.size(),
                                                   CommitId{static_cast<std::uint32_t>(op.value)});
        written(file, *cursor, blocks, told);
        cursor = PageIndex{cursor->value + 1};
    }
    if (!ext3()) {
        file.blocks.forget_idle();
    }
}

void FuseDaemon::let_metadata_through(FuseFile& file) {
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

} // namespace vmmodel
