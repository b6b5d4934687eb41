#include "tools/mmapstress/verify/classify.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace mmapstress {
namespace {

/// A file of two pages and its versions: op 0 (start), 1 (all), 2 (page 0), 4 (100+3000).
class Classify : public testing::Test {
  protected:
    void SetUp() override {
        const auto parsed = parse_schedule("mmapstress-schedule 1\nseed 5\n"
                                           "file 0 size=8192 start=written\n"
                                           "file 1 size=8192 start=sparse\n"
                                           "1 store file=0 off=0 len=8192\n"
                                           "2 write file=0 off=0 len=4096\n"
                                           "3 store file=1 off=512 len=512\n"
                                           "4 store file=0 off=100 len=3000\n"
                                           "5 store file=0 off=4096 len=512 fill=9\n"
                                           "6 commit\n");
        ASSERT_TRUE(parsed) << parsed.error().message();
        schedule_ = *parsed;
    }

    /// The classification if `spoil` is done to the file's expected bytes.
    Classified found(FileIndex file, const std::function<void(std::span<std::byte>)>& spoil) {
        Expected expected(schedule_.header);
        for (const Op& op : schedule_.ops) {
            expected.apply(op);
        }
        std::vector<std::byte> bytes(expected.size(file).value);
        expected.fill(file, ByteOffset{0}, bytes);
        spoil(bytes);
        Collector collector;
        for (const Stage stage : {Stage::evicted, Stage::disk}) {
            collector.begin(stage);
            expected.compare(file, ByteOffset{0}, bytes, [&](ByteRange range, Writer writer) {
                collector.wrong(file, range, writer, ByteOffset{0}, bytes);
            });
        }
        return classify(collector.take(), collector.past_eof(), source_of(schedule_), OpId{6});
    }

    void put(std::span<std::byte> bytes, std::uint64_t at, std::size_t length, OpId id,
             std::uint64_t from, FileIndex file = FileIndex{0}) {
        fill_pattern(bytes.subspan(at, length), schedule_.header.seed, file, id, ByteOffset{from});
    }

