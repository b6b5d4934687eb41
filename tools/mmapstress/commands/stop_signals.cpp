#include "tools/mmapstress/commands/stop_signals.hpp"

#include <csignal>

namespace mmapstress {

namespace {

volatile std::sig_atomic_t signalled = 0;

extern "C" void on_stop(int /*signal*/) {
    signalled = 1;
}

} // namespace

void note_stop_signals() {
    struct sigaction action{};
    action.sa_handler = on_stop;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    // The terminal is gone: but with nohup the run is to go on.
    struct sigaction before{};
    if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
        sigaction(SIGHUP, &action, nullptr);
    }
}

bool stop_signalled() {
    return signalled != 0;
}

} // namespace mmapstress
