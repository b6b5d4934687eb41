#include "tools/mmapstress/verify/expected.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace mmapstress {
namespace {

Schedule parsed(const std::string& body) {
    const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 9\n" + body);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return *schedule;
}

Expected after(const Schedule& schedule) {
    Expected expected(schedule.header);
    for (const Op& op : schedule.ops) {
        expected.apply(op);
    }
    return expected;
}

std::vector<std::byte> bytes(const Expected& expected, std::uint64_t from, std::size_t length) {
    std::vector<std::byte> out(length);
    expected.fill(FileIndex{0}, ByteOffset{from}, out);
    return out;
}

std::vector<std::byte> of_op(std::uint64_t id, std::uint64_t from, std::size_t length) {
    std::vector<std::byte> out(length);
    fill_pattern(out, 9, FileIndex{0}, OpId{id}, ByteOffset{from});
    return out;
}

std::vector<std::byte> zeros(std::size_t length) {
    return std::vector<std::byte>(length);
}

TEST(Expected, FollowsEveryOperationThatChangesBytes) {
    const Expected expected = after(parsed("file 0 size=100 start=written\n"
                                           "1 store file=0 off=10 len=10\n"
                                           "2 write file=0 off=95 len=10\n"
                                           "3 append file=0 len=5\n"
                                           "4 punch file=0 off=12 len=2\n"
                                           "5 fork-store file=0 off=30 len=2\n"
                                           "6 write file=0 off=40 len=2 fill=7\n"
                                           "7 fsync file=0\n"
                                           "8 commit\n"));
    EXPECT_EQ(expected.size(FileIndex{0}), ByteCount{110});
    EXPECT_EQ(bytes(expected, 0, 10), of_op(0, 0, 10));
    EXPECT_EQ(bytes(expected, 10, 2), of_op(1, 10, 2));
    EXPECT_EQ(bytes(expected, 12, 2), zeros(2));
    EXPECT_EQ(bytes(expected, 14, 6), of_op(1, 14, 6));
    EXPECT_EQ(bytes(expected, 30, 2), of_op(5, 30, 2));
    EXPECT_EQ(bytes(expected, 40, 2), std::vector<std::byte>(2, std::byte{7}));
    EXPECT_EQ(bytes(expected, 95, 10), of_op(2, 95, 10));
    EXPECT_EQ(bytes(expected, 105, 5), of_op(3, 105, 5));
    EXPECT_EQ(bytes(expected, 110, 5), zeros(5));
}

TEST(Expected, WhatWasCutOffComesBackAsZeros) {
    const Expected expected = after(parsed("file 0 size=4096 start=written\n"
                                           "1 truncate file=0 size=100\n"
                                           "2 truncate file=0 size=200\n"));
    EXPECT_EQ(expected.size(FileIndex{0}), ByteCount{200});
    EXPECT_EQ(bytes(expected, 99, 1), of_op(0, 99, 1));
    EXPECT_EQ(bytes(expected, 100, 100), zeros(100));
}

TEST(Expected, AStoreBehindTheEndIsNotInTheFile) {
    const Expected expected = after(parsed("file 0 size=100 start=sparse\n"
                                           "1 store file=0 off=90 len=20\n"
                                           "2 truncate file=0 size=200\n"));
    EXPECT_EQ(bytes(expected, 90, 10), of_op(1, 90, 10));
    EXPECT_EQ(bytes(expected, 100, 10), zeros(10));
}

TEST(Expected, KnowsStartWritesDataAndLargeIds) {
    const Expected expected = after(parsed("file 0 size=100 start=partial+fsync\n"
                                           "1 start-write file=0 off=5 len=5 fill=3\n"
                                           "2 store file=0 off=6 len=2 data=aabb\n"
                                           "18446744073709551615 store file=0 off=20 len=8\n"));
    EXPECT_EQ(bytes(expected, 5, 4), (std::vector<std::byte>{std::byte{3}, std::byte{0xaa},
                                                             std::byte{0xbb}, std::byte{3}}));
    EXPECT_EQ(bytes(expected, 20, 8), of_op(18446744073709551615U, 20, 8));
}

TEST(Expected, ComparingFindsEveryWrongRunAndItsWriter) {
    const Expected expected = after(parsed("file 0 size=20000 start=written\n"
                                           "1 store file=0 off=8000 len=1000\n"));
    std::vector<std::byte> found = bytes(expected, 100, 15000);
    const auto spoil = [&](std::uint64_t from, std::uint64_t to) {
        for (std::uint64_t at = from; at < to; ++at) {
            found[at - 100] ^= std::byte{1};
        }
    };
    spoil(100, 101);
    spoil(7990, 8010);
    spoil(15099, 15100);
    using Wrong = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
    std::vector<Wrong> wrong;
    expected.compare(FileIndex{0}, ByteOffset{100}, found, [&](ByteRange range, Writer writer) {
        EXPECT_FALSE(writer.zero);
        wrong.emplace_back(range.begin.value, range.end.value, writer.id.value);
    });
    EXPECT_EQ(wrong, (std::vector<Wrong>{
                         {100, 101, 0}, {7990, 8000, 0}, {8000, 8010, 1}, {15099, 15100, 0}}));
}

} // namespace
} // namespace mmapstress
