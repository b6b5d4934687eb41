#include "tests/mounted/differential/storm.hpp"

#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstring>

namespace partialfs::differential {
namespace {

thread_local sigjmp_buf* way_out = nullptr;

void leave(int signal) {
    if (way_out != nullptr) {
        ::siglongjmp(*way_out, 1);
    }
    // Not in without_bus_error(): the fault happens again, and kills the process.
    std::signal(signal, SIG_DFL);
}

/// The pause between two stores: short enough for a store between any two steps of a commit.
constexpr std::chrono::microseconds kPause{50};

} // namespace

bool without_bus_error(void (*access)(void*), void* argument) {
    struct sigaction action{};
    action.sa_handler = leave;
    ::sigaction(SIGBUS, &action, nullptr);
    sigjmp_buf here;
    way_out = &here;
    // NOLINTNEXTLINE(cert-err52-cpp): there is no other way to leave a fault
    if (sigsetjmp(here, 1) != 0) {
        way_out = nullptr;
        return false;
    }
    access(argument);
    way_out = nullptr;
    return true;
}

Storm::Storm(Identity file, std::int64_t offset, std::size_t length, const Both<char*>& address)
    : file_(std::move(file)), offset_(offset), length_(length), address_(address),
      thread_([this] { store(); }) {}

Storm::~Storm() {
    stopped_ = true;
    if (thread_.joinable()) {
        thread_.join();
    }
}

bool Storm::end() {
    stopped_ = true;
    thread_.join();
    const bool stored = without_bus_error([this] {
        for (const Side side : kSides) {
            std::memset(address_[side], 'S', length_);
        }
    });
    return stored && !faulted_;
}

void Storm::store() {
    const bool stored = without_bus_error([this] {
        for (unsigned i = 0; !stopped_; ++i) {
            for (const Side side : kSides) {
                *static_cast<volatile char*>(address_[side] + i % length_) =
                    static_cast<char>(1 + i % 250);
            }
            std::this_thread::sleep_for(kPause);
        }
    });
    faulted_ = !stored;
}

} // namespace partialfs::differential
