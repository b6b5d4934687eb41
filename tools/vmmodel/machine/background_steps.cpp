#include "tools/vmmodel/machine/background_steps.hpp"

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;
using model::PageState;

void BackgroundSteps::commit_start() {
    if (!m_.filesystem().flushes || !may(Event::commit)) {
        return;
    }
    bool any = false;
    for (int page = 0; page < m_.bounds().pages; ++page) {
        const PageCell& cell = s_.pages[at(page)];
        if (!cell.committing.empty()) {
            return; // one commit at a time
        }
        any |= !flush_candidates(cell).empty();
    }
    if (!any) {
        return; // nothing to write: it changes nothing
    }
    State& state = add(Step::commit_start, Who::kjournald);
    for (int page = 0; page < m_.bounds().pages; ++page) {
        PageCell& cell = state.pages[at(page)];
        cell.committing = flush_candidates(cell);
        cell.fs.ordered = BlockMask{};
    }
    spend(state, Event::commit);
}

BlockMask BackgroundSteps::flush_candidates(const PageCell& cell) const {
    return m_.filesystem().flushes.value_or(model::FlushPolicy::eager) == model::FlushPolicy::ext3
               ? cell.fs.ordered
               : cell.fs.dirty & m_.within_eof();
}

void BackgroundSteps::kjournald_page(int page) {
    const PageCell& cell = s_.pages[at(page)];
    for (int block = 0; block < m_.bounds().blocks; ++block) {
        const BlockMask buffer = one(block);
        if ((cell.committing & buffer).empty() || !(cell.io & buffer).empty()) {
            continue; // lock_buffer waits
        }
        State& state = add(Step::submit_data_buffer, Who::kjournald, page, block);
        PageCell& flushed = state.pages[at(page)];
        flushed.committing -= buffer;
        if (!forgets(Step::submit_data_buffer)) {
            flush(flushed, buffer);
        }
    }
}

/// One buffer of the committing transaction, decided upon as if it were the only one.
void BackgroundSteps::flush(PageCell& cell, BlockMask buffer) const {
    PageState single = cell.fs;
    single.dirty &= buffer;
    single.ordered = buffer;
    const BlockMask written = ordered_flush(
        single, m_.filesystem().flushes.value_or(model::FlushPolicy::eager), m_.within_eof());
    cell.fs.dirty -= written;
    cell.fs.mapped |= single.mapped & buffer;
    cell.fs.allocated |= single.allocated;
    submit(cell, written);
    tidy(cell);
}

void BackgroundSteps::disk(int page) {
    const PageCell& cell = s_.pages[at(page)];
    if (cell.io.empty() && !cell.writeback) {
        return;
    }
    State& state = add(Step::end_io, Who::disk, page);
    state.pages[at(page)].io = BlockMask{};
    state.pages[at(page)].unsettled = BlockMask{};
    state.pages[at(page)].writeback = 0;
}

void BackgroundSteps::reclaim(int page) {
    const PageCell& cell = s_.pages[at(page)];
    if (!cell.cached || locked(page) || cell.writeback) {
        return;
    }
    bool mapped = false;
    for (int process = 0; process < m_.bounds().processes; ++process) {
        if (cell.pte[at(process)].present()) {
            mapped = true;
            try_to_unmap(process, page);
        }
    }
    if (!cell.io.empty() || !cell.fs.dirty.empty()) {
        return; // drop_buffers: a buffer is busy
    }
    if (may(Event::strip) && !m_.filesystem().is_block_device) { // which has no buffer heads
        strip(page);
    }
    if (!mapped && !cell.fs.page_dirty && !referenced(page) && cell.committing.empty()) {
        evict(page);
    }
}

/// try_to_unmap_one: one step, as it holds the page lock and the page table lock.
void BackgroundSteps::try_to_unmap(int process, int page) {
    State& state = add(Step::try_to_unmap, Who::reclaim, page, process);
    PageCell& cell = state.pages[at(page)];
    Pte& pte = cell.pte[at(process)];
    if (pte.dirty() && !forgets(Step::try_to_unmap)) {
        dirty_buffers(cell);
        dirty_flag(cell);
    }
    pte = Pte{};
}

void BackgroundSteps::evict(int page) {
    State& state = add(Step::evict, Who::reclaim, page);
    PageCell& cell = state.pages[at(page)];
    for (int block = 0; block < m_.bounds().blocks; ++block) {
        if (cell.memory(block) != cell.disk(block)) {
            harm(Harm::lost);
        }
        cell.set(block, cell.disk(block), cell.disk(block));
    }
    model::evict(cell.fs);
    cell.cached = 0;
}

/// Too many buffer heads: clean ones are freed, and the page is taken for clean as well. Only
/// 2.6.19 cleans the PTEs on the way (test_clear_page_dirty); 2.6.20 leaves them dirty.
void BackgroundSteps::strip(int page) {
    State& state = add(Step::strip, Who::reclaim, page);
    PageCell& cell = state.pages[at(page)];
    spend(state, Event::strip);
    if (cell.fs.page_dirty && m_.era().tracks_shared_dirty && !m_.era().tells_filesystem) {
        for (Pte& pte : cell.pte) {
            pte.bits = static_cast<std::uint8_t>(pte.bits & Pte::kPresent);
        }
    }
    model::evict(cell.fs);
    cell.committing = BlockMask{};
}

} // namespace vmmodel
