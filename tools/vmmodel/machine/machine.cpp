#include "tools/vmmodel/machine/machine.hpp"

#include "tools/vmmodel/machine/background_steps.hpp"
#include "tools/vmmodel/machine/process_steps.hpp"
#include "tools/vmmodel/machine/writepage_steps.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;

namespace {

model::BlockSize block_size_for(int blocks) {
    const std::uint64_t per_page = blocks == 3 ? 4 : static_cast<std::uint64_t>(blocks);
    const auto size = model::BlockSize::from_bytes(model::kPageSize / per_page);
    if (!size) {
        throw std::invalid_argument("no page has " + std::to_string(blocks) + " blocks");
    }
    return *size;
}

/// Without races, a thread in the middle of an event finishes it before anything else happens; only
/// the disk goes on. Returns whether there is such a thread.
bool finish_first(const Machine& machine, const State& state, Successors& out) {
    BackgroundSteps background(machine, state, out);
    const int pages = machine.bounds().pages;
    const bool committing = std::ranges::any_of(
        state.pages, [](const PageCell& cell) { return !cell.committing.empty(); });
    if (state.processes[0].actor.at != At::idle) {
        ProcessSteps(machine, state, out).go_on(0);
    } else if (state.processes[1].actor.at != At::idle) {
        ProcessSteps(machine, state, out).go_on(1);
    } else if (state.writeback.at != At::idle) {
        WritepageSteps(machine, state, out).writeback();
    } else if (committing) {
        for (int page = 0; page < pages; ++page) {
            background.kjournald_page(page);
        }
    } else {
        return false;
    }
    for (int page = 0; page < pages; ++page) {
        background.disk(page);
    }
    return true;
}

} // namespace

Machine::Machine(Era era, Filesystem filesystem, const Bounds& bounds, Forgotten forgotten)
    : era_(rules_of(era)), filesystem_(rules_of(filesystem)), bounds_(bounds),
      block_size_(block_size_for(bounds.blocks)),
      within_(
          BlockMask{static_cast<std::uint8_t>((1U << static_cast<unsigned>(bounds.blocks)) - 1)}),
      forgotten_(forgotten) {}

State Machine::initial() const {
    State state;
    for (int page = 0; page < bounds_.pages; ++page) {
        state.pages[at(page)].fs.allocated = within_;
    }
    state.left = bounds_.events;
    return state;
}

void Machine::successors(const State& state, Successors& out) const {
    out.count = 0;
    if (!bounds_.races && finish_first(*this, state, out)) {
        return;
    }
    for (int process = 0; process < bounds_.processes; ++process) {
        ProcessSteps(*this, state, out).go_on(process);
    }
    WritepageSteps(*this, state, out).writeback();
    BackgroundSteps background(*this, state, out);
    for (int page = 0; page < bounds_.pages; ++page) {
        background.kjournald_page(page);
        background.disk(page);
        background.reclaim(page);
    }
    background.commit_start();
}

} // namespace vmmodel
