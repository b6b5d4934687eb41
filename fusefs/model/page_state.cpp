#include "fusefs/model/page_state.hpp"

namespace partialfs::model {

void set_page_dirty(PageState& page, BlockSize block_size) {
    page.page_dirty = true;
    page.dirty = block_size.all();
}

bool learn_dirty(PageState& page, BlockSize block_size) {
    if (page.told) {
        return false;
    }
    page.told = true;
    set_page_dirty(page, block_size);
    return true;
}

bool explicit_write(PageState& page, BlockMask touched) {
    const bool allocated = allocates(page, touched);
    page.page_dirty = true;
    page.allocated |= touched;
    page.mapped |= touched;
    page.dirty |= touched;
    page.ordered |= touched;
    return allocated;
}

BlockMask flushable(const PageState& page, FlushPolicy policy, BlockMask within_eof) {
    const BlockMask dirty = page.dirty & within_eof;
    switch (policy) {
    case FlushPolicy::eager:
        return dirty;
    case FlushPolicy::ext3:
        return dirty & page.ordered;
    case FlushPolicy::writeback:
        break;
    }
    return BlockMask{};
}

BlockMask ordered_flush(PageState& page, FlushPolicy policy, BlockMask within_eof) {
    const BlockMask flushed = flushable(page, policy, within_eof);
    page.dirty -= flushed;
    page.ordered = BlockMask{};
    page.mapped |= flushed;
    page.allocated |= flushed;
    return flushed;
}

void clear_page_dirty_for_io(PageState& page, Contract contract, bool pte_was_dirty,
                             BlockSize block_size) {
    if (contract == Contract::linux_2_6_20 && pte_was_dirty) {
        set_page_dirty(page, block_size);
    }
    page.page_dirty = false;
    page.told = false;
}

WriteDecision writepage(PageState& page, BlockMask within_eof) {
    const WriteDecision decision{page.dirty & within_eof, within_eof - page.dirty};
    page.dirty = BlockMask{};
    page.mapped |= decision.written;
    page.allocated |= decision.written;
    page.ordered |= page.mapped;
    return decision;
}

void truncate_inside(PageState& page, BlockMask kept, BlockMask straddling) {
    page.dirty &= kept;
    page.ordered &= kept;
    page.mapped &= kept;
    page.allocated &= kept;
    if (!straddling.empty()) {
        page.page_dirty = true;
        page.mapped |= straddling;
        page.ordered |= straddling;
        page.dirty |= straddling;
    }
}

void punch(PageState& page, BlockMask punched) {
    page.dirty -= punched;
    page.ordered -= punched;
    page.mapped -= punched;
    page.allocated -= punched;
}

void evict(PageState& page) {
    const BlockMask on_disk = page.allocated;
    page = PageState{};
    page.allocated = on_disk;
}

} // namespace partialfs::model
