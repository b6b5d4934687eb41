// The engine on the real filesystem that temporary files are on.
#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/engine/rounds.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/verify/recheck.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;

class Engine : public testing::Test {
  protected:
    void SetUp() override {
        struct statfs found{};
        ASSERT_EQ(::statfs(directory_.path().c_str(), &found), 0);
        if (found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC) {
            GTEST_SKIP() << "temporary files are in memory: set TMPDIR to a directory on a disk";
        }
        settings_.directory = directory_.path();
    }

    Schedule parsed(const std::string& body) {
        const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 3\n" + body);
        EXPECT_TRUE(schedule) << schedule.error().message();
        return *schedule;
    }

    RunResult done(const Schedule& schedule, Judge judge = nullptr) {
        auto result = run(settings_, source_of(schedule), judge);
        EXPECT_TRUE(result) << result.error().message;
        return std::move(*result);
    }

    static std::string problems_of(const RunResult& result) {
        std::string all;
        for (const Problem& problem : result.problems) {
            all += std::to_string(problem.op.value) + ": " + problem.message + "\n";
        }
        return all;
    }

    [[nodiscard]] std::size_t left_behind() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()));
    }

    /// The only run directory there is now.
    [[nodiscard]] fs::path run_directory() const {
        return fs::directory_iterator(directory_.path())->path();
    }

    /// Does something to the run from outside, before its n-th operation.
    void before_op(std::uint64_t number, std::function<void()> what) {
        settings_.stop = [number, what = std::move(what), count = std::uint64_t{0}]() mutable {
            if (++count == number) {
                what();
            }
            return false;
        };
    }

    partialfs::testing::TemporaryDirectory directory_;
    RunSettings settings_;
};

const std::string kEverything = R"(file 0 size=20000 start=written
file 1 size=12288 start=partial+fsync
file 2 size=0 start=sparse
file 3 size=5000 start=written+fsync fill=255
1 start-write file=1 off=100 len=5000
2 store file=0 off=100 len=200
3 store file=0 map=1 off=4000 len=200
4 write file=0 off=5000 len=10000
5 append file=2 len=9000
6 store file=2 off=8990 len=10
7 fork-store file=0 off=150 len=20
8 commit
9 msync file=0
10 msync file=0 map=1 off=5000 len=100
11 msync-async file=0
12 fsync file=0
13 fdatasync file=1
14 sync_file_range file=0 off=0 len=8192
15 remap file=0
16 store file=0 off=19999 len=1
17 truncate file=0 size=10000
18 truncate file=0 size=30000
19 store file=0 off=25000 len=5000
20 punch file=0 off=4096 len=8192
21 read-check file=0
22 live-check file=0 off=3000 len=20000
23 direct-read-check file=0 off=100 len=7000
24 evict file=0
25 read-check file=0
26 store file=0 off=1 len=1 data=ff
27 map file=1 off=4096 len=4096
28 store file=1 off=4096 len=4096
29 unmap file=1
30 map file=1
31 fchmod file=1
32 read-fault file=1 off=8192
33 mprotect file=1
34 store file=1 off=8192 len=100 fill=0
35 madvise-dontneed file=1 off=0 len=12288
36 pause us=10
37 sync
38 append file=3 len=5000 fill=1
39 evict file=3
40 append file=3 len=1
)";

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
    // Every operation by another worker than the one before.
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
        if (workload.name == "pressure") {
            continue; // needs a control group, see the loop tests
        }
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

TEST_F(Engine, AStoreThatWasLeftOutIsFound) {
    settings_.drop = OpId{2};
    const RunResult result = done(parsed("file 0 size=8192 start=written\n"
                                         "1 store file=0 off=4000 len=1000\n"
                                         "2 store file=0 off=4050 len=100\n"
                                         "3 store file=0 off=4100 len=10\n"));
    EXPECT_EQ(result.verdict(), Verdict::damaged);
    const std::vector<DamagedBytes> wrong{{FileIndex{0}, {ByteOffset{4050}, ByteOffset{4100}}},
                                          {FileIndex{0}, {ByteOffset{4110}, ByteOffset{4150}}}};
    EXPECT_EQ(wrong_bytes(result.damage, Stage::evicted), wrong);
    EXPECT_EQ(wrong_bytes(result.damage, Stage::live), wrong);
    for (const DamagedRange& range : result.damage) {
        EXPECT_EQ(range.lost, OpId{2});
        EXPECT_EQ(range.kind, DamageKind::stale);
        EXPECT_EQ(range.origin, OpId{1});
    }
    EXPECT_TRUE(result.kept);
    EXPECT_EQ(left_behind(), 1U) << "damaged files are kept";
}

