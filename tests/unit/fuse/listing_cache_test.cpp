#include "fusefs/fuse/listing_cache.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace {

using partialfs::fuse::AtimeRule;
using partialfs::fuse::ListingCache;

constexpr time_t kNow = 1'000'000;

/// A directory that changed at `changed`, and was listed at `listed`.
struct stat directory(const timespec& changed, const timespec& listed) {
    struct stat status{};
    status.st_mtim = status.st_ctim = changed;
    status.st_atim = listed;
    return status;
}

class Listing : public ::testing::Test {
  protected:
    bool may_keep(const struct stat& status, const timespec& now = {kNow, 0}) {
        return cache_.may_keep(status, now, [this] {
            ++asked_;
            return rule_;
        });
    }
    /// The kernel has copied the listing of a directory that is open for the second time.
    void SetUp() override { EXPECT_FALSE(may_keep(listed_)); }

    ListingCache cache_;
    AtimeRule rule_ = AtimeRule::relative;
    int asked_ = 0;
    const struct stat listed_ = directory({kNow - 100, 0}, {kNow - 50, 0});
};

TEST_F(Listing, IsKeptWhileNothingChanges) {
    EXPECT_EQ(asked_, 0); // the filesystem is not asked without need
    EXPECT_TRUE(may_keep(listed_));
    EXPECT_TRUE(may_keep(listed_));
}

TEST_F(Listing, IsDroppedWhenTheDirectoryHasChanged) {
    struct stat changed = listed_;
    changed.st_mtim.tv_nsec = 1;
    EXPECT_FALSE(may_keep(changed));
    EXPECT_TRUE(may_keep(changed));
    changed.st_ctim.tv_nsec = 1; // as after utimensat(2), which sets mtime back
    EXPECT_FALSE(may_keep(changed));
    EXPECT_TRUE(may_keep(changed));
}

TEST_F(Listing, IsNotKeptIfAFurtherChangeMightGetTheSameStamp) {
    const timespec now{kNow, 500'000'000};
    const struct stat just = directory({kNow, 490'000'000}, {kNow, 495'000'000});
    EXPECT_FALSE(may_keep(just, now));
    EXPECT_FALSE(may_keep(just, now)); // its copy may be older than the last change of that tick
    EXPECT_FALSE(may_keep(just, {kNow, 510'000'000}));
    EXPECT_TRUE(may_keep(just, {kNow, 510'000'000}));
    const struct stat ahead = directory({kNow + 5, 0}, {kNow + 6, 0}); // of another clock
    EXPECT_FALSE(may_keep(ahead));
    EXPECT_FALSE(may_keep(ahead));
}

TEST_F(Listing, IsDroppedWhereAListingMovesAtime) {
    const struct stat unlisted = directory({kNow - 100, 0}, {kNow - 100, 0});
    EXPECT_FALSE(may_keep(unlisted));
    const struct stat old = directory({kNow - 200'000, 0}, {kNow - 86'400, 0});
    rule_ = AtimeRule::never;
    EXPECT_FALSE(may_keep(old)); // another directory, as it were
    EXPECT_TRUE(may_keep(old));
    rule_ = AtimeRule::relative;
    EXPECT_FALSE(may_keep(old)); // older than a day
    struct stat newer = old;
    ++newer.st_atim.tv_sec;
    EXPECT_TRUE(may_keep(newer));
    rule_ = AtimeRule::always;
    EXPECT_FALSE(may_keep(newer));
}

TEST(AtimeRuleOf, IsThatOfTheMount) {
    EXPECT_EQ(partialfs::fuse::atime_rule_of(-1), AtimeRule::always) << "if it is not known";
    const int proc = ::open("/proc/self/ns", O_PATH | O_CLOEXEC);
    struct statvfs status{};
    ASSERT_EQ(::fstatvfs(proc, &status), 0);
    const bool relative = (status.f_flag & ST_RELATIME) != 0;
    EXPECT_EQ(partialfs::fuse::atime_rule_of(proc),
              relative ? AtimeRule::relative : AtimeRule::always);
    ::close(proc);
}

} // namespace
