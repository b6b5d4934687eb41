#include "tools/vmmodel/predict/fuse_daemon.hpp"

#include <optional>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockInPage;
using model::BlockMask;
using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::FileState;
using model::FlushPolicy;
using model::PageIndex;

void FuseDaemon::read(FuseFile& file, const std::vector<PageIndex>& pages) const {
    for (const PageIndex page : pages) {
        file.state.pages_read(range_of(page), policy_, contract_);
    }
}

void FuseDaemon::write(FuseFile& file, ByteRange range) const {
    learn_allocation(file, range);
    file.contents.buffer(range);
    file.state.write(range, contract_);
    touch_mtime(file);
}

bool FuseDaemon::truncate(FuseFile& file, ByteOffset size) const {
    const FileState::Truncation plan = file.state.plan_truncate(size, policy_);
    if (plan.straddles) {
        learn_allocation(file, {size, ByteOffset{size.value + 1}});
    }
    if (size < file.state.size()) {
        const PageIndex first_gone{(size.value + model::kPageSize - 1) / model::kPageSize};
        file.backed.erase(file.backed.lower_bound(first_gone), file.backed.end());
    }
    file.state.truncate(size, plan);
    return plan.on_disk;
}

void FuseDaemon::punch(FuseFile& file, ByteRange range) const {
    const ByteRange within = file.state.within_size();
    const ByteRange inside = intersect(range, within);
    file.state.punch(range);
    if (inside.empty()) {
        return;
    }
    file.contents.unbuffer(inside);
    file.contents.zero_disk(inside);
    for (const PageIndex page : pages_of(inside)) {
        if (intersect(inside, range_of(page)) == intersect(range_of(page), within)) {
            file.backed.erase(page);
        }
    }
    if (file.mtime_held) {
        touch_mtime(file);
    }
}

void FuseDaemon::learn_allocation(FuseFile& file, ByteRange range) const {
    file.state.learn_allocation(range, policy_,
                                [&](PageIndex page) { return file.backed.contains(page); });
}

/// The inode is dirty only if mtime changes, which has a granularity of one second.
void FuseDaemon::touch_mtime(FuseFile& file) const {
    if (policy_ == FlushPolicy::ext3) {
        file.state.data_changed(InodeDirty::if_clock_moved);
    }
    file.mtime_held = true;
}

/// Blocks have reached the backing file: with all of their bytes, or only with those of write(2)s.
void FuseDaemon::written(FuseFile& file, PageIndex page, BlockMask blocks,
                         bool whole_blocks) const {
    if (blocks.empty()) {
        return;
    }
    if (whole_blocks) {
        file.contents.out(page, blocks, block_size_);
    } else {
        file.contents.out_buffered(page, blocks, block_size_);
    }
    file.backed.insert(page);
    for (const BlockInPage block : blocks) {
        file.state.reached_disk(
            intersect(block_size_.range_of(page, block), file.state.within_size()).end);
    }
}

void FuseDaemon::writepage(FuseFile& file, PageIndex index, FuseFile::Page& page,
                           OpNumber op) const {
    const ByteRange range = intersect(range_of(index), file.state.within_size());
    if (range.empty()) {
        return;
    }
    learn_allocation(file, range);
    const BlockMask stale = file.contents.stale(index, block_size_);
    const auto [decision, cleaned_by] = file.state.writepage(index, contract_);
    file.contents.unbuffer(range_of(index));
    written(file, index, decision.written, /*whole_blocks=*/true);
    for (const BlockInPage block : decision.written) {
        page.story.lost_by[block.value] = page.story.cleaned_by[block.value] = OpNumber{0};
    }
    for (const BlockInPage block : decision.skipped& stale) {
        page.story.lost_by[block.value] = op;
        page.story.cleaned_by[block.value] = OpNumber{cleaned_by[block.value].value};
    }
    if (file.mtime_held && !decision.written.empty()) {
        touch_mtime(file);
    }
}

/// The filesystem's own writepage of blocks that only write(2) has touched.
void FuseDaemon::write_back_unmapped(FuseFile& file) const {
    std::optional<PageIndex> cursor{PageIndex{0}};
    while ((cursor = file.state.blocks().next_unmapped_dirty(*cursor))) {
        written(file, *cursor, file.state.writepage_unmapped(*cursor, contract_).written,
                /*whole_blocks=*/false);
        cursor = PageIndex{cursor->value + 1};
    }
}

void FuseDaemon::commit(std::span<FuseFile> files, OpNumber op) const {
    for (FuseFile& file : files) {
        for (auto& [index, page] : file.pages) {
            if (page.dirty && start_of(index) < file.state.size() &&
                file.state.must_know(index, policy_)) { // the probe finds it
                learn_allocation(file, range_of(index));
                file.state.learn_dirty(index);
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
    while ((cursor = file.state.next_flushable(*cursor, policy_))) {
        const bool told = file.state.blocks().page(*cursor).told;
        if (told && !file.pages[*cursor].dirty) {
            // The kernel has dropped the page without a request to the daemon.
            file.state.forget_told(*cursor, file.contents.buffered(*cursor, block_size_));
            continue;
        }
        const BlockMask blocks = file.state.flush(*cursor, policy_, CommitId{op.value});
        written(file, *cursor, blocks, told);
        cursor = PageIndex{cursor->value + 1};
    }
    file.state.forget_idle(policy_);
}

void FuseDaemon::let_metadata_through(FuseFile& file) {
    if (const auto size = file.state.size_to_let_through(
            file.contents.first_buffered(file.state.backing_size()))) {
        file.state.size_let_through(*size);
    }
    if (!file.contents.first_buffered(ByteOffset{0}) &&
        file.state.backing_size() == file.state.size()) {
        file.mtime_held = false;
    }
}

} // namespace vmmodel
