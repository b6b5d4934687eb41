// What a step of the machine is: who takes it, which kernel function it follows, what it leads to.
//
// Values; text_of is a pure function.
#pragma once

#include "tools/vmmodel/machine/state.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace vmmodel {

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
    /// The page was evicted while the disk had older bytes: the newer ones are gone for good.
    lost,
    /// fsync returned success and the bytes are not on disk; a later unmap may still save them.
    fsync_not_durable,
    /// The same for msync(MS_SYNC).
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

/// For people: the kernel function that a step follows, and its source file.
struct StepText {
    Step step;
    std::string_view function;
    std::string_view source;
};
const StepText& text_of(Step step);

} // namespace vmmodel
