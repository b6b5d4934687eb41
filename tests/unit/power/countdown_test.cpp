#include "fusefs/power/countdown.hpp"

#include <gtest/gtest.h>

#include <string>

namespace partialfs::power {
namespace {

Countdown armed(const char* text) {
    return Countdown(parse_command(text).value());
}

TEST(Countdown, CountsItsOwnMomentUpToItsNumberOnce) {
    Countdown third = armed("cut at=commit:3");
    EXPECT_FALSE(third.counts(Moment::commit, {}));
    EXPECT_FALSE(third.counts(Moment::fsync, {}));
    EXPECT_FALSE(third.counts(Moment::commit, {}));
    EXPECT_EQ(third.seen(), 2U);
    EXPECT_TRUE(third.counts(Moment::commit, {}));
    EXPECT_FALSE(third.counts(Moment::commit, {})) << "only once";
}

TEST(Countdown, CountsOnlyThePathsThatMatch) {
    Countdown second = armed("cut at=fsync:2 path=dir/*.db");
    const auto fsync_of = [&](std::string path) {
        return second.counts(Moment::fsync, [path] { return path; });
    };
    EXPECT_FALSE(fsync_of("dir/one.db"));
    EXPECT_FALSE(fsync_of("one.db"));
    EXPECT_FALSE(fsync_of("dir/one.db-wal"));
    EXPECT_FALSE(second.counts(Moment::fsync, {})) << "one without a path";
    EXPECT_TRUE(fsync_of("dir/two.db"));
}

TEST(Countdown, AStarOfAPathMatchesSlashesToo) {
    Countdown first = armed("cut at=fsync:1 path=*.db");
    EXPECT_TRUE(first.counts(Moment::fsync, [] { return std::string("a/b/one.db"); }));
}

TEST(Countdown, AsksForNoPathThatItNeedsNot) {
    Countdown first = armed("cut at=fsync:1");
    EXPECT_TRUE(first.counts(Moment::fsync, []() -> std::string {
        ADD_FAILURE() << "asked";
        return {};
    }));
}

} // namespace
} // namespace partialfs::power
