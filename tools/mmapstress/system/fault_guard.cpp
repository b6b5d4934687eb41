#include "tools/mmapstress/system/fault_guard.hpp"

#include <ucontext.h>

namespace mmapstress {

thread_local sigjmp_buf* detail::fault_jump = nullptr;

namespace {

extern "C" void on_fault(int signal, siginfo_t* /*info*/, void* context) {
    if (detail::fault_jump != nullptr) {
        // Restores the signal mask as a return from the handler would. Under ThreadSanitizer a
        // handler runs with all signals blocked, whatever the action says: without this, the next
        // fault would end the process.
        const sigset_t& before = static_cast<const ucontext_t*>(context)->uc_sigmask;
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        siglongjmp(*detail::fault_jump, 1);
    }
    // Outside of guarded(): the instruction is tried again, and gets the default action.
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
}

} // namespace

FaultGuard::FaultGuard() {
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &old_bus_);
    sigaction(SIGSEGV, &action, &old_segv_);
}

FaultGuard::~FaultGuard() {
    sigaction(SIGBUS, &old_bus_, nullptr);
    sigaction(SIGSEGV, &old_segv_, nullptr);
}

} // namespace mmapstress
