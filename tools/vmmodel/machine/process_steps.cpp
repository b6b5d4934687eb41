#include "tools/vmmodel/machine/process_steps.hpp"

#include "tools/vmmodel/machine/sync_steps.hpp"
#include "tools/vmmodel/machine/writepage_steps.hpp"
#include "tools/vmmodel/page_rule.hpp"

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;

void ProcessSteps::go_on(int process) {
    const Actor& actor = s_.processes[at(process)].actor;
    const Who who = who_of(process);
    const int page = actor.page;
    switch (actor.at) {
    case At::idle:
        idle(process);
        break;
    case At::fault_wait:
        if (!locked(page) || forgets(Step::wait_on_page_locked)) {
            actor_of(add(Step::wait_on_page_locked, who, page), who).at =
                set_page_dirty_from(At::fault_buffers, At::fault_flag);
        }
        break;
    case At::fault_buffers:
        set_dirty_step(who, page, Step::dirty_buffers, At::fault_flag);
        break;
    case At::fault_flag:
        set_dirty_step(who, page, Step::dirty_flag, At::store_retry);
        break;
    case At::store_retry:
        store(process, page, actor.block, /*counts=*/false);
        break;
    case At::write_commit:
        write_commit(process);
        break;
    case At::zap_buffers:
        set_dirty_step(who, page, Step::dirty_buffers, At::zap_flag);
        break;
    case At::zap_flag:
        finish(set_dirty_step(who, page, Step::dirty_flag, At::idle), who);
        break;
    case At::sync_next:
        SyncSteps(m_, s_, out_).go_on(process);
        break;
    default:
        WritepageSteps(m_, s_, out_).go_on(who, actor);
        break;
    }
}

void ProcessSteps::idle(int process) {
    for (int page = 0; page < m_.bounds().pages; ++page) {
        for (int block = 0; block < m_.bounds().blocks; ++block) {
            if (may(Event::store)) {
                store(process, page, block, /*counts=*/true);
            }
            if (may(Event::write)) {
                write_copy(process, page, block);
            }
        }
        if (may(Event::unmap) && s_.pages[at(page)].pte[at(process)].present()) {
            zap(process, page);
        }
        if (may(Event::truncate)) {
            truncate(process, page);
        }
    }
    if (may(Event::fsync)) {
        SyncSteps(m_, s_, out_).begin(process, Event::fsync);
    }
    if (may(Event::msync)) {
        SyncSteps(m_, s_, out_).begin(process, Event::msync);
    }
}

/// The store instruction: it changes memory if the PTE is writable, else it faults, and will be
/// tried again. Counted the first time.
void ProcessSteps::store(int process, int page, int block, bool counts) {
    const PageCell& cell = s_.pages[at(page)];
    const Who who = who_of(process);
    if (cell.pte[at(process)].writable()) {
        State& state = add(Step::store, who, page, block);
        PageCell& changed = state.pages[at(page)];
        changed.set(block, changed.memory(block) + 1, changed.disk(block));
        changed.pte[at(process)].bits |= Pte::kDirty;
        if (counts) {
            spend(state, Event::store);
        }
        finish(state, who);
        return;
    }
    const bool present = cell.pte[at(process)].present();
    if (!cell.cached && locked(page)) {
        return; // the page is being read or written: filemap_nopage waits for its lock
    }
    if (!present && m_.era().fault_locks_page && locked(page)) {
        return; // from 2.6.23 on, the PTE is installed under the page lock
    }
    const Step step = present ? Step::do_wp_page : Step::do_no_page;
    State& state = add(step, who, page, block);
    if (counts) {
        spend(state, Event::store);
    }
    PageCell& faulted = state.pages[at(page)];
    if (!cell.cached) { // read in: memory has the disk's version since eviction
        page_rule::read(m_.filesystem(), faulted.fs);
        faulted.cached = 1;
    }
    if (!forgets(step)) {
        faulted.pte[at(process)].bits = Pte::kPresent | Pte::kWritable | Pte::kDirty;
    }
    At next = set_page_dirty_from(At::fault_buffers, At::fault_flag);
    if (!m_.era().tracks_shared_dirty) {
        next = At::store_retry;
    } else if (m_.era().fault_locks_page && present) {
        next = At::fault_wait;
    }
    actor_of(state, who) = {next, static_cast<std::uint8_t>(page), static_cast<std::uint8_t>(block),
                            0};
}

/// write(2), with the page locked: bytes first, then ->commit_write.
void ProcessSteps::write_copy(int process, int page, int block) {
    if (locked(page)) {
        return;
    }
    const Who who = who_of(process);
    State& state = add(Step::write_copy, who, page, block);
    PageCell& cell = state.pages[at(page)];
    cell.cached = 1;
    cell.set(block, cell.memory(block) + 1, cell.disk(block));
    spend(state, Event::write);
    actor_of(state, who) = {At::write_commit, static_cast<std::uint8_t>(page),
                            static_cast<std::uint8_t>(block), 0};
}

void ProcessSteps::write_commit(int process) {
    const Actor& actor = s_.processes[at(process)].actor;
    const int page = actor.page;
    const BlockMask touched = one(actor.block);
    if (!(s_.pages[at(page)].committing & touched).empty()) {
        return; // journal_dirty_data: the committing transaction has it written first
    }
    const Who who = who_of(process);
    State& state = add(Step::write_commit, who, page, actor.block);
    if (!forgets(Step::write_commit)) {
        PageCell& cell = state.pages[at(page)];
        const bool whole = m_.block_size().per_page() == 1;
        page_rule::write(m_.filesystem(), cell.fs, touched, whole, m_.block_size());
        tidy(cell);
    }
    finish(state, who);
}

/// munmap (or exit, or madvise): the PTE is cleared, its dirty bit kept in a local variable.
void ProcessSteps::zap(int process, int page) {
    const Who who = who_of(process);
    State& state = add(Step::zap_pte, who, page, process);
    Pte& pte = state.pages[at(page)].pte[at(process)];
    const bool dirty = pte.dirty();
    pte = Pte{};
    spend(state, Event::unmap);
    if (dirty && !forgets(Step::zap_pte)) {
        actor_of(state, who) = {set_page_dirty_from(At::zap_buffers, At::zap_flag),
                                static_cast<std::uint8_t>(page), 0, 0};
    }
}

/// The file is cut off before the page's last block and made as long as before: that block's
/// buffer loses all state while PG_dirty and the PTEs stay.
void ProcessSteps::truncate(int process, int page) {
    if (m_.filesystem().is_block_device) {
        return; // its size is fixed
    }
    if (locked(page) || page != m_.bounds().pages - 1 || s_.pages[at(page)].writeback) {
        return;
    }
    const int block = m_.bounds().blocks - 1;
    const BlockMask cut = one(block);
    if (block == 0 || !((s_.pages[at(page)].io | s_.pages[at(page)].committing) & cut).empty()) {
        return; // cutting off all of the page would also unmap it, which is not modelled
    }
    State& state = add(Step::truncate, who_of(process), page, block);
    PageCell& cell = state.pages[at(page)];
    if (!forgets(Step::truncate)) {
        truncate_inside(cell.fs, m_.within_eof() - cut, BlockMask{});
    }
    // Zeros, in memory and, as a hole, on disk.
    const unsigned version = cell.memory(block) + 1;
    cell.set(block, version, version);
    for (Process& syncing : state.processes) {
        if (syncing.owes(page, block) != 0) {
            syncing.owe(page, block, 0);
        }
    }
    spend(state, Event::truncate);
}

} // namespace vmmodel
