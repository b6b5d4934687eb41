// Which bytes a crash may leave, and which not.
#include "tests/unit/mmapstress/verify/crash_state_fixture.hpp"
#include "tools/mmapstress/verify/expected.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace mmapstress {
namespace {

class OneByte : public testing::Test {
  protected:
    /// Whether a crash may leave the file with `size` bytes, with byte 10 from operation `op`, or
    /// zero.
    bool may_be(const std::string& lines, const RunProgress& progress, std::optional<OpId> op,
                std::uint64_t size = 16) {
        const Schedule schedule = schedule_of_lines("file 0 size=16 start=sparse\n" + lines);
        CrashState state(source_of(schedule), progress);
        std::vector<std::byte> disk(size);
        if (op) {
            fill_pattern(std::span(disk).subspan(10, 1), 9, kFile, *op, ByteOffset{10});
        }
        return refused(state, disk).empty();
    }
};

TEST_F(OneByte, UntilASyncEverythingIsRight) {
    const std::string lines = "1 store file=0 off=10 len=1\n2 store file=0 off=10 len=1\n"
                              "3 fsync file=0\n";
    const RunProgress nothing_synced = progress_of(9, {});
    EXPECT_TRUE(may_be(lines, nothing_synced, std::nullopt));
    EXPECT_TRUE(may_be(lines, nothing_synced, OpId{1}));
    EXPECT_TRUE(may_be(lines, nothing_synced, OpId{2}));
    EXPECT_TRUE(may_be(lines, nothing_synced, std::nullopt, 0)) << "its size was not synced either";
    EXPECT_FALSE(may_be(lines, nothing_synced, OpId{7})) << "nobody wrote that";
}

TEST_F(OneByte, AfterASyncTheOldIsWrong) {
    const std::string lines = "1 store file=0 off=10 len=1\n2 store file=0 off=10 len=1\n"
                              "3 fsync file=0\n4 store file=0 off=10 len=1\n"
                              "5 store file=0 off=10 len=1\n";
    const RunProgress synced = progress_of(4, {OpId{3}});
    EXPECT_FALSE(may_be(lines, synced, std::nullopt));
    EXPECT_FALSE(may_be(lines, synced, OpId{1}));
    EXPECT_TRUE(may_be(lines, synced, OpId{2}));
    EXPECT_TRUE(may_be(lines, synced, OpId{4})) << "not synced, but written back perhaps";
    EXPECT_FALSE(may_be(lines, synced, OpId{5})) << "that had not been begun";
    EXPECT_FALSE(may_be(lines, synced, OpId{2}, 11)) << "its size was synced";
}

TEST_F(OneByte, MsyncIsForItsPagesAndNotForTheSize) {
    const std::string lines = "1 store file=0 off=10 len=1\n2 msync file=0\n"
                              "3 store file=0 off=10 len=1\n";
    EXPECT_FALSE(may_be(lines, progress_of(3, {OpId{2}}), std::nullopt));
    EXPECT_TRUE(may_be(lines, progress_of(3, {OpId{2}}), OpId{1}));
    EXPECT_TRUE(may_be(lines, progress_of(3, {OpId{2}}), OpId{3}));
}

TEST_F(OneByte, WhatPromisesNothingSyncsNothing) {
    for (const std::string call : {"sync_file_range file=0 off=0 len=16", "msync-async file=0",
                                   "commit", "unmap file=0", "pause us=1"}) {
        const std::string lines = "1 store file=0 off=10 len=1\n2 " + call + "\n";
        EXPECT_TRUE(may_be(lines, progress_of(3, {OpId{2}}), std::nullopt)) << call;
    }
    for (const std::string call : {"fdatasync file=0", "evict file=0", "sync"}) {
        const std::string lines = "1 store file=0 off=10 len=1\n2 " + call + "\n";
        EXPECT_FALSE(may_be(lines, progress_of(3, {OpId{2}}), std::nullopt)) << call;
    }
}

TEST_F(OneByte, ASyncThatAServerIsNotToldOfPromisesNothing) {
    EXPECT_EQ(sync_reaches("ext4"), SyncReaches::disk);
    for (const char* filesystem : {"fuse", "fuse.partialfs", "fuseblk", "virtiofs", "9p"}) {
        EXPECT_EQ(sync_reaches(filesystem), SyncReaches::nothing) << filesystem;
    }
    const std::string file = "file 0 size=16 start=sparse\n1 store file=0 off=10 len=1\n";
    for (const std::string op : {"2 sync\n", "2 commit\n"}) {
        const Schedule schedule = schedule_of_lines("commit-by syncfs\n" + file + op);
        std::vector<std::byte> disk(16); // without the store
        for (const SyncReaches sync : {SyncReaches::disk, SyncReaches::nothing}) {
            CrashState state(source_of(schedule), progress_of(3, {OpId{2}}), sync);
            EXPECT_EQ(refused(state, disk).empty(), sync == SyncReaches::nothing) << op;
        }
    }
}

TEST_F(OneByte, ATruncationThatWasNotSyncedMayHaveHappened) {
    const std::string lines =
        "1 write file=0 off=0 len=16\n2 fsync file=0\n3 truncate file=0 size=4\n"
        "4 write file=0 off=12 len=4\n";
    const RunProgress synced = progress_of(4, {OpId{2}});
    const Schedule schedule = schedule_of_lines("file 0 size=16 start=sparse\n" + lines);
    CrashState state(source_of(schedule), synced);
    std::vector<std::byte> disk(16);
    fill_pattern(disk, 9, kFile, OpId{1}, ByteOffset{0});
    EXPECT_TRUE(refused(state, disk).empty()) << "neither has";
    disk.resize(4);
    EXPECT_TRUE(refused(state, disk).empty()) << "truncated";
    disk.resize(16);
    EXPECT_TRUE(refused(state, disk).empty()) << "truncated, and the write's size";
    disk.resize(3);
    EXPECT_EQ(refused(state, disk), std::vector<std::uint64_t>{3});
    std::vector<std::byte> gone(4);
    EXPECT_EQ(refused(state, gone).size(), 4U) << "below the truncation all must be there";
}

TEST_F(OneByte, AfterTheEndEverythingMustBeThere) {
    const std::string lines = "1 store file=0 off=10 len=1\n2 store file=0 off=10 len=1\n";
    RunProgress ended = progress_of(2, {OpId{2}});
    ended.ended = true;
    EXPECT_TRUE(may_be(lines, ended, OpId{2}));
    EXPECT_FALSE(may_be(lines, ended, OpId{1}));
}

TEST(CrashState, OfSeveralWorkersOnlyWhatHadComeTogetherBeforeTheSyncIsSynced) {
    const Schedule schedule =
        schedule_of_lines("workers threads=2 processes=1\nfile 0 size=8192 start=sparse\n"
                          "1 store file=0 off=0 len=10\n2 store file=0 off=4096 len=10 by=1\n"
                          "3 fsync file=0\n");
    const std::vector<std::byte> zeros(8192);
    CrashState together(source_of(schedule), progress_of(9, {OpId{3}}));
    EXPECT_TRUE(refused(together, zeros).empty()) << "both may have come after the fsync";
    CrashState before(source_of(schedule), progress_of(9, {OpId{1}, OpId{3}}));
    EXPECT_EQ(refused(before, zeros).size(), 10U) << "the first had been done before";
}

TEST(CrashState, CountsTheBytesThatMustBeThere) {
    const Schedule schedule =
        schedule_of_lines("file 0 size=8192 start=sparse\nfile 1 size=100 start=sparse\n"
                          "1 store file=0 off=0 len=10\n2 msync file=0 off=0 len=4096\n"
                          "3 fsync file=1\n");
    const auto bytes = [&](std::vector<OpId> done) {
        return CrashState(source_of(schedule), progress_of(9, std::move(done))).synced_bytes();
    };
    EXPECT_EQ(bytes({}), 0U);
    EXPECT_EQ(bytes({OpId{2}}), 4096U);
    EXPECT_EQ(bytes({OpId{3}}), 4196U);
}

TEST(CrashState, KnowsBytesThatWereMoved) {
    const std::string stored = "file 0 size=12288 start=written+fsync\n"
                               "file 1 size=8192 start=sparse\n"
                               "1 store file=0 off=4096 len=4096\n"
                               "2 store file=1 off=0 len=8192\n";
    struct Case {
        std::string op;
        OpId id;            ///< the operation whose bytes are moved
        FileIndex from;     ///< the file into which it put them
        std::uint64_t size; ///< of file 0 afterwards
        std::uint64_t at;   ///< where 4096 of these bytes are then
        std::uint64_t shift;
    };
    for (const Case& one :
         {Case{"collapse file=0 off=0 len=4096", OpId{1}, kFile, 8192, 0, 4096},
          Case{"insert file=0 off=4096 len=4096", OpId{1}, kFile, 16384, 8192, 0 - 4096ULL},
          Case{"copy file=0 off=8192 len=4096 source=1 from=4096", OpId{2}, FileIndex{1}, 12288,
               8192, 0 - 4096ULL},
          Case{"clone file=0 off=0 len=4096 source=1 from=4096", OpId{2}, FileIndex{1}, 12288, 0,
               4096},
          Case{"clone-file file=0 len=8192 source=1", OpId{2}, FileIndex{1}, 12288, 4096, 0}}) {
        SCOPED_TRACE(one.op);
        const Schedule schedule = schedule_of_lines(stored + "3 " + one.op + "\n4 fsync file=0\n");
        Expected after(schedule.header);
        std::ranges::for_each(schedule.ops, [&](const Op& op) { after.apply(op); });
        Expected before(schedule.header);
        before.apply(schedule.ops[0]);
        const auto bytes_of = [](const Expected& expected) {
            std::vector<std::byte> bytes(expected.size(kFile).value);
            expected.fill(kFile, ByteOffset{0}, bytes);
            return bytes;
        };
        ASSERT_EQ(after.size(kFile).value, one.size);
        std::vector<std::byte> wanted(4096);
        fill_pattern(wanted, 9, one.from, one.id, ByteOffset{one.at + one.shift});
        std::vector<std::byte> disk = bytes_of(after);
        EXPECT_TRUE(std::ranges::equal(wanted, std::span(disk).subspan(one.at, 4096)));
        CrashState synced(source_of(schedule), progress_of(4, {OpId{4}}));
        EXPECT_TRUE(refused(synced, disk).empty());
        disk[one.at + 7] ^= std::byte{1};
        EXPECT_EQ(refused(synced, disk), std::vector{one.at + 7}) << "the moved byte was synced";
        CrashState perhaps(source_of(schedule), progress_of(4, {}));
        EXPECT_TRUE(refused(perhaps, bytes_of(after)).empty());
        EXPECT_TRUE(refused(perhaps, bytes_of(before)).empty()) << "it may not have come to it";
        EXPECT_EQ(refused(perhaps, disk), std::vector{one.at + 7}) << "nobody put that there";
    }
}
} // namespace
} // namespace mmapstress
