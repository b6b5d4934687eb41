// The program itself: exit codes, messages, and nothing left behind.
#include "tests/shell_command.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using partialfs::testing::Said;

class Command : public testing::Test {
  protected:
    static Said run(const std::string& arguments) {
        return partialfs::testing::said_by(MMAPSTRESS " " + arguments);
    }
    std::string write(const char* name, const std::string& text) {
        std::ofstream(directory_ / name) << text;
        return (directory_ / name).string();
    }
    [[nodiscard]] std::string here() const { return directory_.path().string(); }

    partialfs::testing::TemporaryDirectory directory_;
};

TEST_F(Command, WrongUsageIsToldInOneLine) {
    const std::array<std::pair<std::string, std::string>, 16> wrong{{
        {"", "mmapstress: A subcommand is required; see mmapstress --help\n"},
        {"rnu /", "mmapstress: no such command: 'rnu'; did you mean 'run'?; see"},
        {"run / --seed -1", "mmapstress: --seed: '-1' is not a whole number from 0 to "},
        {"run / --threads 0", "mmapstress: --threads: '0' is not a whole number from 1 to 1024"},
        {"run /nonexistent", "mmapstress: cannot use /nonexistent: No such file or directory\n"},
        {"run / --workload x", "mmapstress: no such workload: 'x'; see mmapstress workloads\n"},
        {"run / --format x",
         "mmapstress: --format: 'x' is none of human, json, ktap, junit; see mmapstress --help\n"},
        {"run / --duration soon", "mmapstress: --duration: 'soon' is not a time, as 500ms, 30s, "
                                  "60min; see mmapstress --help\n"},
        {"run / --duration 0s", "mmapstress: --duration: no time at all; see "},
        {"run / --ops 0", "mmapstress: --ops: "},
        {"run / --size big",
         "mmapstress: --size: 'big' is not a size, as 64K, 8M, 2G; see mmapstress --help\n"},
        {"run " + here() + " --report /nonexistent/r", "mmapstress: cannot create /nonexistent/r"},
        {"run " + here() + " --schedule /nonexistent/s",
         "mmapstress: cannot write the schedule to /nonexistent/s: No such file or directory\n"},
        {"replay / /nonexistent",
         "mmapstress: cannot open /nonexistent: No such file or directory\n"},
        {"replay / " + write("bad", "mmapstress-schedule 1\nfile 0 size=1\n1 stor file=0\n"),
         "mmapstress: " + here() + "/bad: line 3: no such operation: 'stor'\n"},
        {"verify / " + write("report", "{}"),
         "mmapstress: " + here() + "/report: not a report of mmapstress\n"},
    }};
    for (const auto& [arguments, message] : wrong) {
        const Said said = run(arguments);
        EXPECT_EQ(said.code, 2) << arguments;
        EXPECT_TRUE(said.text.starts_with(message)) << arguments << "\n" << said.text;
        EXPECT_EQ(std::ranges::count(said.text, '\n'), 1) << said.text;
    }
}

TEST_F(Command, WorkloadsAreListedTheDefaultFirst) {
    const Said said = run("workloads");
    EXPECT_EQ(said.code, 0);
    EXPECT_TRUE(said.text.starts_with("wild "));
    for (const char* name :
         {"mix", "recipe", "linus", "torrent", "apt", "pressure", "gup", "grow", "writeback"}) {
        EXPECT_NE(said.text.find(std::string("\n") + name + " "), std::string::npos) << name;
    }
}

TEST_F(Command, AReplayWritesTheScheduleThatItRan) {
    const std::string common = here() + " --schedule " + here();
    const Said first = run("run " + common + "/one --ops 300 --seed 5 --report " + here() + "/r");
    if (first.code == 3) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << first.text;
    }
    EXPECT_EQ(first.code, 0) << first.text;
    EXPECT_EQ(run("replay " + common + "/two " + here() + "/one").code, 0);
    EXPECT_EQ(run("replay " + common + "/three " + here() + "/r").code, 0);
    const auto text = [&](const char* name) {
        std::ostringstream out;
        out << std::ifstream(directory_ / name).rdbuf();
        return out.str();
    };
    EXPECT_FALSE(text("one").empty());
    EXPECT_EQ(text("two"), text("one"));
    EXPECT_EQ(text("three"), text("one"));
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 4)
        << "three schedules, one report, nothing else";
}

