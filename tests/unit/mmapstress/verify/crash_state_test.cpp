// What a crash may leave, and what it must not.
#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/schedule/durability.hpp"
#include "tools/schedule/op_walker.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace mmapstress {
namespace {

constexpr FileIndex kFile{0};

Schedule schedule_of_lines(const std::string& lines) {
    auto schedule = parse_schedule("mmapstress-schedule 1\nseed 9\n" + lines);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return std::move(*schedule);
}

RunProgress progress_of(std::uint64_t begun, std::vector<OpId> done) {
    return {OpId{begun}, std::move(done), false};
}

/// The bytes of `disk` that may not be there, their offsets.
std::vector<std::uint64_t> refused(CrashState& state, const std::vector<std::byte>& disk) {
    std::vector<std::uint64_t> offsets;
    state.settle(kFile, ByteCount{disk.size()});
    const std::uint64_t size = state.expected().size(kFile).value;
    for (std::uint64_t at = size; at < disk.size(); ++at) {
        offsets.push_back(at); // too long
    }
    for (std::uint64_t at = disk.size(); at < size; ++at) {
        offsets.push_back(at); // too short
    }
    const std::span<const std::byte> have = std::span(disk).first(std::min(size, disk.size()));
    state.expected().compare(kFile, ByteOffset{0}, have, [&](ByteRange range, Writer /*writer*/) {
        state.refuse(kFile, range, have.subspan(range.begin.value, range.size().value),
                     [&](ByteRange part) {
                         for (std::uint64_t at = part.begin.value; at != part.end.value; ++at) {
                             offsets.push_back(at);
                         }
                     });
    });
    return offsets;
}

class OneByte : public testing::Test {
  protected:
    /// Whether the file may be `size` bytes of which byte 10 is that of the operation, or zero.
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

/// Random operations on one file of three pages, with syncs between.
Schedule random_schedule(std::mt19937& random) {
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    std::string lines = "file 0 size=9000 start=sparse\n";
    std::uint64_t size = 9000;
    for (int id = 1; id <= 40; ++id) {
        const std::uint64_t at = below(8000);
        const std::string range =
            " off=" + std::to_string(at) + " len=" + std::to_string(1 + below(2000)) + "\n";
        lines += std::to_string(id);
        const std::uint64_t die = below(10);
        if (die < 4 && size >= 9000) {
            lines += " store file=0" + range;
        } else if (die < 6) {
            lines += " write file=0" + range;
            size = std::max<std::uint64_t>(size, 9000);
        } else if (die == 6) {
            size = 9000 + below(3000);
            lines += " truncate file=0 size=" + std::to_string(size) + "\n";
        } else if (die == 7) {
            lines += " punch file=0" + range;
        } else {
            lines += die == 8 ? " fsync file=0\n" : " pause us=0\n";
        }
    }
    return schedule_of_lines(lines);
}

TEST(CrashState, RefusesNothingThatACrashMayLeaveAndFindsASyncedStoreThatIsGone) {
    std::mt19937 random(4); // NOLINT: the same each time
    std::size_t lost_found = 0;
    for (int round = 0; round < 300; ++round) {
        const Schedule schedule = random_schedule(random);
        // Carried out up to `done`, which is a sync; a few more begun.
        std::vector<OpId> syncs;
        for (const Op& op : schedule.ops) {
            if (durable_after(op, CommitBy::sibling) != Durable::nothing) {
                syncs.push_back(op.id);
            }
        }
        if (syncs.empty()) {
            continue;
        }
        const OpId done = syncs[random() % syncs.size()];
        const RunProgress progress = progress_of(done.value + random() % 8, {done});
        CrashState state(source_of(schedule), progress);
        // Of what came after the sync, each byte of each operation is on disk or is not.
        Expected synced(schedule.header);
        for (const Op& op : schedule.ops) {
            if (op.id <= done) {
                synced.apply(op);
            }
        }
        std::vector<std::byte> disk(synced.size(kFile).value);
        synced.fill(kFile, ByteOffset{0}, disk);
        const std::vector<std::byte> before = disk;
        Expected memory(schedule.header); // what the operations see, whatever reaches the disk
        for (const Op& op : schedule.ops) {
            memory.apply(op);
            if (op.id <= done || op.id > progress.begun || random() % 3 == 0) {
                continue;
            }
            if (op.kind == OpKind::truncate) {
                disk.resize(op.length.value);
                continue;
            }
            if (!traits_of(op.kind).has_content && op.kind != OpKind::punch) {
                continue;
            }
            const std::uint64_t end = std::min<std::uint64_t>(
                {op.range().end.value, disk.size(), memory.size(kFile).value});
            for (std::uint64_t at = op.offset.value; at < end; ++at) {
                if (random() % 4 != 0) {
                    continue;
                }
                disk[at] = std::byte{0};
                if (op.kind != OpKind::punch) {
                    fill_pattern(std::span(disk).subspan(at, 1), 9, kFile, op.id, ByteOffset{at});
                }
            }
        }
        EXPECT_EQ(refused(state, disk), std::vector<std::uint64_t>{})
            << print_schedule(schedule) << "done " << done.value << " begun "
            << progress.begun.value;
        // A store that the sync covered, as if it had never come.
        CrashState strict(source_of(schedule), progress_of(done.value, {done}));
        std::vector<std::byte> spoilt = before;
        for (const Op& op : schedule.ops) {
            if (op.kind == OpKind::store && op.id < done) {
                spoilt[op.offset.value] ^= std::byte{0x80};
                EXPECT_EQ(refused(strict, spoilt), std::vector{op.offset.value});
                ++lost_found;
                break;
            }
        }
    }
    EXPECT_GT(lost_found, 100U);
}

} // namespace
} // namespace mmapstress
