#include "fusefs/startup/background.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace partialfs::startup {
namespace {

/// Runs `start` in a process that goes to the background. Returns the exit code of the parent.
template <typename Start>
int parent_sees(Start start) {
    const pid_t command = ::fork();
    if (command == 0) {
        std::signal(SIGPIPE, SIG_IGN);
        auto side = go_to_background();
        if (!side) {
            ::_exit(99);
        }
        if (const auto* parent = std::get_if<Parent>(&*side)) {
            ::_exit(parent->exit_code);
        }
        start(std::get<Readiness>(*side));
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(command, &status, 0);
    return WEXITSTATUS(status);
}

TEST(Background, TheParentSucceedsOnceTheChildIsReady) {
    EXPECT_EQ(parent_sees([](Readiness& readiness) { ::_exit(readiness.tell() ? 5 : 6); }), 0);
}

TEST(Background, TheParentFailsAsTheChildDoes) {
    EXPECT_EQ(parent_sees([](Readiness&) { ::_exit(7); }), 7);
    EXPECT_EQ(parent_sees([](Readiness&) { ::raise(SIGKILL); }), 1);
    EXPECT_EQ(parent_sees([](Readiness&) { ::_exit(0); }), 1) << "ended, and never was ready";
}

TEST(Background, AParentThatHasGoneIsNoticed) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t command = ::fork();
    if (command == 0) {
        std::signal(SIGPIPE, SIG_IGN);
        auto side = go_to_background();
        if (side && std::holds_alternative<Readiness>(*side)) {
            // The waiting command itself is killed by its own child.
            const pid_t waiting = ::getppid();
            ::kill(waiting, SIGKILL);
            while (::getppid() == waiting) {
                ::usleep(1000);
            }
            const char answer = std::get<Readiness>(*side).tell() ? 't' : 'f';
            static_cast<void>(!::write(ends[1], &answer, 1));
        }
        ::_exit(0);
    }
    ::waitpid(command, nullptr, 0);
    ::close(ends[1]);
    char answer = 0;
    EXPECT_EQ(::read(ends[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'f');
    ::close(ends[0]);
}

TEST(Background, InTheForegroundThereIsNobodyToTell) {
    EXPECT_TRUE(Readiness{}.tell());
}

} // namespace
} // namespace partialfs::startup