TEST_F(Command, ARunForSomeTimeSaysHowManyRoundsItWas) {
    const Said said =
        run("run " + here() + " --ops 20 --duration 1s --seed 8 --report " + here() + "/r");
    if (said.code == 3) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
    }
    EXPECT_EQ(said.code, 0) << said.text;
    // The seed is the last round's: each has one more.
    std::ostringstream text;
    text << std::ifstream(directory_ / "r").rdbuf();
    const std::string report = text.str();
    const std::string name = "\"rounds\": ";
    ASSERT_NE(report.find(name), std::string::npos);
    const unsigned long rounds = std::stoul(report.substr(report.find(name) + name.size()));
    EXPECT_GT(rounds, 1U);
    EXPECT_TRUE(said.text.starts_with("wild, seed " + std::to_string(7 + rounds) + ": round " +
                                      std::to_string(rounds) + ", "))
        << said.text;
}

TEST_F(Command, ShardsAreMergedIntoOneVerdict) {
    for (const char* shard : {"1/2", "2/2"}) {
        const Said said = run("run " + here() + " --ops 20 --seed 8 --shard " + shard +
                              " --report " + here() + "/r" + shard[0]);
        if (said.code == 3) {
            GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
        }
        EXPECT_TRUE(
            said.text.starts_with(std::string("wild, seed ") + (shard[0] == '1' ? "8" : "9")))
            << said.text;
    }
    const Said both = run("merge " + here() + "/r2 " + here() + "/r1");
    EXPECT_EQ(both.code, 0) << both.text;
    EXPECT_NE(both.text.find("2 reports: 2 rounds of wild, 40 operations"), std::string::npos)
        << both.text;
    const Said one = run("merge --format junit " + here() + "/r1");
    EXPECT_EQ(one.code, 3);
    EXPECT_NE(one.text.find("no report of shard 2 of 2"), std::string::npos) << one.text;
    const Said twice = run("merge " + here() + "/r1 " + here() + "/r1");
    EXPECT_EQ(twice.code, 2);
    EXPECT_NE(twice.text.find("are both shard 1/2"), std::string::npos) << twice.text;
    EXPECT_EQ(run("run " + here() + " --shard 3/2").code, 2);
}

TEST_F(Command, AllWorkloadsHaveTheirTurnAndOneReport) {
    const std::string report = here() + "/r";
    for (const std::string format : {"human", "ktap", "junit"}) {
        const Said said =
            run("run " + here() + " --workload all --ops 30 --memory 16M --size 512K " +
                "--format " + format + " --report " + report);
        if (said.code == 3) {
            GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
        }
        EXPECT_EQ(said.code, 0) << said.text;
        if (format == "human") {
            EXPECT_NE(said.text.find("  in all   10 rounds (wild 1, mix 1, recipe 1, linus 1, "
                                     "torrent 1, apt 1, pressure 1, gup 1, grow 1, writeback 1): "),
                      std::string::npos)
                << said.text;
        } else if (format == "ktap") {
            EXPECT_NE(said.text.find("  # rounds: 10\n"), std::string::npos) << said.text;
            EXPECT_NE(said.text.find("ok 1 mmapstress.all # seed 10\n"), std::string::npos);
        } else {
            EXPECT_NE(said.text.find("<property name=\"rounds\" value=\"10\"/>"), std::string::npos)
                << said.text;
            EXPECT_NE(said.text.find("<testsuite name=\"mmapstress.all\""), std::string::npos);
        }
    }
    std::ostringstream text;
    text << std::ifstream(report).rdbuf();
    EXPECT_NE(text.str().find("\"workload\": \"gup\""), std::string::npos) << text.str();
}

