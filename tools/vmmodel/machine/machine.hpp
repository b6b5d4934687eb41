// The kernel of an era as a machine: from a state, every step that any of its threads can take.
//
// Each step is atomic, at the granularity at which the real code can be interrupted or run against
// another CPU, and carries the name of the kernel function that it follows. Every decision about
// blocks is made by partialfs::model. Clearing a buffer's dirty bit and reading its bytes for the
// disk are one step, because splitting it would only add runs that do less harm.
//
// Left out: the TLB (a process is one thread with its own page tables), I/O errors, lack of memory,
// and the order in which a thread requests several locks.
//
// Pure functions; any thread.
#pragma once

#include "tools/vmmodel/era.hpp"
#include "tools/vmmodel/machine/state.hpp"
#include "tools/vmmodel/machine/step.hpp"

#include <array>
#include <cstdint>

namespace vmmodel {

/// What is explored: how many of everything.
struct Bounds {
    int pages = 1;
    int blocks = 2;
    int processes = 1;
    /// Threads interrupt each other at every step. Without it, each event is over before the next
    /// begins, as on one processor whose kernel is not preempted.
    bool races = true;
    /// How often each event may happen.
    std::array<std::uint8_t, kEvents> events{};
};

class Machine {
  public:
    /// Steps of a kernel that the machine forgets, to show that the tests would notice.
    using Forgotten = std::uint32_t;
    static constexpr Forgotten forget(Step step) { return 1U << static_cast<unsigned>(step); }

    /// `bounds` must be within kMaxPages and so on, no event more often than 7 times, and stores,
    /// writes and truncations together at most 15.
    Machine(Era era, Filesystem filesystem, const Bounds& bounds, Forgotten forgotten = 0);

    /// Nothing is cached or mapped, and the disk has version 0 of every block.
    [[nodiscard]] State initial() const;
    /// Every state that one step leads to. `out.count` is reset first.
    void successors(const State& state, Successors& out) const;
    /// The representative of all states that differ from `state` only in the names of processes,
    /// pages and blocks.
    [[nodiscard]] State canonical(const State& state) const;

    [[nodiscard]] const Bounds& bounds() const { return bounds_; }
    [[nodiscard]] const EraRules& era() const { return era_; }
    [[nodiscard]] const FilesystemRules& filesystem() const { return filesystem_; }
    [[nodiscard]] partialfs::model::BlockSize block_size() const { return block_size_; }
    /// The blocks before the end of the file: with three blocks to a page, it ends after the third
    /// of four.
    [[nodiscard]] partialfs::model::BlockMask within_eof() const { return within_; }
    [[nodiscard]] bool forgets(Step step) const { return (forgotten_ & forget(step)) != 0; }

  private:
    void sort_blocks(State& state, int page) const;

    EraRules era_;
    FilesystemRules filesystem_;
    Bounds bounds_;
    partialfs::model::BlockSize block_size_;
    partialfs::model::BlockMask within_;
    Forgotten forgotten_;
};

} // namespace vmmodel
