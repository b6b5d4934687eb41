// Operations as the engine carries them out, and its messages when it cannot.
#include "tests/unit/mmapstress/engine/engine_fixture.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;

TEST_F(Engine, CarriesEveryOperationOut) {
    const RunResult result = done(parsed(kEverything));
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
    EXPECT_EQ(result.ops, 39U);
    EXPECT_EQ(result.last_op, OpId{40});
    EXPECT_EQ(result.sizes, (std::vector<ByteCount>{ByteCount{30000}, ByteCount{12288},
                                                    ByteCount{9000}, ByteCount{10001}}));
    for (const Stage stage : {Stage::during, Stage::live, Stage::pread, Stage::evicted}) {
        EXPECT_EQ(result.stages[static_cast<std::size_t>(stage)].state,
                  StageResult::State::checked);
    }
    EXPECT_EQ(left_behind(), 0U);
    EXPECT_FALSE(result.kept);
}

TEST_F(Engine, CarriesEveryOperationOutWithManyWorkersToo) {
    std::string text = "workers threads=2 processes=2\n" + kEverything;
    // Each operation by another worker than the previous one.
    std::string out;
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        out += text.substr(at, end - at);
        if (number > 4) {
            out += " by=" + std::to_string(number % 4);
        }
        out += '\n';
        at = end + 1;
        ++number;
    }
    const RunResult result = done(parsed(out));
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
    EXPECT_EQ(result.ops, 39U);
    EXPECT_EQ(left_behind(), 0U);
}

TEST_F(Engine, WorkersThatMeetKeepTheScheduleOrder) {
    std::string text = "workers threads=3 processes=2\nfile 0 size=4096 start=sparse\n";
    for (int id = 1; id <= 600; ++id) {
        text += std::to_string(id) + " store file=0 off=" + std::to_string(id % 7 * 100) +
                " len=300 by=" + std::to_string(id % 6) + "\n";
    }
    const RunResult result = done(parsed(text));
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
}

TEST_F(Engine, WorkloadsAreCleanHere) {
    for (const WorkloadInfo& workload : workloads()) {
        if (workload.exceeds_memory) {
            continue; // needs a control group; see the loop tests
        }
        settings_.may_have = workload.may_have();
        WorkloadSettings settings;
        settings.ops = 600;
        settings.threads = 2;
        settings.processes = 2;
        const OpSourceFactory factory = [&] {
            auto source = workload.make(settings);
            return std::move(*source);
        };
        const auto result = run(settings_, factory, workload.judge);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->verdict(), Verdict::clean) << workload.name << problems_of(*result);
        EXPECT_TRUE(result->judgement.empty()) << result->judgement.front();
    }
    EXPECT_EQ(left_behind(), 0U);
}

TEST_F(Engine, ABusErrorIsReportedWithItsOperation) {
    before_op(2, [&] { fs::resize_file(run_directory() / "file0", 4096); });
    for (const std::string workers : {"", "workers threads=2 processes=1\n"}) {
        const RunResult result = done(parsed(workers + "file 0 size=8192 start=written\n"
                                                       "1 store file=0 off=0 len=10\n"
                                                       "7 store file=0 off=4000 len=1000\n"
                                                       "8 commit\n"));
        EXPECT_EQ(result.verdict(), Verdict::unknown);
        ASSERT_EQ(result.problems.size(), 1U) << problems_of(result);
        EXPECT_EQ(result.problems[0].op, OpId{7});
        EXPECT_NE(result.problems[0].message.find("SIGBUS"), std::string::npos);
        before_op(2, [&] { fs::resize_file(run_directory() / "file0", 4096); });
    }
    EXPECT_EQ(left_behind(), 0U);
}

TEST_F(Engine, AKilledProcessIsReported) {
    const std::string children = "/proc/self/task/" + std::to_string(::gettid()) + "/children";
    before_op(3, [&] {
        std::ifstream list(children);
        pid_t child = 0;
        ASSERT_TRUE(list >> child);
        ASSERT_EQ(::kill(child, SIGKILL), 0);
    });
    const RunResult result = done(parsed("workers threads=1 processes=2\n"
                                         "file 0 size=8192 start=written\n"
                                         "1 store file=0 off=0 len=10 by=1\n"
                                         "2 evict file=0\n"
                                         "3 store file=0 off=0 len=10 by=1\n"
                                         "4 evict file=0\n"));
    EXPECT_EQ(result.verdict(), Verdict::unknown);
    ASSERT_FALSE(result.problems.empty());
    EXPECT_EQ(result.problems[0].message, "process 1 of the run was killed by signal 9");
    EXPECT_EQ(left_behind(), 0U);
}

TEST_F(Engine, RefusesADirectoryThatCannotBeUsed) {
    const Schedule schedule = parsed("file 0 size=1\n1 commit\n");
    settings_.directory = directory_.path() / "none";
    auto result = run(settings_, source_of(schedule));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().verdict, Verdict::usage);
    EXPECT_EQ(result.error().message,
              "cannot use " + settings_.directory + ": No such file or directory");
    std::ofstream(settings_.directory) << "a file";
    result = run(settings_, source_of(schedule));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "cannot use " + settings_.directory + ": Not a directory");
    settings_.directory = directory_.path();
    settings_.disk = "/nonexistent";
    result = run(settings_, source_of(schedule));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().verdict, Verdict::usage);
    EXPECT_EQ(left_behind(), 1U);
}

TEST_F(Engine, TheScheduleIsWrittenDownAsItRuns) {
    const Schedule schedule = parsed(kEverything);
    settings_.schedule_file = directory_.path() / "schedule";
    Schedule expected = schedule;
    struct statvfs found{};
    ASSERT_EQ(::statvfs(directory_.path().c_str(), &found), 0);
    if (partialfs::model::BlockSize::from_bytes(found.f_bsize)) {
        expected.header.block_size = static_cast<std::uint32_t>(found.f_bsize);
    }
    EXPECT_EQ(done(schedule).schedule, print_schedule(expected)) << "with what it ran under";
    EXPECT_EQ(read_file(settings_.schedule_file), print_schedule(expected));
    settings_.schedule_file.clear();
    settings_.record_ops = 38;
    EXPECT_EQ(done(schedule).schedule, "") << "too long to keep";
    settings_.record_ops = 39;
    EXPECT_EQ(done(schedule).schedule, print_schedule(expected));
}

} // namespace
} // namespace mmapstress
