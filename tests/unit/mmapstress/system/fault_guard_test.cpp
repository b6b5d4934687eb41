#include "tools/mmapstress/system/fault_guard.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <csignal>
#include <cstddef>
#include <vector>

namespace mmapstress {
namespace {

std::vector<bool> blocked_signals() {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::vector<bool> blocked;
    for (int signal = 1; signal != NSIG; ++signal) {
        blocked.push_back(sigismember(&mask, signal) == 1);
    }
    return blocked;
}

class AFault : public testing::Test {
  protected:
    void SetUp() override {
        void* const page = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(page, MAP_FAILED);
        page_ = static_cast<volatile std::byte*>(page);
    }
    void TearDown() override { ::munmap(const_cast<std::byte*>(page_), 1); }

    bool store() {
        return guarded([this] { *page_ = std::byte{1}; });
    }

    const FaultGuard guard_;
    volatile std::byte* page_ = nullptr;
};

TEST_F(AFault, IsReportedEachTime) {
    for (int i = 0; i != 3; ++i) {
        EXPECT_FALSE(store());
    }
    ASSERT_EQ(::mprotect(const_cast<std::byte*>(page_), 1, PROT_READ | PROT_WRITE), 0);
    EXPECT_TRUE(store());
}

TEST_F(AFault, LeavesTheSignalMaskAsItWas) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &one, &before);
    const auto blocked = blocked_signals();
    EXPECT_FALSE(store());
    EXPECT_EQ(blocked_signals(), blocked);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace
} // namespace mmapstress
