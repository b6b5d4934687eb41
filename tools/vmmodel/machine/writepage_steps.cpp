#include "tools/vmmodel/machine/writepage_steps.hpp"

#include "tools/vmmodel/page_rule.hpp"

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;

void WritepageSteps::writeback() {
    const Actor& actor = s_.writeback;
    if (actor.at != At::idle) {
        go_on(Who::writeback, actor);
        return;
    }
    if (!may(Event::writepage)) {
        return;
    }
    for (int page = 0; page < m_.bounds().pages; ++page) {
        const PageCell& cell = s_.pages[at(page)];
        if (cell.fs.page_dirty && !cell.writeback && !locked(page)) {
            spend(lock_page(Who::writeback, page, 0), Event::writepage);
        }
    }
}

State& WritepageSteps::lock_page(Who who, int page, std::uint8_t flags) {
    State& state = add(Step::lock_page, who, page);
    Actor& actor = actor_of(state, who);
    actor.page = static_cast<std::uint8_t>(page);
    actor.flags = flags;
    if (m_.era().tells_filesystem) {
        actor.flags |= all_ptes();
        actor.at = At::wp_mkclean;
    } else {
        actor.at = At::wp_test_clear_first;
    }
    return state;
}

std::uint8_t WritepageSteps::all_ptes() const {
    return static_cast<std::uint8_t>(((1U << static_cast<unsigned>(m_.bounds().processes)) - 1)
                                     << Actor::kPtesShift);
}

void WritepageSteps::go_on(Who who, const Actor& actor) {
    const int page = actor.page;
    switch (actor.at) {
    case At::wp_test_clear_first: {
        State& state = test_clear(who, page);
        Actor& next = actor_of(state, who);
        if (m_.era().tracks_shared_dirty) {
            next.at = At::wp_mkclean;
            next.flags |= all_ptes();
        } else {
            next.at = At::wp_write;
        }
        break;
    }
    case At::wp_mkclean:
        mkclean(who, actor);
        break;
    case At::wp_dirty_buffers:
        set_dirty_step(who, page, Step::dirty_buffers, At::wp_dirty_flag);
        break;
    case At::wp_dirty_flag:
        set_dirty_step(who, page, Step::dirty_flag, At::wp_test_clear);
        break;
    case At::wp_test_clear:
        actor_of(test_clear(who, page), who).at = At::wp_write;
        break;
    case At::wp_write:
        writepage(who, page);
        break;
    default:
        break;
    }
}

State& WritepageSteps::test_clear(Who who, int page) {
    State& state = add(Step::test_clear_page_dirty, who, page);
    if (!forgets(Step::test_clear_page_dirty)) {
        // page_mkclean's half of the contract is a step of its own.
        clear_page_dirty_for_io(state.pages[at(page)].fs, model::Contract::linux_2_6_19,
                                /*pte_was_dirty=*/false, m_.block_size());
    }
    return state;
}

/// page_mkclean: the PTEs one after another, each under its page table lock.
void WritepageSteps::mkclean(Who who, const Actor& actor) {
    for (int process = 0; process < m_.bounds().processes; ++process) {
        const unsigned bit = 1U << (static_cast<unsigned>(process) + Actor::kPtesShift);
        if ((actor.flags & bit) == 0) {
            continue;
        }
        const Pte pte = s_.pages[at(actor.page)].pte[at(process)];
        if (zapping(process, actor.page) && m_.era().mkclean_locks_pte) {
            continue; // waits for the page table lock
        }
        const bool cleans = pte.present() && (pte.dirty() || pte.writable());
        State& state = add(pte.present() ? Step::page_mkclean_one : Step::page_check_address, who,
                           actor.page, process);
        if (cleans && !forgets(Step::page_mkclean_one)) {
            state.pages[at(actor.page)].pte[at(process)].bits = Pte::kPresent;
            actor_of(state, who).flags |= Actor::kFoundDirty;
        }
        Actor& next = actor_of(state, who);
        next.flags = static_cast<std::uint8_t>(next.flags & ~bit);
        if ((next.flags & Actor::kPtes) == 0) {
            after_mkclean(next);
        }
    }
}

void WritepageSteps::after_mkclean(Actor& actor) const {
    const bool found = (actor.flags & Actor::kFoundDirty) != 0;
    actor.flags = static_cast<std::uint8_t>(actor.flags & ~unsigned{Actor::kFoundDirty});
    if (!m_.era().tells_filesystem) {
        actor.at = At::wp_write;
    } else {
        actor.at = found ? set_page_dirty_from(At::wp_dirty_buffers, At::wp_dirty_flag)
                         : At::wp_test_clear;
    }
}

/// ->writepage, and unlock_page. lock_buffer waits for blocks that are on their way already.
void WritepageSteps::writepage(Who who, int page) {
    if (!s_.pages[at(page)].io.empty()) {
        return;
    }
    State& state = add(Step::writepage, who, page);
    if (!forgets(Step::writepage)) {
        PageCell& cell = state.pages[at(page)];
        const model::WriteDecision decision =
            page_rule::write_back(m_.filesystem(), cell.fs, m_.within_eof(), m_.block_size());
        submit(cell, decision.written);
        cell.writeback = decision.written.empty() ? 0 : 1;
        // A buffer is on one transaction's list only: the running one's from now on.
        cell.committing -= m_.filesystem().flushes == model::FlushPolicy::ext3 ? cell.fs.ordered
                                                                               : decision.written;
        tidy(cell);
    }
    Actor& actor = actor_of(state, who);
    if (who == Who::writeback) {
        actor = Actor{};
    } else {
        actor.at = At::sync_next;
        actor.page = 0;
    }
}

} // namespace vmmodel
