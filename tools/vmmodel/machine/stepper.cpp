#include "tools/vmmodel/machine/stepper.hpp"

#include "tools/vmmodel/page_rule.hpp"

#include <algorithm>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;

bool Stepper::zapping(int process, int page) const {
    const Actor& actor = s_.processes[at(process)].actor;
    return actor.page == page && (actor.at == At::zap_buffers || actor.at == At::zap_flag);
}

bool Stepper::writing(int process, int page, int block) const {
    const Actor& actor = s_.processes[at(process)].actor;
    return actor.at == At::write_commit && actor.page == page && actor.block == block;
}

bool Stepper::referenced(int page) const {
    return std::ranges::any_of(s_.processes, [&](const Process& process) {
        return process.actor.page == page && process.actor.at >= At::fault_wait &&
               process.actor.at <= At::zap_flag && process.actor.at != At::store_retry;
    });
}

void Stepper::dirty_buffers(PageCell& cell) const {
    if (m_.filesystem().is_block_device) {
        return;
    }
    model::PageState told = cell.fs;
    set_page_dirty(told, m_.block_size());
    told.dirty &= m_.within_eof(); // blocks past the end of file are never written
    told.page_dirty = cell.fs.page_dirty;
    cell.fs = told;
}

void Stepper::dirty_flag(PageCell& cell) const {
    if (m_.filesystem().is_block_device) {
        page_rule::set_dirty(m_.filesystem(), cell.fs, m_.block_size());
        cell.fs.dirty &= m_.within_eof();
    }
    cell.fs.page_dirty = true;
}

State& Stepper::set_dirty_step(Who who, int page, Step step, At next) {
    State& state = add(step, who, page);
    if (!forgets(step)) {
        if (step == Step::dirty_buffers) {
            dirty_buffers(state.pages[at(page)]);
        } else {
            dirty_flag(state.pages[at(page)]);
        }
    }
    actor_of(state, who).at = next;
    return state;
}

void Stepper::submit(PageCell& cell, BlockMask blocks) const {
    for (int block = 0; block < m_.bounds().blocks; ++block) {
        if ((blocks & one(block)).empty()) {
            continue;
        }
        if (cell.disk(block) != cell.memory(block)) {
            cell.unsettled |= one(block);
        }
        cell.set(block, cell.memory(block), cell.memory(block));
    }
    cell.io |= blocks;
}

void Stepper::tidy(PageCell& cell) const {
    if (m_.filesystem().flushes != model::FlushPolicy::ext3) {
        cell.fs.ordered = BlockMask{};
        cell.fs.mapped = BlockMask{};
    }
}

} // namespace vmmodel