TEST_F(Engine, BytesChangedFromOutsideAreFound) {
    before_op(3, [&] {
        std::fstream file(run_directory() / "file0",
                          std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(6000);
        file << "damage";
    });
    const RunResult result = done(parsed("file 0 size=8192 start=written\n"
                                         "1 store file=0 off=0 len=1000\n"
                                         "2 commit\n3 commit\n"));
    EXPECT_EQ(result.verdict(), Verdict::damaged);
    ASSERT_EQ(result.damage.size(), 1U);
    EXPECT_EQ(result.damage[0].range, (ByteRange{ByteOffset{6000}, ByteOffset{6006}}));
    EXPECT_EQ(result.damage[0].kind, DamageKind::unclear) << "six bytes";
}

TEST_F(Engine, AFileTooShortOrTooLongIsFound) {
    const std::string text = "file 0 size=8192 start=written\n1 commit\n2 commit\n";
    before_op(2, [&] { fs::resize_file(run_directory() / "file0", 5000); });
    settings_.live_stage = false;
    const RunResult shorter = done(parsed(text));
    EXPECT_EQ(shorter.verdict(), Verdict::damaged);
    EXPECT_EQ(wrong_bytes(shorter.damage, Stage::evicted),
              (std::vector<DamagedBytes>{{FileIndex{0}, {ByteOffset{5000}, ByteOffset{8192}}}}));
    EXPECT_EQ(shorter.damage[0].kind, DamageKind::missing);
    fs::remove_all(shorter.directory);

    before_op(2, [&] { fs::resize_file(run_directory() / "file0", 9000); });
    const RunResult longer = done(parsed(text));
    EXPECT_EQ(longer.verdict(), Verdict::damaged);
    EXPECT_EQ(wrong_bytes(longer.damage, Stage::evicted),
              (std::vector<DamagedBytes>{{FileIndex{0}, {ByteOffset{8192}, ByteOffset{9000}}}}));
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

TEST_F(Engine, AStoppedRunIsVerifiedAsFarAsItGot) {
    settings_.stop = [count = 0]() mutable { return ++count > 2; };
    const RunResult result = done(parsed("file 0 size=8192 start=sparse\n"
                                         "1 store file=0 off=0 len=10\n"
                                         "2 store file=0 off=100 len=10\n"
                                         "3 store file=0 off=200 len=10\n"));
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(result.ops, 2U);
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
}

TEST_F(Engine, NothingCheckedIsNotClean) {
    const RunResult result = done(parsed("file 0 size=0 start=sparse\n1 commit\n"));
    EXPECT_EQ(result.verdict(), Verdict::unknown);
}

TEST_F(Engine, FilesThatNothingWasStoredInAreNotClean) {
    const std::string files = "file 0 size=8192 start=sparse\n";
    const std::string why =
        "0: no store or write was carried out, so there was nothing to be checked\n";
    for (const std::string ops : {"", "1 commit\n2 map file=0\n3 fsync file=0\n"}) {
        const RunResult result = done(parsed(files + ops));
        EXPECT_EQ(result.stages[static_cast<std::size_t>(Stage::evicted)].bytes, 8192U);
        EXPECT_EQ(result.verdict(), Verdict::unknown) << ops;
        EXPECT_EQ(problems_of(result), why);
    }
    for (const std::string op : {"store file=0 off=0 len=1", "write file=0 off=0 len=1",
                                 "append file=0 len=1", "fork-store file=0 off=0 len=1"}) {
        const RunResult result = done(parsed(std::string(files).append("1 ").append(op) + "\n"));
        EXPECT_EQ(result.verdict(), Verdict::clean) << op << problems_of(result);
    }
}

TEST_F(Engine, ARunStoppedBeforeItsFirstStoreIsCleanOnlyAfterOthers) {
    settings_.stop = [] { return true; };
    const Schedule schedule =
        parsed("file 0 size=8192 start=sparse\n1 store file=0 off=0 len=10\n");
    EXPECT_EQ(done(schedule).verdict(), Verdict::unknown);
    settings_.stored_before = true;
    EXPECT_EQ(done(schedule).verdict(), Verdict::clean);
    settings_.stop = nullptr;
    EXPECT_EQ(done(parsed("file 0 size=8192 start=sparse\n1 commit\n")).verdict(), Verdict::unknown)
        << "it was not stopped";
}

TEST_F(Engine, NoTimeForAnythingIsNotClean) {
    const auto result =
        run_rounds(settings_, {*workload_named("mix"), {}, std::chrono::milliseconds(0), nullptr});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->result.ops, 0U);
    EXPECT_EQ(result->result.verdict(), Verdict::unknown);
}

TEST_F(Engine, AReportOfNothingIsNotVerifiedAsClean) {
    settings_.keep = true;
    LoadedReport loaded;
    loaded.report.result = done(parsed("file 0 size=8192 start=sparse\n1 commit\n"));
    const auto result = recheck(settings_, loaded, nullptr);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->verdict(), Verdict::unknown);
    EXPECT_EQ(result->ops, 1U);
    EXPECT_EQ(result->problems.size(), 1U);
}

