#include "fusefs/startup/mount_flags.hpp"
#include "tests/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace partialfs::startup {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST(MountFlags, WhatTheUserNamedStays) {
    const auto flags = complete_flags({"nosuid", "dev", "noexec", "ro"}, "/");
    EXPECT_THAT(flags, ::testing::ElementsAre("nosuid", "dev", "noexec", "ro"));
}

/// The result of complete_flags() for a directory on a filesystem mounted nosuid: mounted by us, in
/// a mount namespace that ends with the thread, so that nothing remains. Empty if we may not mount;
/// `reason` then says why.
struct OnNosuid {
    std::optional<std::vector<std::string>> unnamed; ///< without an option named by the user
    std::vector<std::string> named;                  ///< with `suid` named by the user
    std::string reason;
};

OnNosuid flags_on_nosuid_mount() {
    OnNosuid seen;
    const testing::TemporaryDirectory temporary;
    std::thread([&] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", temporary.path().c_str(), "tmpfs", MS_NOSUID, nullptr) != 0) {
            seen.reason = std::string("no mount of our own: ") + std::strerror(errno);
            return;
        }
        seen.unnamed = complete_flags({}, temporary.path());
        seen.named = complete_flags({"suid"}, temporary.path());
    }).join();
    return seen;
}

TEST(MountFlags, WhatTheSourceForbidsStaysForbidden) {
    const auto flags = flags_on_nosuid_mount();
    if (!flags.unnamed) {
        GTEST_SKIP() << flags.reason;
    }
    EXPECT_THAT(*flags.unnamed, Contains("nosuid"));
    EXPECT_THAT(*flags.unnamed, Not(Contains("suid")));
    EXPECT_THAT(flags.named, Not(Contains("nosuid"))) << "unless named";
}

TEST(MountFlags, AReadOnlySourceIsMountedReadOnly) {
    const testing::TemporaryDirectory temporary;
    std::string reason;
    std::vector<std::string> flags;
    bool read_only = false;
    std::thread([&] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", temporary.path().c_str(), "tmpfs", MS_RDONLY, nullptr) != 0) {
            reason = std::string("no mount of our own: ") + std::strerror(errno);
            return;
        }
        read_only = is_read_only(temporary.path());
        flags = complete_flags({"rw"}, temporary.path());
    }).join();
    if (!reason.empty()) {
        GTEST_SKIP() << reason;
    }
    EXPECT_TRUE(read_only);
    EXPECT_FALSE(is_read_only(temporary.path()));
    EXPECT_THAT(flags, Contains("ro"));
    EXPECT_THAT(flags, Not(Contains("rw")));
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
