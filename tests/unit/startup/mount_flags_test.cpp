#include "fusefs/startup/mount_flags.hpp"
#include "tests/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace partialfs::startup {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST(MountFlags, WhatTheUserNamedStays) {
    const auto flags = complete_flags({"nosuid", "dev", "noexec", "ro"}, "/");
    EXPECT_THAT(flags, ::testing::ElementsAre("nosuid", "dev", "noexec", "ro"));
}

TEST(MountFlags, WhatTheSourceForbidsStaysForbidden) {
    for (const char* source : {"/proc", "/sys", "/dev/shm", "/run", "/dev/pts"}) {
        struct statvfs status{};
        if (::statvfs(source, &status) == 0 && (status.f_flag & ST_NOSUID) != 0) {
            EXPECT_THAT(complete_flags({}, source), Contains("nosuid"));
            EXPECT_THAT(complete_flags({}, source), Not(Contains("suid")));
            EXPECT_THAT(complete_flags({"suid"}, source), Not(Contains("nosuid")))
                << "unless named";
            return;
        }
    }
    GTEST_SKIP() << "nothing is mounted nosuid here";
}

TEST(MountFlags, OnlyRootAllowsOfItsOwnAccord) {
    const testing::TemporaryDirectory temporary;
    struct statvfs status{};
    ASSERT_EQ(::statvfs(temporary.path().c_str(), &status), 0);
    if ((status.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC)) != 0) {
        GTEST_SKIP() << temporary.path() << " is mounted with restrictions";
    }
    const auto flags = complete_flags({}, temporary.path());
    if (::geteuid() == 0) {
        EXPECT_THAT(flags, IsSupersetOf({"suid", "dev", "exec"}));
    } else {
        EXPECT_TRUE(flags.empty());
    }
}

} // namespace
} // namespace partialfs::startup