    Schedule schedule_;
};

TEST_F(Classify, AnEarlierVersionIsStaleAndNamesItsOperation) {
    const Classified result = found(FileIndex{0}, [&](std::span<std::byte> bytes) {
        put(bytes, 200, 700, OpId{2}, 200);
        put(bytes, 900, 100, OpId{1}, 900);
        put(bytes, 1000, 50, OpId{0}, 1000);
    });
    ASSERT_EQ(result.damage.size(), 3U);
    const std::array<std::uint64_t, 3> origins{2, 1, 0};
    const std::array<std::uint64_t, 4> borders{200, 900, 1000, 1050};
    for (std::size_t i = 0; i < 3; ++i) {
        const DamagedRange& range = result.damage[i];
        EXPECT_EQ(range.range.begin.value, borders[i]);
        EXPECT_EQ(range.range.end.value, borders[i + 1]);
        EXPECT_EQ(range.kind, DamageKind::stale);
        EXPECT_EQ(range.origin.value, origins[i]);
        EXPECT_EQ(range.lost, OpId{4});
        EXPECT_TRUE(range.in(Stage::evicted));
        EXPECT_TRUE(range.in(Stage::disk));
        EXPECT_FALSE(range.in(Stage::live));
        EXPECT_EQ(range.ops, (std::vector<OpId>{OpId{1}, OpId{2}, OpId{4}}));
    }
    EXPECT_EQ(result.named_ops.at(OpId{4}), "4 store file=0 off=100 len=3000");
}

TEST_F(Classify, WhatHasMovedIsStillTheBytesOfItsOperation) {
    const auto parsed = parse_schedule("mmapstress-schedule 1\nseed 5\n"
                                       "file 0 size=16384 start=written\n"
                                       "1 store file=0 off=8192 len=200\n"
                                       "2 collapse file=0 off=0 len=4096\n"
                                       "3 insert file=0 off=8192 len=4096\n");
    ASSERT_TRUE(parsed) << parsed.error().message();
    schedule_ = *parsed;
    const Classified result = found(FileIndex{0}, [&](std::span<std::byte> bytes) {
        std::ranges::fill(bytes.subspan(4096, 100), std::byte{0});
        put(bytes, 4196, 100, OpId{0}, 8292);
        put(bytes, 9000, 64, OpId{1}, 8192);
    });
    ASSERT_EQ(result.damage.size(), 3U);
    EXPECT_EQ(result.damage[0].lost, OpId{1});
    EXPECT_EQ(result.damage[0].kind, DamageKind::zeros);
    EXPECT_EQ(result.damage[0].ops, (std::vector<OpId>{OpId{2}})) << "before, it stood elsewhere";
    EXPECT_EQ(result.damage[1].kind, DamageKind::misplaced) << "the place's bytes of before";
    EXPECT_EQ(result.damage[1].origin, OpId{0});
    EXPECT_EQ(result.damage[1].origin_offset, ByteOffset{8292});
    EXPECT_EQ(result.damage[2].lost, OpId{3}) << "the zeros that were inserted";
}

TEST_F(Classify, BytesOfPastTheEndAreNoDamageUnlessAskedFor) {
    for (const bool damage : {false, true}) {
        Collector collector(damage);
        collector.begin(Stage::evicted);
        const ByteRange bytes{ByteOffset{600}, ByteOffset{700}};
        collector.past_eof(FileIndex{1}, bytes, {OpId{0}, true}, OpId{3});
        collector.begin(Stage::disk);
        collector.past_eof(FileIndex{1}, bytes, {OpId{0}, true}, OpId{3});
        EXPECT_EQ(collector.wrong_bytes(Stage::evicted), damage ? 100U : 0U);
        const Classified result =
            classify(collector.take(), collector.past_eof(), source_of(schedule_), OpId{6});
        EXPECT_EQ(result.named_ops.at(OpId{3}), "3 store file=1 off=512 len=512");
        EXPECT_EQ(collector.past_eof(),
                  damage ? std::vector<PastEof>{}
                         : (std::vector<PastEof>{{FileIndex{1}, bytes, OpId{3}}}));
        ASSERT_EQ(result.damage.size(), damage ? 1U : 0U);
        if (damage) {
            EXPECT_EQ(result.damage[0].kind, DamageKind::past_eof);
            EXPECT_EQ(result.damage[0].origin, OpId{3});
            EXPECT_TRUE(result.damage[0].in(Stage::disk));
        }
    }
}

TEST_F(Classify, ZerosThatWereLostAreTheirOperationsNotTheFilesStart) {
    const auto parsed = parse_schedule("mmapstress-schedule 1\nseed 5\n"
                                       "file 0 size=8192 start=written\n"
                                       "file 1 size=8192 start=sparse\n"
                                       "1 punch file=0 off=100 len=200\n"
                                       "2 punch file=0 off=250 len=100\n"
                                       "3 truncate file=0 size=5000\n"
                                       "4 truncate file=0 size=8192\n");
    ASSERT_TRUE(parsed) << parsed.error().message();
    schedule_ = *parsed;
    const Classified result = found(FileIndex{0}, [&](std::span<std::byte> bytes) {
        put(bytes, 200, 100, OpId{0}, 200);
        put(bytes, 6000, 10, OpId{0}, 6000);
    });
    ASSERT_EQ(result.damage.size(), 3U);
    EXPECT_EQ(result.damage[0].range, (ByteRange{ByteOffset{200}, ByteOffset{250}}));
    EXPECT_EQ(result.damage[0].lost, OpId{1});
    EXPECT_EQ(result.damage[1].range, (ByteRange{ByteOffset{250}, ByteOffset{300}}));
    EXPECT_EQ(result.damage[1].lost, OpId{2});
    EXPECT_EQ(result.damage[2].lost, OpId{3}) << "cut off, before the file was made longer again";
    for (const DamagedRange& range : result.damage) {
        EXPECT_EQ(range.kind, DamageKind::stale);
        EXPECT_EQ(range.origin, OpId{0});
    }
    EXPECT_EQ(result.named_ops.at(OpId{2}), "2 punch file=0 off=250 len=100");
    const Classified start = found(FileIndex{1}, [](std::span<std::byte> bytes) {
        std::ranges::fill(bytes.first(64), std::byte{77});
    });
    ASSERT_EQ(start.damage.size(), 1U);
    EXPECT_EQ(start.damage[0].lost, OpId{0}) << "zeros from the start on";
}

TEST_F(Classify, ZerosAreZeros) {
    const Classified result = found(FileIndex{1}, [](std::span<std::byte> bytes) {
        std::ranges::fill(bytes.subspan(512, 512), std::byte{0});
    });
    ASSERT_EQ(result.damage.size(), 1U);
    EXPECT_EQ(result.damage[0].kind, DamageKind::zeros);
    EXPECT_EQ(result.damage[0].range, (ByteRange{ByteOffset{512}, ByteOffset{1024}}));
    EXPECT_EQ(result.damage[0].lost, OpId{3});
}

TEST_F(Classify, BytesFromElsewhereTellWhereTheyBelong) {
    const Classified result = found(FileIndex{1}, [&](std::span<std::byte> bytes) {
        put(bytes, 2048, 256, OpId{4}, 1000); // the shift is not a multiple of a cell
        put(bytes, 4096, 64, OpId{3}, 512, FileIndex{1});
    });
    ASSERT_EQ(result.damage.size(), 2U);
    EXPECT_EQ(result.damage[0].kind, DamageKind::misplaced);
    EXPECT_EQ(result.damage[0].range, (ByteRange{ByteOffset{2048}, ByteOffset{2304}}));
    EXPECT_EQ(result.damage[0].origin, OpId{4});
    EXPECT_EQ(result.damage[0].origin_file, FileIndex{0});
    EXPECT_EQ(result.damage[0].origin_offset, ByteOffset{1000});
    EXPECT_EQ(result.damage[1].origin_file, FileIndex{1});
    EXPECT_EQ(result.damage[1].origin_offset, ByteOffset{512});
    EXPECT_EQ(result.named_ops.at(OpId{4}), "4 store file=0 off=100 len=3000");
}

TEST_F(Classify, BytesFromNowhereAreForeign) {
    const Classified result = found(FileIndex{0}, [](std::span<std::byte> bytes) {
        for (std::size_t i = 0; i < 100; ++i) {
            bytes[5000 + i] = static_cast<std::byte>(i % 3 + 1); // not a colour
        }
    });
    ASSERT_EQ(result.damage.size(), 1U);
    EXPECT_EQ(result.damage[0].kind, DamageKind::foreign);
    EXPECT_EQ(result.damage[0].lost, OpId{1});
}

// A lost store that began one byte before an older store leaves one byte of what lay below both.
TEST_F(Classify, ASingleByteThatALaterVersionLeftUncoveredIsStale) {
    const auto parsed = parse_schedule("mmapstress-schedule 1\nseed 5\n"
                                       "file 0 size=4096 start=sparse\n"
                                       "1 write file=0 off=0 len=4096\n"
                                       "2 store file=0 off=1001 len=500\n"
                                       "3 store file=0 off=1000 len=4\n");
    ASSERT_TRUE(parsed) << parsed.error().message();
    schedule_ = *parsed;
    const Classified result = found(FileIndex{0}, [&](std::span<std::byte> bytes) {
        put(bytes, 1000, 1, OpId{1}, 1000);
        put(bytes, 1001, 3, OpId{2}, 1001);
    });
    ASSERT_EQ(result.damage.size(), 2U);
    EXPECT_EQ(result.damage[0].range, (ByteRange{ByteOffset{1000}, ByteOffset{1001}}));
    EXPECT_EQ(result.damage[0].kind, DamageKind::stale);
    EXPECT_EQ(result.damage[0].origin, OpId{1});
    EXPECT_EQ(result.damage[1].kind, DamageKind::stale);
    EXPECT_EQ(result.damage[1].origin, OpId{2});
    EXPECT_EQ(result.damage[1].lost, OpId{3});
}

TEST_F(Classify, ASingleZeroBesideAnOlderVersionIsZero) {
    const auto parsed = parse_schedule("mmapstress-schedule 1\nseed 5\n"
                                       "file 0 size=4096 start=sparse\n"
                                       "1 store file=0 off=1001 len=500\n"
                                       "2 store file=0 off=1000 len=4\n");
    ASSERT_TRUE(parsed) << parsed.error().message();
    schedule_ = *parsed;
    const Classified result = found(FileIndex{0}, [&](std::span<std::byte> bytes) {
        bytes[1000] = std::byte{0};
        put(bytes, 1001, 3, OpId{1}, 1001);
    });
    ASSERT_EQ(result.damage.size(), 2U);
    EXPECT_EQ(result.damage[0].kind, DamageKind::zeros);
    EXPECT_EQ(result.damage[1].origin, OpId{1});
}

// A few bytes that were never in this place may come from an operation elsewhere: it is impossible
// to tell.
TEST_F(Classify, TooFewBytesToTellAreUnclear) {
    const auto kind = [&](std::size_t length, OpId id) {
        const Classified result = found(FileIndex{0}, [&](std::span<std::byte> bytes) {
            std::ranges::fill(bytes.subspan(5000, length), std::byte{2});
            if (id.value != 0) {
                // No operation that stores these bytes was begun.
                put(bytes, 5000, length, id, 7013, FileIndex{1});
            }
        });
        EXPECT_EQ(result.damage.size(), 1U);
        return result.damage[0].kind;
    };
    EXPECT_EQ(kind(4, OpId{0}), DamageKind::unclear);
    EXPECT_EQ(kind(7, OpId{0}), DamageKind::unclear);
    EXPECT_EQ(kind(8, OpId{0}), DamageKind::foreign) << "of no operation's colour";
    EXPECT_EQ(kind(4, OpId{3}), DamageKind::unclear);
    EXPECT_EQ(kind(31, OpId{3}), DamageKind::unclear)
        << "an operation's, but whose place is not known";
}

TEST_F(Classify, RangesEndAtPages) {
    const Classified result = found(
        FileIndex{0}, [&](std::span<std::byte> bytes) { put(bytes, 4000, 1000, OpId{0}, 4000); });
    ASSERT_EQ(result.damage.size(), 3U);
    EXPECT_EQ(result.damage[0].range.end, ByteOffset{4096}); // the writer changes there, too
    EXPECT_EQ(result.damage[1].lost, OpId{5});
    EXPECT_EQ(result.damage[1].range.end, ByteOffset{4608});
    EXPECT_EQ(result.damage[2].lost, OpId{1});
    const auto joined = wrong_bytes(result.damage, Stage::disk);
    ASSERT_EQ(joined.size(), 1U);
    EXPECT_EQ(joined[0].range, (ByteRange{ByteOffset{4000}, ByteOffset{5000}}));
}

TEST(Alignment, IsTheLargestPowerOfTwoThatBothEndsShare) {
    EXPECT_EQ(alignment_of({ByteOffset{4096}, ByteOffset{8192}}), 4096U);
    EXPECT_EQ(alignment_of({ByteOffset{8192}, ByteOffset{16384}}), 4096U);
    EXPECT_EQ(alignment_of({ByteOffset{1024}, ByteOffset{4096}}), 1024U);
    EXPECT_EQ(alignment_of({ByteOffset{512}, ByteOffset{3}}), 1U);
    EXPECT_EQ(alignment_of({ByteOffset{0}, ByteOffset{512}}), 512U);
}

} // namespace
} // namespace mmapstress
