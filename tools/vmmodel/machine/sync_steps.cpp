#include "tools/vmmodel/machine/sync_steps.hpp"

#include "tools/vmmodel/machine/writepage_steps.hpp"

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;

void SyncSteps::begin(int process, Event event) {
    const Who who = who_of(process);
    const bool msync = event == Event::msync;
    State& state = add(msync ? Step::msync : Step::fsync, who);
    Process& syncing = state.processes[at(process)];
    const unsigned pages = (1U << static_cast<unsigned>(m_.bounds().pages)) - 1;
    for (int page = 0; page < m_.bounds().pages; ++page) {
        PageCell& cell = state.pages[at(page)];
        // Before 2.6.19, msync does not cover what another process has stored and not msynced.
        const bool foreign = msync && !m_.era().tracks_shared_dirty &&
                             (cell.pte[at(1 - process)].dirty() || zapping(1 - process, page));
        for (int block = 0; block < m_.bounds().blocks && !foreign; ++block) {
            // A write(2) that is still under way is not owed yet.
            const unsigned under_way = writing(1 - process, page, block) ? 1 : 0;
            syncing.owe(page, block, cell.memory(block) - under_way);
        }
        if (msync && !m_.era().tracks_shared_dirty) {
            collect_dirty_bit(cell, process);
        }
    }
    syncing.actor = {At::sync_next, 0, 0,
                     static_cast<std::uint8_t>((pages << Actor::kPagesShift) |
                                               (msync ? unsigned{Actor::kMsync} : 0U))};
    spend(state, event);
}

/// msync_pte_range: the dirty bit moves to the page, under the page table lock.
void SyncSteps::collect_dirty_bit(PageCell& cell, int process) const {
    Pte& pte = cell.pte[at(process)];
    if (pte.dirty() && !forgets(Step::msync_pte)) {
        pte.bits = static_cast<std::uint8_t>(pte.bits & ~Pte::kDirty);
        dirty_buffers(cell);
        dirty_flag(cell);
    }
}

void SyncSteps::go_on(int process) {
    const Actor& actor = s_.processes[at(process)].actor;
    const Who who = who_of(process);
    if ((actor.flags & Actor::kPages) == 0) {
        sync_return(process);
        return;
    }
    for (int page = 0; page < m_.bounds().pages; ++page) {
        const unsigned bit = 1U << (static_cast<unsigned>(page) + Actor::kPagesShift);
        if ((actor.flags & bit) == 0 || locked(page)) {
            continue;
        }
        const PageCell& cell = s_.pages[at(page)];
        const auto rest = static_cast<std::uint8_t>(actor.flags & ~bit);
        if (!cell.fs.page_dirty) {
            actor_of(add(Step::sync_skip, who, page), who).flags = rest;
        } else if (!cell.writeback) {
            WritepageSteps(m_, s_, out_).lock_page(who, page, rest);
        }
    }
}

/// Returns once nothing is under writeback any more; only then is the promise checked.
void SyncSteps::sync_return(int process) {
    for (int page = 0; page < m_.bounds().pages; ++page) {
        if (s_.pages[at(page)].writeback) {
            return;
        }
    }
    const Process& syncing = s_.processes[at(process)];
    const Who who = who_of(process);
    State& state = add(Step::sync_return, who);
    for (int page = 0; page < m_.bounds().pages; ++page) {
        const PageCell& cell = s_.pages[at(page)];
        for (int block = 0; block < m_.bounds().blocks; ++block) {
            const unsigned owed = syncing.owes(page, block);
            const bool arriving = !(cell.unsettled & one(block)).empty();
            if (cell.disk(block) < owed || (cell.disk(block) == owed && arriving)) {
                harm((syncing.actor.flags & Actor::kMsync) != 0 ? Harm::msync_not_durable
                                                                : Harm::fsync_not_durable);
            }
        }
    }
    state.processes[at(process)] = Process{};
}

} // namespace vmmodel
