#include "tools/mmapstress/system/fault_guard.hpp"

namespace mmapstress {

thread_local sigjmp_buf* detail::fault_jump = nullptr;

namespace {

extern "C" void on_fault(int signal) {
    if (detail::fault_jump != nullptr) {
        siglongjmp(*detail::fault_jump, 1);
    }
    // Not ours: the default action, when the instruction is tried again.
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
}

} // namespace

FaultGuard::FaultGuard() {
    struct sigaction action{};
    action.sa_handler = on_fault;
    // The handler is left by a jump that does not restore the mask.
    action.sa_flags = SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &old_bus_);
    sigaction(SIGSEGV, &action, &old_segv_);
}

FaultGuard::~FaultGuard() {
    sigaction(SIGBUS, &old_bus_, nullptr);
    sigaction(SIGSEGV, &old_segv_, nullptr);
}

} // namespace mmapstress
