// When a daemon is killed: after a worker on its mount has done a given number of steps.
#pragma once

#include "tests/mounted/mount.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>

namespace partialfs::test {

/// Runs `work` in a child process, which counts its `steps` in shared memory. Once it has done
/// `last` of them, kills the daemon, then the child. `work` never returns.
template <typename Work>
void kill_after(testing::Mount& mount, const std::atomic<std::uint64_t>& steps, std::uint64_t last,
                Work work) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        work();
        ::_exit(1);
    }
    int status = 0;
    while (steps < last && ::waitpid(child, &status, WNOHANG) == 0) {
        ::sched_yield();
    }
    EXPECT_GE(steps, last) << "the worker ended before the daemon was killed";
    mount.kill();
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
}

} // namespace partialfs::test
