// The program itself: exit codes, messages, and nothing left behind.
#include "tests/unit/mmapstress/commands/command_fixture.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;
using partialfs::testing::Said;

TEST_F(Command, WrongUsageIsToldInOneLine) {
    const std::array<std::pair<std::string, std::string>, 20> wrong{{
        {"", "mmapstress: A subcommand is required; see mmapstress --help\n"},
        {"rnu /", "mmapstress: no such command: 'rnu'; did you mean 'run'?; see"},
        {"run / --sede 1",
         "mmapstress: no such option: '--sede'; did you mean '--seed'?; see mmapstress run --help"},
        {"run", "mmapstress: DIR is required; see mmapstress run --help"},
        {"run / --seed -1", "mmapstress: --seed: '-1' is not a whole number from 0 to "},
        {"run / --threads 0", "mmapstress: --threads: '0' is not a whole number from 1 to 1024"},
        {"run /nonexistent", "mmapstress: cannot use /nonexistent: No such file or directory\n"},
        {"run /proc", "mmapstress: cannot make a directory in /proc: "},
        {"run " + here() + " --power-cut 2",
         "mmapstress: " + here() + " is not on partialfs mounted with --power, which"},
        {"run / --workload x", "mmapstress: no such workload: 'x'; see mmapstress workloads\n"},
        {"run / --format x", "mmapstress: --format: 'x' is none of text, json, ktap, junit; see "
                             "mmapstress run --help\n"},
        {"run / --duration soon", "mmapstress: --duration: 'soon' is not a time, such as 500ms, "
                                  "30s, 5min; see mmapstress run --help\n"},
        {"run / --duration 0s", "mmapstress: --duration: no time at all; see "},
        {"run / --ops 0", "mmapstress: --ops: "},
        {"run / --size big",
         "mmapstress: --size: 'big' is not a size, such as 64KiB, 8MiB, 2GiB; see "
         "mmapstress run --help\n"},
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
    // The reported seed is the last round's: each round adds one.
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
    for (const std::string format : {"text", "ktap", "junit"}) {
        const Said said =
            run("run " + here() + " --workload all --ops 30 --memory 16M --size 512K " +
                "--format " + format + " --report " + report);
        if (said.code == 3) {
            GTEST_SKIP() << "temporary files cannot be evicted here: " << said.text;
        }
        EXPECT_EQ(said.code, 0) << said.text;
        if (format == "text") {
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
        GTEST_SKIP() << ran.text; // a filesystem whose pages cannot be evicted, such as tmpfs
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
} // namespace mmapstress
