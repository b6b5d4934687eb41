// The base of all step classes: the state that the steps start from, questions about it (who has to
// wait for what), and the list of successors that the steps add to.
//
// An object lives only during one call of Machine::successors().
#pragma once

#include "fusefs/model/page_state.hpp"
#include "tools/vmmodel/machine/machine.hpp"

#include <cstddef>

namespace vmmodel {

inline std::size_t at(int index) {
    return static_cast<std::size_t>(index);
}

inline partialfs::model::BlockMask one(int block) {
    return partialfs::model::BlockMask::of(
        partialfs::model::BlockInPage{static_cast<std::uint8_t>(block)});
}

class Stepper {
  public:
    /// All three must outlive the object; successors are appended to those in `out`.
    Stepper(const Machine& machine, const State& state, Successors& out)
        : m_(machine), s_(state), out_(out) {}

  protected:
    // --- Successors ---

    /// Adds a successor: a copy of the state, for the caller to change until the next one is added.
    State& add(Step step, Who who, int page = 0, int detail = 0) {
        Successor& next = out_.all[out_.count++];
        next.transition = {step, who, static_cast<std::uint8_t>(page),
                           static_cast<std::uint8_t>(detail)};
        next.harm = Harm::none;
        next.state = s_;
        return next.state;
    }
    /// Sets the harm that the successor added last does to a store.
    void harm(Harm harm) { out_.all[out_.count - 1].harm = harm; }
    static void spend(State& state, Event event) { --state.left[static_cast<std::size_t>(event)]; }

    // --- The state ---

    [[nodiscard]] bool may(Event event) const {
        return s_.left[static_cast<std::size_t>(event)] != 0;
    }
    [[nodiscard]] bool forgets(Step step) const { return m_.forgets(step); }

    static Who who_of(int process) { return process == 0 ? Who::process_0 : Who::process_1; }
    static Actor& actor_of(State& state, Who who) {
        return who == Who::writeback ? state.writeback
                                     : state.processes[who == Who::process_0 ? 0 : 1].actor;
    }
    /// Somebody holds the page lock.
    [[nodiscard]] bool locked(int page) const {
        return holds_page_lock(s_.writeback, page) ||
               holds_page_lock(s_.processes[0].actor, page) ||
               holds_page_lock(s_.processes[1].actor, page);
    }
    /// The process is in the middle of an munmap of the page.
    [[nodiscard]] bool zapping(int process, int page) const;
    /// The process is in the middle of a write(2) to the block.
    [[nodiscard]] bool writing(int process, int page, int block) const;
    /// A thread holds a reference to the page, so that it cannot be freed.
    [[nodiscard]] bool referenced(int page) const;

    // --- Changes of a page ---

    /// __set_page_dirty_buffers, first half: the buffers, under private_lock.
    void dirty_buffers(PageCell& cell) const;
    /// Its second half. On a block device all of it: filemap_dirty_folio.
    void dirty_flag(PageCell& cell) const;
    /// Where a thread enters set_page_dirty: at `buffers`, or at `flag` where there are no buffers.
    [[nodiscard]] At set_page_dirty_from(At buffers, At flag) const {
        return m_.filesystem().is_block_device ? flag : buffers;
    }
    /// One of these halves as a step of its own, after which the thread is at `next`.
    State& set_dirty_step(Who who, int page, Step step, At next);
    /// The blocks go on their way to the disk, with the bytes that they hold now.
    void submit(PageCell& cell, partialfs::model::BlockMask blocks) const;
    /// Clears the bits that the filesystem does not look at: states must not differ in them alone.
    void tidy(PageCell& cell) const;

    const Machine& m_;
    const State& s_;
    Successors& out_;
};

} // namespace vmmodel
