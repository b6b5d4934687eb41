// What a run finds on disk, and when it may report that it is clean.
#include "tests/unit/mmapstress/engine/engine_fixture.hpp"
#include "tools/mmapstress/verify/recheck.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;
using RunVerify = Engine;

TEST_F(RunVerify, AStoreThatWasLeftOutIsFound) {
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

TEST_F(RunVerify, BytesChangedFromOutsideAreFound) {
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

TEST_F(RunVerify, AFileTooShortOrTooLongIsFound) {
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

TEST_F(RunVerify, AStoppedRunIsVerifiedAsFarAsItGot) {
    settings_.stop = [count = 0]() mutable { return ++count > 2; };
    const RunResult result = done(parsed("file 0 size=8192 start=sparse\n"
                                         "1 store file=0 off=0 len=10\n"
                                         "2 store file=0 off=100 len=10\n"
                                         "3 store file=0 off=200 len=10\n"));
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(result.ops, 2U);
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
}

TEST_F(RunVerify, NothingCheckedIsNotClean) {
    const RunResult result = done(parsed("file 0 size=0 start=sparse\n1 commit\n"));
    EXPECT_EQ(result.verdict(), Verdict::unknown);
}

TEST_F(RunVerify, FilesThatNothingWasStoredInAreNotClean) {
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

TEST_F(RunVerify, ARunStoppedBeforeItsFirstStoreIsCleanOnlyAfterOthers) {
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

TEST_F(RunVerify, AReportOfNothingIsNotVerifiedAsClean) {
    settings_.keep = true;
    LoadedReport loaded;
    loaded.report.result = done(parsed("file 0 size=8192 start=sparse\n1 commit\n"));
    const auto result = recheck(settings_, loaded, nullptr);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->verdict(), Verdict::unknown);
    EXPECT_EQ(result->ops, 1U);
    EXPECT_EQ(result->problems.size(), 1U);
}

TEST_F(RunVerify, TheJudgeReadsFromDiskAndItsWordCounts) {
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

TEST_F(RunVerify, TheDiskBehindIsComparedToo) {
    // For this test the directory itself can stand for the disk.
    settings_.disk = directory_.path();
    const RunResult result =
        done(parsed("file 0 size=8192 start=written\n1 store file=0 off=0 len=1\n"));
    EXPECT_EQ(result.verdict(), Verdict::clean);
    const StageResult& disk = result.stages[static_cast<std::size_t>(Stage::disk)];
    EXPECT_EQ(disk.state, StageResult::State::checked);
    EXPECT_EQ(disk.bytes, 8192U);
}

TEST_F(RunVerify, KeptFilesCanBeCheckedAgain) {
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
    ASSERT_TRUE(gone) << gone.error().message;
    EXPECT_EQ(gone->verdict(), Verdict::damaged);
    EXPECT_EQ(problems_of(*gone), "0: " + result.files[1] + " is gone\n");
    const std::uint64_t size = result.sizes[1].value;
    EXPECT_EQ(wrong_bytes(gone->damage, Stage::evicted),
              (std::vector<DamagedBytes>{{FileIndex{1}, {ByteOffset{0}, ByteOffset{size}}}}));
    for (const DamagedRange& range : gone->damage) {
        EXPECT_EQ(range.kind, DamageKind::missing);
    }
    fs::remove_all(result.directory);
    const auto none = recheck(settings_, {*report, std::nullopt}, nullptr);
    ASSERT_TRUE(none) << none.error().message;
    EXPECT_EQ(none->verdict(), Verdict::damaged) << "all of them were synced, and are gone";
    std::uint64_t all = 0;
    for (const ByteCount bytes : result.sizes) {
        all += bytes.value;
    }
    EXPECT_EQ(none->stages[static_cast<std::size_t>(Stage::evicted)].wrong, all);
    Report removed = *report;
    removed.result.kept = false;
    const auto not_kept = recheck(settings_, {removed, std::nullopt}, nullptr);
    ASSERT_FALSE(not_kept) << "the run itself has removed them";
    EXPECT_EQ(not_kept.error().verdict, Verdict::usage);
}

/// Limits the size of this process' files, as if the disk were full.
class SizeLimit {
  public:
    explicit SizeLimit(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit now{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    SizeLimit(const SizeLimit&) = delete;
    SizeLimit& operator=(const SizeLimit&) = delete;
    ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

constexpr const char* kRefused = "file 0 size=8192 start=sparse\n"
                                 "1 store file=0 off=0 len=100\n"
                                 "2 store file=0 off=4096 len=50\n"
                                 "3 fsync file=0\n"
                                 "4 store file=0 off=200 len=100\n"
                                 "5 write file=0 off=60000 len=10000\n"
                                 "6 store file=0 off=300 len=100\n";

TEST_F(RunVerify, AfterAnErrorWhatHadBeenSyncedIsVerified) {
    const SizeLimit limit(65536);
    const RunResult result = done(parsed(kRefused));
    EXPECT_EQ(result.verdict(), Verdict::unknown) << "not all of it could be carried out";
    ASSERT_EQ(result.problems.size(), 1U) << problems_of(result);
    EXPECT_EQ(result.problems[0].op, OpId{5});
    EXPECT_EQ(result.ops, 4U);
    ASSERT_TRUE(result.cut_short);
    EXPECT_EQ(result.cut_short->done, OpId{4});
    EXPECT_EQ(result.cut_short->begun, OpId{5});
    EXPECT_EQ(result.cut_short->synced_bytes, 8192U);
    const StageResult& cold = result.stages[static_cast<std::size_t>(Stage::evicted)];
    EXPECT_EQ(cold.state, StageResult::State::checked) << cold.reason;
    EXPECT_GE(cold.bytes, 8192U);
    EXPECT_FALSE(result.kept);
}

TEST_F(RunVerify, AfterAnErrorLossOfWhatHadBeenSyncedIsDamageAndOfTheRestIsNot) {
    const SizeLimit limit(65536);
    settings_.drop = OpId{2};
    const RunResult lost = done(parsed(kRefused));
    EXPECT_EQ(lost.verdict(), Verdict::damaged) << problems_of(lost);
    EXPECT_EQ(wrong_bytes(lost.damage, Stage::evicted),
              (std::vector<DamagedBytes>{{FileIndex{0}, {ByteOffset{4096}, ByteOffset{4146}}}}));
    fs::remove_all(lost.directory);
    settings_.drop = OpId{4};
    EXPECT_EQ(done(parsed(kRefused)).verdict(), Verdict::unknown) << "it had not been synced";
}

TEST_F(RunVerify, BytesThatWereStoredAreCountedApartFromHoles) {
    const RunResult result = done(parsed("file 0 size=1048576 start=sparse\n"
                                         "1 store file=0 off=0 len=1000\n"
                                         "2 store file=0 off=500 len=1000\n"
                                         "3 punch file=0 off=0 len=100\n"));
    ASSERT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
    const StageResult& cold = result.stages[static_cast<std::size_t>(Stage::evicted)];
    EXPECT_EQ(cold.bytes, 1048576U);
    EXPECT_EQ(cold.stored, 1400U);
    EXPECT_EQ(cold.holes, 0U) << "a small file is read all over";
}

TEST_F(RunVerify, HolesOfALargeFileAreNotReadButWhatStandsInThemIsFound) {
    const std::string text = "file 0 size=4294967296 start=sparse\n"
                             "1 store file=0 off=1000000 len=1000\n"
                             "2 store file=0 off=3000000000 len=10\n";
    const RunResult clean = done(parsed(text));
    EXPECT_EQ(clean.verdict(), Verdict::clean) << problems_of(clean);
    const StageResult& cold = clean.stages[static_cast<std::size_t>(Stage::evicted)];
    EXPECT_EQ(cold.bytes, 4294967296U);
    if (cold.holes == 0) {
        GTEST_SKIP() << clean.filesystem << " is not trusted with holes";
    }
    EXPECT_GT(cold.holes, 4290000000U);
    settings_.drop = OpId{2};
    const RunResult lost = done(parsed(text));
    EXPECT_EQ(wrong_bytes(lost.damage, Stage::evicted),
              (std::vector<DamagedBytes>{
                  {FileIndex{0}, {ByteOffset{3000000000}, ByteOffset{3000000010}}}}));
    fs::remove_all(lost.directory);
    settings_.drop.reset();
    before_op(2, [&] {
        std::fstream file(run_directory() / "file0",
                          std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(2000000000);
        file << "damage";
    });
    const RunResult foreign = done(parsed(text));
    EXPECT_EQ(wrong_bytes(foreign.damage, Stage::evicted),
              (std::vector<DamagedBytes>{
                  {FileIndex{0}, {ByteOffset{2000000000}, ByteOffset{2000000006}}}}));
}

TEST_F(RunVerify, TheLogNamesATruncateNotBeforeItsTurn) {
    // Otherwise a crash before the truncate would excuse the loss of all bytes that it would cut
    // off.
    settings_.report_file = directory_.path() / "r";
    std::string begun;
    settings_.stop = [&, count = 0]() mutable {
        if (++count == 4) { // before the truncate
            std::ostringstream text;
            text << std::ifstream(settings_.report_file + ".progress").rdbuf();
            begun = text.str();
        }
        return false;
    };
    const RunResult result = done(parsed("file 0 size=8192 start=sparse\n"
                                         "1 store file=0 off=0 len=100\n"
                                         "2 fsync file=0\n"
                                         "3 store file=0 off=0 len=100\n"
                                         "4 truncate file=0 size=0\n"
                                         "5 append file=0 len=100\n"));
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
    EXPECT_NE(begun.find("begun 3\n"), std::string::npos) << begun;
    EXPECT_EQ(begun.find("begun 4"), std::string::npos) << begun;
    std::ostringstream text;
    text << std::ifstream(settings_.report_file + ".progress").rdbuf();
    EXPECT_NE(text.str().find("begun 5\n"), std::string::npos) << text.str();
}

TEST_F(RunVerify, WhereNoBlockDeviceIsBehindTheVerdictDoesNotSpeakOfDisks) {
    const RunResult result =
        done(parsed("file 0 size=4096 start=sparse\n1 store file=0 off=0 len=1\n"));
    struct stat found{};
    ASSERT_EQ(::stat(directory_.path().c_str(), &found), 0);
    EXPECT_EQ(result.on_disk, major(found.st_dev) != 0) << result.filesystem;
}

} // namespace
} // namespace mmapstress
