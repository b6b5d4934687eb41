#include "fusefs/file/file_times.hpp"

#include <gtest/gtest.h>

namespace partialfs::file {
namespace {

constexpr time_t kFuture = 9'000'000'000;

struct stat stat_with(time_t mtime, time_t ctime) {
    struct stat status{};
    status.st_mtim.tv_sec = mtime;
    status.st_ctim.tv_sec = ctime;
    return status;
}

TEST(FileTimes, LeavesTheBackingInodesTimesAlone) {
    FileTimes times;
    struct stat status = stat_with(5, 6);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_mtim.tv_sec, 5);
    EXPECT_EQ(status.st_ctim.tv_sec, 6);
}

TEST(FileTimes, HoldsBackTheTimeOfAChange) {
    FileTimes times;
    times.data_changed({.tv_sec = 8, .tv_nsec = 1});
    struct stat status = stat_with(5, 6);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_mtim.tv_sec, 8);
    EXPECT_EQ(status.st_ctim.tv_sec, 8);
    times.release_mtime();
    status = stat_with(8, 9);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_mtim.tv_sec, 8);
}

TEST(FileTimes, CtimeDoesNotGoBackWhereTheClockDoes) {
    FileTimes times;
    times.data_changed({.tv_sec = 9, .tv_nsec = 0});
    times.data_changed({.tv_sec = 8, .tv_nsec = 0});
    struct stat status = stat_with(5, 6);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_ctim.tv_sec, 9);
    EXPECT_EQ(status.st_mtim.tv_sec, 8);
}

TEST(FileTimes, HidesTheCtimeOfAFlush) {
    FileTimes times;
    times.data_changed({.tv_sec = 8, .tv_nsec = 0});
    times.flushed(); // now, long after 8 s of 1970
    struct stat status = stat_with(8, ::time(nullptr) - 100);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_ctim.tv_sec, 8);
    status = stat_with(8, kFuture); // a change by another process, after the flush
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_ctim.tv_sec, kFuture);
}

TEST(FileTimes, HidesTheCtimeOfAFlushUnderWay) {
    FileTimes times({.tv_sec = 8, .tv_nsec = 0});
    struct stat status = stat_with(8, kFuture); // the flush has written, but is not finished
    times.adjust(status, /*flushing=*/true);
    EXPECT_EQ(status.st_ctim.tv_sec, 8);
}

TEST(FileTimes, ShowsNoEarlierCtimeThanOneThatWasSeen) {
    FileTimes times;
    const time_t change = ::time(nullptr) - 100;
    struct stat status = stat_with(5, change);
    times.adjust(status, /*flushing=*/false);
    times.flushed(); // the change itself has not been recorded yet
    status = stat_with(5, change + 50);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_ctim.tv_sec, change);
}

TEST(FileTimes, ShowsTheCtimeOfAChangedAttribute) {
    FileTimes times;
    times.attributes_changed({.tv_sec = 20, .tv_nsec = 0});
    times.attributes_changed({.tv_sec = 10, .tv_nsec = 0}); // older: ignored
    times.flushed();
    struct stat status = stat_with(5, 30);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_ctim.tv_sec, 20);
}

TEST(FileTimes, KeepsAnMtimeThatWasSet) {
    FileTimes times;
    times.data_changed({.tv_sec = 8, .tv_nsec = 0});
    times.hold_mtime({.tv_sec = 3, .tv_nsec = 0});
    struct stat status = stat_with(9, 9);
    times.adjust(status, /*flushing=*/false);
    EXPECT_EQ(status.st_mtim.tv_sec, 3);
    ASSERT_TRUE(times.held_mtime());
    EXPECT_EQ(times.held_mtime()->tv_sec, 3);
}

TEST(FileTimes, WritebackOfOldStoresIsOneForEachWritepageToCome) {
    using model::PageIndex;
    FileTimes times;
    PageSet stored;
    stored.append({PageIndex{3}, PageIndex{5}});
    PageSet on_their_way;
    on_their_way.append({PageIndex{4}, PageIndex{4}});
    times.set_over_stores(stored, on_their_way);
    EXPECT_TRUE(times.has_old_stores(PageIndex{5}));
    EXPECT_FALSE(times.has_old_stores(PageIndex{6}));
    EXPECT_TRUE(times.writes_back_old_stores({PageIndex{4}, PageIndex{4}}));  // was under way
    EXPECT_TRUE(times.writes_back_old_stores({PageIndex{3}, PageIndex{4}}));  // 4 was dirtied again
    EXPECT_FALSE(times.writes_back_old_stores({PageIndex{4}, PageIndex{5}})); // 4 has new stores
    EXPECT_FALSE(times.writes_back_old_stores({PageIndex{5}, PageIndex{5}}));
}

} // namespace
} // namespace partialfs::file
