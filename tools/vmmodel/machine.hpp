// The kernel of an era as a machine: from a state, every step that any of its threads can take.
//
// Each step is atomic, at the granularity at which the real code can be interrupted or run against
// another CPU, and carries the name of the kernel function that it follows. Every decision about
// blocks is that of partialfs::model. What is merged into one step because splitting it only adds
// runs that harm less: clearing a buffer's dirty bit and reading its bytes for the disk.
//
// Left out: the TLB (a process is one thread with its own page tables), I/O errors, memory running
// out, and which of several locks is asked for first.
//
// Pure functions; any thread.
#pragma once

#include "tools/vmmodel/era.hpp"
#include "tools/vmmodel/state.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

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

/// Who takes a step.
enum class Who : std::uint8_t { process_0, process_1, writeback, kjournald, reclaim, disk };

/// What a step is: the kernel function it follows.
enum class Step : std::uint8_t {
    store,
    do_no_page,
    do_wp_page,
    wait_on_page_locked,
    dirty_buffers,
    dirty_flag,
    write_copy,
    write_commit,
    zap_pte,
    truncate,
    fsync,
    msync,
    msync_pte,
    sync_skip,
    sync_return,
    lock_page,
    test_clear_page_dirty,
    page_mkclean_one,
    page_check_address,
    writepage,
    commit_start,
    submit_data_buffer,
    end_io,
    try_to_unmap,
    evict,
    strip,
};
inline constexpr std::size_t kSteps = static_cast<std::size_t>(Step::strip) + 1;

/// What can go wrong with a store.
enum class Harm : std::uint8_t {
    none,
    /// The page was evicted while the disk had older bytes: they are gone for good.
    lost,
    /// fsync returned success and the bytes are not on disk; a later unmap may still save them.
    fsync_not_durable,
    /// The same of msync(MS_SYNC).
    msync_not_durable,
};
inline constexpr std::size_t kHarms = 4;

/// One step, small enough to keep one for every state.
struct Transition {
    Step step = Step::store;
    Who who = Who::process_0;
    std::uint8_t page = 0;
    /// The block, or for page_mkclean and try_to_unmap the process whose PTE it is.
    std::uint8_t detail = 0;

    bool operator==(const Transition&) const = default;
};

struct Successor {
    Transition transition;
    Harm harm = Harm::none;
    State state;
};

/// What one state leads to. Of fixed size, so that exploring allocates nothing.
struct Successors {
    std::array<Successor, 64> all;
    std::size_t count = 0;

    [[nodiscard]] std::span<const Successor> span() const { return {all.data(), count}; }
};

/// For people: the kernel function a step follows, and where it is to be found.
struct StepText {
    Step step;
    std::string_view function;
    std::string_view source;
};
const StepText& text_of(Step step);

class Machine {
  public:
    /// Steps of a kernel that the machine forgets, to show that the tests would notice.
    using Forgotten = std::uint32_t;
    static constexpr Forgotten forget(Step step) { return 1U << static_cast<unsigned>(step); }

    /// `bounds` must be within kMaxPages and so on, no event more often than 7 times, and stores,
    /// writes and truncations together at most 15.
    Machine(Era era, Filesystem filesystem, const Bounds& bounds, Forgotten forgotten = 0);

    /// Nothing cached, nothing mapped, every block on disk in its version 0.
    [[nodiscard]] State initial() const;
    /// Every state that one step leads to. `out.count` is reset first.
    void successors(const State& state, Successors& out) const;
    /// The state among those that differ only in the names of processes, pages and blocks that
    /// stands for all of them.
    [[nodiscard]] State canonical(const State& state) const;

    [[nodiscard]] const Bounds& bounds() const { return bounds_; }
    [[nodiscard]] const EraRules& era() const { return era_; }
    [[nodiscard]] const FilesystemRules& filesystem() const { return filesystem_; }
    [[nodiscard]] partialfs::model::BlockMask within_eof() const { return within_; }

  private:
    class Stepper;

    void sort_blocks(State& state, int page) const;

    EraRules era_;
    FilesystemRules filesystem_;
    Bounds bounds_;
    partialfs::model::BlockSize block_size_;
    /// The blocks before the end of the file: with three blocks to a page, it ends after the third
    /// of four.
    partialfs::model::BlockMask within_;
    Forgotten forgotten_;
};

} // namespace vmmodel
