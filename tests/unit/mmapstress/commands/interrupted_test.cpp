// The program when it is interrupted: it verifies and reports what was run.
#include "tests/unit/mmapstress/commands/command_fixture.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;
using partialfs::testing::Said;

/// `mmapstress replay` in the background, to be interrupted.
class Interrupted {
  public:
    Interrupted(const std::string& directory, const std::string& schedules) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            ::dup2(ends[1], STDERR_FILENO);
            ::signal(SIGHUP, SIG_DFL); // the parent of the test may ignore it
            ::execl(MMAPSTRESS, MMAPSTRESS, "replay", directory.c_str(), schedules.c_str(),
                    nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        output_ = ::fdopen(ends[0], "r");
    }
    Interrupted(const Interrupted&) = delete;
    Interrupted& operator=(const Interrupted&) = delete;
    ~Interrupted() {
        std::fclose(output_);
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    /// Returns the next line, or nothing at the end.
    std::string line() {
        std::string text;
        for (int letter = std::fgetc(output_); letter != EOF; letter = std::fgetc(output_)) {
            text += static_cast<char>(letter);
            if (letter == '\n') {
                break;
            }
        }
        return text;
    }
    void send(int signal) const { EXPECT_EQ(::kill(pid_, signal), 0); }
    /// Stops the process that does the work: it no longer responds.
    void stop_child() const {
        const std::string children =
            "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children";
        pid_t child = 0;
        std::ifstream(children) >> child;
        ASSERT_GT(child, 0);
        ASSERT_EQ(::kill(child, SIGSTOP), 0);
    }
    /// Sends the signal, reads the rest and waits for the end.
    Said interrupt(int signal = SIGINT) {
        EXPECT_EQ(::kill(pid_, signal), 0);
        Said said;
        for (std::string next = line(); !next.empty(); next = line()) {
            said.text += next;
        }
        int status = 0;
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        pid_ = -1;
        said.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return said;
    }

  private:
    pid_t pid_ = -1;
    std::FILE* output_ = nullptr;
};

TEST_F(Command, EachSignalThatEndsARunIsFollowedByItsVerification) {
    std::string many;
    for (int i = 0; i < 20000; ++i) {
        many += recorded(kStore);
    }
    const std::string schedules = write("many.jsonl", many);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        Interrupted replay(here(), schedules);
        const std::string first = replay.line();
        if (first.find("could not tell") != std::string::npos) {
            GTEST_SKIP() << "temporary files cannot be evicted here: " << first;
        }
        const Said said = replay.interrupt(signal);
        EXPECT_EQ(said.code, 0) << signal << said.text;
        EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 1) << signal;
    }
}

TEST_F(Command, AReplayInterruptedSaysHowManySchedulesWereRun) {
    std::string many;
    for (int i = 0; i < 20000; ++i) {
        many += recorded(kStore);
    }
    Interrupted replay(here(), write("many.jsonl", many));
    const std::string first = replay.line();
    if (first.find("could not tell") != std::string::npos) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << first;
    }
    EXPECT_EQ(first, "one: clean, 0 damaged ranges, 0 recorded on 2.6.19: equal\n");
    const Said said = replay.interrupt();
    EXPECT_EQ(said.code, 0) << "what was run was checked";
    const std::string summary = said.text.substr(said.text.rfind('\n', said.text.size() - 2) + 1);
    unsigned done = 0;
    unsigned same = 0;
    ASSERT_EQ(std::sscanf(summary.c_str(), "%u of 20000 schedules run: 0 damaged, %u as recorded",
                          &done, &same),
              2)
        << summary;
    EXPECT_GE(done, 1U);
    EXPECT_LT(done, 20000U);
    EXPECT_EQ(same, done);
}

TEST_F(Command, AReplayInterruptedBeforeTheFirstScheduleIsThroughCannotTell) {
    std::string ops = kStore;
    for (int i = 0; i < 50000; ++i) {
        ops += "," + kStore + R"(,{"op":"commit"})";
    }
    const std::string schedules = write("long.jsonl", recorded(ops) + recorded(kStore));
    const fs::path inside = directory_ / "inside";
    fs::create_directory(inside);
    Interrupted replay(inside, schedules);
    while (fs::is_empty(inside)) { // once the run has begun, the signal handler is installed
        ASSERT_EQ(::usleep(1000), 0);
    }
    const Said said = replay.interrupt();
    EXPECT_EQ(said.code, 3) << said.text;
    EXPECT_NE(said.text.find("\n0 of 2 schedules run: 0 damaged, 0 as recorded\n"),
              std::string::npos)
        << said.text;
    EXPECT_TRUE(fs::is_empty(inside));
}

TEST_F(Command, ASecondSignalEndsARunAtOnce) {
    std::string many;
    for (int i = 0; i < 20000; ++i) {
        many += recorded(kStore);
    }
    const fs::path inside = directory_ / "inside";
    fs::create_directory(inside);
    Interrupted replay(inside, write("many.jsonl", many));
    ASSERT_FALSE(replay.line().empty());
    replay.stop_child();
    replay.send(SIGTERM);
    const Said said = replay.interrupt(SIGINT);
    EXPECT_EQ(said.code, -SIGINT)
        << "another signal than the first, and a child that does not move";
}

} // namespace
} // namespace mmapstress