TEST_F(Engine, TheJudgeReadsFromDiskAndItsWordCounts) {
    const Judge judge = [](OpSource&, OpId last, const FileReader& read) {
        std::vector<std::byte> bytes(2);
        EXPECT_EQ(last, OpId{1});
        EXPECT_TRUE(read(FileIndex{0}, ByteOffset{10}, bytes));
        EXPECT_EQ(bytes, (std::vector<std::byte>{std::byte{1}, std::byte{1}}));
        return std::vector<std::string>{"I do not like it"};
    };
    const RunResult result =
        done(parsed("file 0 size=4096 start=sparse\n1 store file=0 off=10 len=2 fill=1\n"), judge);
    EXPECT_EQ(result.verdict(), Verdict::unknown);
    EXPECT_EQ(result.judgement, std::vector<std::string>{"I do not like it"});
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

TEST_F(Engine, TheDiskBehindIsComparedToo) {
    // The directory itself is as good a disk as any for this.
    settings_.disk = directory_.path();
    const RunResult result =
        done(parsed("file 0 size=8192 start=written\n1 store file=0 off=0 len=1\n"));
    EXPECT_EQ(result.verdict(), Verdict::clean);
    const StageResult& disk = result.stages[static_cast<std::size_t>(Stage::disk)];
    EXPECT_EQ(disk.state, StageResult::State::checked);
    EXPECT_EQ(disk.bytes, 8192U);
}

TEST_F(Engine, TheScheduleIsWrittenDownAsItRuns) {
    const Schedule schedule = parsed(kEverything);
    settings_.schedule_file = directory_.path() / "schedule";
    EXPECT_EQ(done(schedule).schedule, print_schedule(schedule));
    EXPECT_EQ(read_file(settings_.schedule_file), print_schedule(schedule));
    settings_.schedule_file.clear();
    settings_.record_ops = 38;
    EXPECT_EQ(done(schedule).schedule, "") << "too long to keep";
    settings_.record_ops = 39;
    EXPECT_EQ(done(schedule).schedule, print_schedule(schedule));
}

TEST_F(Engine, KeptFilesCanBeCheckedAgain) {
    settings_.keep = true;
    const Schedule schedule = parsed(kEverything);
    RunResult result = done(schedule);
    ASSERT_TRUE(result.kept);
    const auto report = parse_report(report_json(result, ReportState::finished));
    ASSERT_TRUE(report) << report.error();
    const auto again = recheck(settings_, {*report, std::nullopt}, nullptr);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->verdict(), Verdict::clean) << problems_of(*again);
    EXPECT_TRUE(again->judgement.empty());
    const auto judged =
        recheck(settings_, {*report, std::nullopt}, [](OpSource&, OpId, const FileReader& read) {
            std::array<std::byte, 1> first{};
            return std::vector<std::string>{read(FileIndex{1}, ByteOffset{0}, first) ? "read"
                                                                                     : "not read"};
        });
    ASSERT_TRUE(judged);
    EXPECT_EQ(judged->judgement, std::vector<std::string>{"read"});
    EXPECT_EQ(judged->verdict(), Verdict::unknown) << "the bytes are right, the checker complains";
    {
        std::fstream file(result.files[1], std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(4096);
        file << "damage";
    }
    const auto damaged = recheck(settings_, {*report, std::nullopt}, nullptr);
    ASSERT_TRUE(damaged);
    EXPECT_EQ(damaged->verdict(), Verdict::damaged);
    ASSERT_EQ(damaged->damage.size(), 1U);
    EXPECT_EQ(damaged->damage[0].lost, OpId{28});
    fs::remove(result.files[1]);
    const auto gone = recheck(settings_, {*report, std::nullopt}, nullptr);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().verdict, Verdict::unknown);
    fs::remove_all(result.directory);
    const auto none = recheck(settings_, {*report, std::nullopt}, nullptr);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().verdict, Verdict::usage);
}

} // namespace
} // namespace mmapstress