TEST_F(Command, WithoutSaysWhatItIsWithout) {
    const Said said = run("run " + here() + " --ops 300 --without gup,grow --without past-eof");
    if (said.code == 3) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
    }
    EXPECT_EQ(said.code, 0) << said.text;
    EXPECT_NE(said.text.find("recvmsg-store: --without gup\n"), std::string::npos) << said.text;
    EXPECT_NE(said.text.find("  left out size-changes: --without grow\n"), std::string::npos);
    EXPECT_NE(said.text.find("  left out past-eof-store: --without past-eof\n"), std::string::npos);
    const Said wrong = run("run " + here() + " --without everything");
    EXPECT_EQ(wrong.code, 2);
    EXPECT_NE(wrong.text.find("'everything' is none of"), std::string::npos) << wrong.text;
}

TEST_F(Command, PressureSaysWhatMemoryThereWas) {
    const std::string report = here() + "/r";
    const Said said =
        run("run " + here() + " --workload pressure --memory 16M --ops 3000 --report " + report);
    if (said.code == 3) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
    }
    EXPECT_EQ(said.code, 0) << said.text;
    EXPECT_NE(said.text.find("\n  memory   16 MiB by "), std::string::npos) << said.text;
    EXPECT_NE(said.text.find("MiB were in memory at the end\n"), std::string::npos) << said.text;
    std::ostringstream text;
    text << std::ifstream(report).rdbuf();
    EXPECT_NE(text.str().find("\"memory\": \"16 MiB by "), std::string::npos);
    EXPECT_EQ(run("explain " + report).code, 0);
}

TEST_F(Command, ARecordedScheduleHasAReportLikeAnyOther) {
    const std::string line =
        R"({"id":"one","kernel":"2.6.19","block":4096,"files":1,"size":4096,"start":"written",)"
        R"("ops":[{"op":"store","file":0,"map":0,"off":7,"len":20,"v":3}],"end":"fsync,munmap,fsync",)"
        R"("damage":[]})";
    const std::string one = write("one.jsonl", line + "\n");
    const std::string two = write("two.jsonl", line + "\n" + line + "\n");
    const Said said = run("replay " + here() + " " + one + " --report " + here() +
                          "/r --schedule " + here() + "/s --format json");
    if (said.code == 3) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
    }
    EXPECT_EQ(said.code, 0) << said.text;
    EXPECT_TRUE(said.text.starts_with('{')) << said.text;
    EXPECT_EQ(run("replay " + here() + " " + here() + "/s").code, 0);
    EXPECT_EQ(run("replay " + here() + " " + here() + "/r").code, 0);
    EXPECT_EQ(run("replay " + here() + " " + two).code, 0);
    const Said many = run("replay " + here() + " " + two + " --report " + here() + "/r");
    EXPECT_EQ(many.code, 2);
    EXPECT_TRUE(many.text.starts_with("mmapstress: 2 recorded schedules: ")) << many.text;
}

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
            ::signal(SIGHUP, SIG_DFL); // whatever started the test
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
    /// The next line, or nothing at the end.
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
    /// The process that does the work is stopped: it answers nothing any more.
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

/// A line of recorded schedules.
std::string recorded(const std::string& ops) {
    return R"({"id":"one","kernel":"2.6.19","block":4096,"files":1,"size":4096,"start":"sparse",)"
           R"("ops":[)" +
           ops + R"(],"end":"fsync,munmap,fsync","damage":[]})" + "\n";
}
const std::string kStore = R"({"op":"store","file":0,"map":0,"off":7,"len":20,"v":3})";

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
    while (fs::is_empty(inside)) { // once it has begun its handler is there
        ASSERT_EQ(::usleep(1000), 0);
    }
    const Said said = replay.interrupt();
    EXPECT_EQ(said.code, 3) << said.text;
    EXPECT_NE(said.text.find("\n0 of 2 schedules run: 0 damaged, 0 as recorded\n"),
              std::string::npos)
        << said.text;
    EXPECT_TRUE(fs::is_empty(inside));
}

