// Which bytes a crash may leave, and which not.
#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/op_walker.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
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

/// The offsets of all bytes of `disk` that a crash may not have left.
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

/// Random operations on two files of three pages, with syncs in between.
Schedule random_schedule(std::mt19937& random) {
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    const std::string header = "file 0 size=9000 start=sparse\nfile 1 size=12000 start=written\n";
    Schedule schedule = schedule_of_lines(header);
    OpChecker checker(schedule.header);
    constexpr std::array kKinds{OpKind::store,    OpKind::store, OpKind::store,      OpKind::write,
                                OpKind::truncate, OpKind::punch, OpKind::collapse,   OpKind::insert,
                                OpKind::copy,     OpKind::clone, OpKind::fsync,      OpKind::fsync,
                                OpKind::fsync,    OpKind::pause, OpKind::clone_file, OpKind::append,
                                OpKind::write,    OpKind::store};
    for (std::uint64_t id = 1; id <= 60; ++id) {
        Op op;
        op.id = OpId{id};
        op.kind = kKinds[below(kKinds.size())];
        const OpTraits& traits = traits_of(op.kind);
        op.file = FileIndex{static_cast<std::uint32_t>(traits.has_file ? below(3) / 2 : 0)};
        op.source = FileIndex{static_cast<std::uint32_t>(traits.has_source ? below(2) : 0)};
        const auto units = [&](std::uint64_t limit) {
            return below(limit / traits.unit + 1) * traits.unit;
        };
        op.offset.value = traits.has_offset ? units(12000) : 0;
        op.length.value = traits.has_length ? 1 + below(2000) : 0;
        op.length.value = (op.length.value + traits.unit - 1) / traits.unit * traits.unit;
        op.from.value = traits.has_source && traits.has_offset ? units(12000) : 0;
        if (op.kind == OpKind::clone_file) {
            op.length = checker.size(op.source);
        } else if (op.kind == OpKind::truncate) {
            op.length.value += 9000;
        }
        if (OpChecker trial = checker; !trial.check(op)) {
            checker = trial;
            schedule.ops.push_back(op);
        }
    }
    return schedule;
}

/// Two files as a crash left them.
class Disk {
  public:
    explicit Disk(const Expected& expected) {
        for (std::uint32_t i = 0; i < 2; ++i) {
            files_[i].resize(expected.size(FileIndex{i}).value);
            expected.fill(FileIndex{i}, ByteOffset{0}, files_[i]);
        }
    }
    [[nodiscard]] const std::vector<std::byte>& first() const { return files_[0]; }

    /// Puts on disk, at random, what an operation changed of a file of `before` bytes: each byte or
    /// not. A new size and moved bytes come as a whole or not at all, and not after an earlier one
    /// that did not come, as a journal keeps their order.
    void reach(std::mt19937& random, Op op, ByteCount before) {
        std::vector<std::byte>& file = files_[op.file.value];
        const ByteCount after = size_after(op, before);
        if (after != before || moves_bytes(op)) {
            in_order_ = in_order_ && random() % 3 != 0;
            if (!in_order_) {
                return;
            }
        }
        if (op.kind == OpKind::collapse || op.kind == OpKind::insert) {
            move(op);
            return;
        }
        if (after != before) {
            file.resize(after.value);
        }
        if (moves_bytes(op)) {
            move(op);
            return;
        }
        if (op.kind == OpKind::append) {
            op.offset = ByteOffset{before.value};
        }
        if (!traits_of(op.kind).has_content && op.kind != OpKind::punch) {
            return;
        }
        const ByteRange changed = intersect(changed_bytes(op, before), op.range());
        const std::uint64_t end = std::min<std::uint64_t>(changed.end.value, file.size());
        for (std::uint64_t at = changed.begin.value; at < end; ++at) {
            if (random() % 4 != 0) {
                continue;
            }
            file[at] = std::byte{0};
            if (op.kind != OpKind::punch) {
                fill_pattern(std::span(file).subspan(at, 1), 9, op.file, op.id, ByteOffset{at});
            }
        }
    }

  private:
    void move(const Op& op) {
        std::vector<std::byte>& file = files_[op.file.value];
        const std::vector<std::byte> source = files_[op.source.value];
        const auto at = [](auto& bytes, std::uint64_t offset) {
            return bytes.begin() + static_cast<std::ptrdiff_t>(offset);
        };
        if (op.kind == OpKind::collapse && op.range().end.value < file.size()) {
            file.erase(at(file, op.offset.value), at(file, op.range().end.value));
        } else if (op.kind == OpKind::insert && op.offset.value < file.size()) {
            file.insert(at(file, op.offset.value), op.length.value, std::byte{0});
        } else if (traits_of(op.kind).has_source && op.source_range().end.value <= source.size() &&
                   op.range().end.value <= file.size()) {
            std::copy(at(source, op.from.value), at(source, op.source_range().end.value),
                      at(file, op.offset.value));
        }
    }

    std::array<std::vector<std::byte>, 2> files_;
    bool in_order_ = true;
};

TEST(CrashState, RefusesNothingThatACrashMayLeaveAndFindsASyncedStoreThatIsGone) {
    std::mt19937 random(4); // NOLINT: the same sequence each time
    std::size_t lost_found = 0;
    for (int round = 0; round < 600; ++round) {
        const Schedule schedule = random_schedule(random);
        // The operations up to `done`, a sync, were carried out; a few more were begun.
        std::vector<OpId> syncs;
        for (const Op& op : schedule.ops) {
            if (op.kind == OpKind::fsync && op.file == kFile) {
                syncs.push_back(op.id);
            }
        }
        if (syncs.empty()) {
            continue;
        }
        const OpId done = syncs[random() % syncs.size()];
        const RunProgress progress = progress_of(done.value + random() % 8, {done});
        CrashState state(source_of(schedule), progress);
        // Of the operations after the sync, each byte is on disk or is not.
        Expected memory(schedule.header); // what the operations see, whatever is on disk
        std::optional<Disk> disk;
        OpWalker walker(std::make_unique<ScheduleSource>(schedule));
        for (const Op* op = walker.next(); op != nullptr; op = walker.next()) {
            const ByteCount before = memory.size(op->file);
            memory.apply(*op);
            if (op->id == done) {
                disk.emplace(memory);
            } else if (op->id > done && op->id <= progress.begun) {
                disk->reach(random, *op, before);
            }
        }
        EXPECT_EQ(refused(state, disk->first()), std::vector<std::uint64_t>{})
            << print_schedule(schedule) << "done " << done.value << " begun "
            << progress.begun.value;
        // A byte that the sync covered, changed as if it had never been written.
        CrashState strict(source_of(schedule), progress_of(done.value, {done}));
        Expected synced(schedule.header);
        for (const Op& op : schedule.ops) {
            if (op.id <= done) {
                synced.apply(op);
            }
        }
        std::vector<std::byte> spoilt = Disk(synced).first();
        const std::uint64_t at = random() % spoilt.size();
        spoilt[at] ^= std::byte{0x80};
        EXPECT_EQ(refused(strict, spoilt), std::vector{at}) << print_schedule(schedule);
        ++lost_found;
    }
    EXPECT_GT(lost_found, 300U);
}

} // namespace
} // namespace mmapstress
