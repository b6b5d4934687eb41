#include "tools/schedule/leaving_out.hpp"
#include "tools/schedule/op_walker.hpp"

#include <gmock/gmock.h>

namespace mmapstress {
namespace {

Schedule parsed(const std::string& ops) {
    auto schedule = parse_schedule("mmapstress-schedule 1\nseed 1\n"
                                   "file 0 size=8192 start=sparse\n" +
                                   ops);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return std::move(*schedule);
}

/// The ids that remain. Fails the test at an operation that cannot be carried out.
std::vector<std::uint64_t> left(const Schedule& schedule, const LeaveOut& what) {
    OpWalker walker(leaving_out(source_of(schedule), what)());
    std::vector<std::uint64_t> ids;
    while (const Op* op = walker.next()) {
        ids.push_back(op->id.value);
    }
    EXPECT_FALSE(walker.error()) << *walker.error();
    return ids;
}

TEST(LeavingOut, LeavesOutKinds) {
    const Schedule schedule = parsed("1 store file=0 off=0 len=10\n"
                                     "2 read-store file=0 off=0 len=10\n"
                                     "5 commit\n"
                                     "6 read-store file=0 off=5 len=10\n");
    EXPECT_THAT(left(schedule, {}), testing::ElementsAre(1, 2, 5, 6));
    EXPECT_THAT(left(schedule, {only(OpKind::read_store), false}), testing::ElementsAre(1, 5));
    EXPECT_EQ(kinds_in(schedule),
              only(OpKind::store) | only(OpKind::read_store) | only(OpKind::commit));
}

TEST(LeavingOut, WithoutStoresPastTheEndNoOtherEndsThereEither) {
    const Schedule schedule = parsed("1 truncate file=0 size=8000\n"
                                     "2 store file=0 off=7990 len=10\n"
                                     "3 store file=0 off=7990 len=11\n"
                                     "4 past-eof-store file=0 off=8000 len=11\n"
                                     "5 write file=0 off=7990 len=11\n");
    EXPECT_THAT(left(schedule, {only(OpKind::past_eof_store), false}),
                testing::ElementsAre(1, 2, 5));
}

TEST(LeavingOut, WhatDoesNotFitAnyMoreGoesToo) {
    const Schedule schedule = parsed("1 truncate file=0 size=12288\n"
                                     "2 store file=0 off=9000 len=10\n"
                                     "3 store file=0 off=8000 len=10\n"
                                     "4 write file=0 off=8190 len=10\n"
                                     "5 append file=0 len=10\n"
                                     "6 truncate file=0 size=100\n"
                                     "7 write file=0 off=0 len=20\n"
                                     "8 truncate file=0 size=8192\n");
    EXPECT_THAT(left(schedule, {{}, true}), testing::ElementsAre(3, 7))
        << "the file keeps its size";
    EXPECT_THAT(left(schedule, {only(OpKind::truncate), false}), testing::ElementsAre(3, 4, 5, 7))
        << "2 is behind the end of a file that has not grown";
}

} // namespace
} // namespace mmapstress