TEST_F(Command, AScheduleWithoutStoresCannotTell) {
    const std::string head = "mmapstress-schedule 1\nfile 0 size=8192 start=sparse\n";
    for (const char* ops : {"", "1 commit\n"}) {
        const Said said = run("replay " + here() + " " + write("empty", head + ops));
        EXPECT_EQ(said.code, 3) << said.text;
        EXPECT_NE(said.text.find("no store or write was carried out"), std::string::npos)
            << said.text;
        EXPECT_EQ(said.text.find("clean"), std::string::npos) << said.text;
    }
    const std::string two = write("two.jsonl", recorded(R"({"op":"commit"})") + recorded(kStore));
    EXPECT_EQ(run("replay " + here() + " " + two).code, 3);
}

TEST_F(Command, MinimiseWritesNothingWhereNothingIsLost) {
    const std::string schedule =
        write("one", "mmapstress-schedule 1\nfile 0 size=8192 start=sparse\n"
                     "1 store file=0 off=0 len=1\n");
    const Said said = run("minimise " + here() + " " + schedule + " -o " + here() + "/out");
    EXPECT_EQ(said.code, 3) << said.text;
    if (said.text.find("would not leave") == std::string::npos) {
        EXPECT_EQ(said.text, "mmapstress: the schedule lost no data here in 3 runs\n");
    }
    EXPECT_FALSE(fs::exists(directory_ / "out"));
    EXPECT_EQ(run("minimise " + here() + " /nonexistent -o " + here() + "/out").code, 2);
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

TEST_F(Command, SelftestFindsWhatItLeftOut) {
    const Said said = run("selftest " + here() + " --runs 6 --seed 9");
    if (said.code == 3 && said.text.find("would not leave") != std::string::npos) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
    }
    EXPECT_EQ(said.code, 0) << said.text;
    EXPECT_EQ(said.text, "selftest: 6 of 6 stores left out were found, exactly\n");
    EXPECT_TRUE(fs::is_empty(directory_.path()));
}

TEST_F(Command, ADurationEndsInTimeAndIsVerified) {
    const Said said = run("run " + here() + " --duration 300ms --ops 100000000");
    if (said.code == 3) {
        GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
    }
    EXPECT_EQ(said.code, 0) << said.text;
    EXPECT_NE(said.text.find("ended before the schedule did"), std::string::npos);
}

TEST_F(Command, KeptFilesAreVerifiedFromTheReportAlone) {
    const std::string report = here() + "/report";
    const Said ran = run("run " + here() + " --ops 300 --keep --report " + report);
    if (ran.code == 3) {
        GTEST_SKIP() << ran.text; // a filesystem that nothing leaves, as a tmpfs
    }
    ASSERT_EQ(ran.code, 0) << ran.text;
    EXPECT_FALSE(fs::exists(report + ".progress")) << "the run is over";
    const Said verified = run("verify " + here() + " " + report);
    EXPECT_EQ(verified.code, 0) << verified.text;
    EXPECT_EQ(verified.text.find("cut short"), std::string::npos) << verified.text;
}

TEST_F(Command, AReportThatIsAPipeOrALinkStaysOne) {
    const fs::path pipe = directory_ / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const std::string program = std::string(MMAPSTRESS) + " run " + here() + " --ops 5 --report ";
    const std::string shell = "cat " + pipe.string() + " > " + here() + "/read & " + program +
                              pipe.string() + " > " + here() + "/said; wait";
    ASSERT_EQ(std::system(shell.c_str()), 0);
    EXPECT_TRUE(fs::is_fifo(pipe));
    std::string first;
    std::getline(std::ifstream(directory_ / "read") >> std::ws, first);
    EXPECT_EQ(first, "{");
    write("target", "old");
    fs::create_symlink("target", directory_ / "link");
    run("run " + here() + " --ops 5 --report " + here() + "/link");
    EXPECT_TRUE(fs::is_symlink(directory_ / "link"));
    EXPECT_GT(fs::file_size(directory_ / "target"), 100U);
    EXPECT_EQ(run("run " + here() + " --ops 5 --report " + here()).text,
              "mmapstress: " + here() + " is a directory\n");
}

} // namespace
