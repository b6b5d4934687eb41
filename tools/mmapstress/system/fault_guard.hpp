// Turns the SIGBUS of an access to a mapping (the file is too short, the disk is full or fails)
// into a value.
#pragma once

#include <csetjmp>
#include <csignal>

namespace mmapstress {

/// Handles SIGBUS and SIGSEGV for the process while it lives; a fault outside of guarded() gets the
/// default action. The destructor restores the earlier handlers. One at a time in a process.
class FaultGuard {
  public:
    FaultGuard();
    FaultGuard(const FaultGuard&) = delete;
    FaultGuard& operator=(const FaultGuard&) = delete;
    ~FaultGuard();

  private:
    struct sigaction old_bus_{};
    struct sigaction old_segv_{};
};

namespace detail {
/// Where the thread's handler jumps to; nullptr outside of guarded().
extern thread_local sigjmp_buf* fault_jump;
} // namespace detail

/// Does `action`; false if SIGBUS or SIGSEGV cut it short. `action` must do nothing but access
/// memory: no locks, no allocation. Any thread, while a FaultGuard lives.
template <typename Action>
[[nodiscard]] bool guarded(Action&& action) {
    sigjmp_buf jump;
    if (sigsetjmp(jump, 0) != 0) {
        detail::fault_jump = nullptr;
        return false;
    }
    detail::fault_jump = &jump;
    action();
    detail::fault_jump = nullptr;
    return true;
}

} // namespace mmapstress
