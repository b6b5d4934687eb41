#include "tools/schedule/page_history.hpp"

#include <gmock/gmock.h>

namespace mmapstress {
namespace {

Schedule parsed(const std::string& ops) {
    auto schedule = parse_schedule("mmapstress-schedule 1\nseed 1\nfile 0 size=16384\n"
                                   "file 1 size=16384\n" +
                                   ops);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return std::move(*schedule);
}

std::vector<std::uint64_t> ids(const std::vector<HistoryEntry>& history) {
    std::vector<std::uint64_t> all;
    for (const HistoryEntry& entry : history) {
        all.push_back(entry.op.id.value);
    }
    return all;
}

TEST(PageHistory, HasWhatConcernsThePageAndNothingElse) {
    const Schedule schedule = parsed("1 store file=0 off=4000 len=96\n"   // page 0
                                     "2 store file=0 off=4000 len=97\n"   // pages 0 and 1
                                     "3 write file=1 off=4096 len=10\n"   // another file
                                     "4 msync file=0 off=8192 len=4096\n" // another page
                                     "5 msync file=0 off=4096 len=1\n"
                                     "6 store file=0 off=8191 len=2\n"
                                     "7 store file=0 off=8192 len=2\n"
                                     "8 truncate file=0 size=8193\n" // cuts pages 2 and 3
                                     "9 truncate file=0 size=5000\n"
                                     "10 pause us=1\n"
                                     "11 fsync file=0\n"
                                     "12 store file=0 off=4100 len=1\n");
    const auto history = page_history(schedule, FileIndex{0}, PageIndex{1}, OpId{11});
    EXPECT_THAT(ids(history), testing::ElementsAre(2, 5, 6, 9, 11));
    EXPECT_EQ(history[0].touch, Touch::content);
    EXPECT_EQ(history[1].touch, Touch::flush);
    EXPECT_EQ(history[3].touch, Touch::content);
    EXPECT_THAT(ids(page_history(schedule, FileIndex{0}, PageIndex{3}, OpId{99})),
                testing::ElementsAre(8, 11));
}

TEST(PageHistory, FollowsAppendsAndJoinsCommitsInARow) {
    const Schedule schedule = parsed("1 append file=0 len=5000\n"
                                     "2 append file=0 len=10\n"
                                     "3 commit\n"
                                     "4 fsync file=1\n"
                                     "5 store file=1 off=0 len=1\n"
                                     "6 commit\n"
                                     "7 store file=0 off=20480 len=1\n");
    const auto history = page_history(schedule, FileIndex{0}, PageIndex{5}, OpId{99});
    ASSERT_THAT(ids(history), testing::ElementsAre(1, 2, 3, 7));
    EXPECT_EQ(history[1].op.offset, ByteOffset{21384});
    EXPECT_EQ(history[2].count, 3U);
    EXPECT_EQ(history[2].last, OpId{6});
    EXPECT_EQ(history[2].touch, Touch::commit);
}

} // namespace
} // namespace mmapstress
