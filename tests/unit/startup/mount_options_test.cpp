#include "fusefs/startup/mount_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

namespace partialfs::startup {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Not;
using Kind = MountOptions::Kind;

TEST(SplitMountOptions, CommasSeparateUnlessEscaped) {
    EXPECT_THAT(split_mount_options("rw,fsname=a\\,b,,x-a\\\\b,"),
                ElementsAre("rw", "fsname=a,b", "x-a\\b"));
    EXPECT_THAT(split_mount_options(""), ElementsAre());
}

TEST(MountOptions, WhatMountAndFstabSayForThemselvesIsIgnored) {
    for (const char* option :
         {"defaults", "noauto", "nofail", "_netdev", "user", "user=nobody", "users", "relatime",
          "x-systemd.automount", "x-gvfs-show", "X-mount.mkdir", "comment=text"}) {
        MountOptions options;
        EXPECT_EQ(options.add(option), Kind::ignored) << option;
    }
}

TEST(MountOptions, WhatTheKernelKnowsIsPassedOn) {
    MountOptions options;
    for (const char* option : {"allow_other", "nosuid", "nodev", "noexec", "noatime",
                               "max_read=65536", "auto_unmount"}) {
        EXPECT_EQ(options.add(option), Kind::passed_on) << option;
        EXPECT_THAT(options.for_libfuse("/source"), Contains(option));
    }
}

TEST(MountOptions, TheLastOfTwoThatContradictEachOtherWins) {
    MountOptions options;
    for (const char* option : {"ro", "rw", "suid", "nosuid", "rw", "ro"}) {
        options.add(option);
    }
    EXPECT_TRUE(options.read_only());
    EXPECT_THAT(options.for_libfuse("/source"),
                AllOf(IsSupersetOf({"ro", "nosuid"}), Not(Contains("rw")), Not(Contains("suid"))));
}

TEST(MountOptions, MountFlagsAreThoseOfTheOptionsThatWon) {
    MountOptions options;
    for (const char* option : {"rw", "nosuid", "ro", "noatime", "nodev", "dev"}) {
        options.add(option);
    }
    constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NOATIME;
    EXPECT_EQ(options.flags(), kFlags);
}

TEST(MountOptions, ARemountAcceptsWhatTheKernelShowsOfTheMount) {
    MountOptions remount(/*remount=*/true);
    EXPECT_EQ(remount.add("user_id=0"), Kind::ignored);
    EXPECT_EQ(remount.add("uhelper=fuse.partialfs"), Kind::ignored) << "mount(8) hands it on";
    EXPECT_EQ(remount.add("group_id=0"), Kind::ignored);
    MountOptions mount;
    EXPECT_EQ(mount.add("user_id=0"), Kind::unknown);
}

TEST(MountOptions, NameAndTypeAreSourceAndPartialfsUnlessGiven) {
    MountOptions options;
    EXPECT_THAT(options.for_libfuse("/a,b"),
                IsSupersetOf({"fsname=/a\\,b", "subtype=partialfs", "default_permissions"}));
    options.add("fsname=disk");
    options.add("subtype=other");
    EXPECT_THAT(options.for_libfuse("/a"),
                AllOf(IsSupersetOf({"fsname=disk", "subtype=other"}),
                      Not(Contains("subtype=partialfs")), Not(Contains("fsname=/a"))));
}

TEST(MountOptions, WrongOnesAreToldApart) {
    MountOptions options;
    EXPECT_EQ(options.add("frobnicate"), Kind::unknown);
    EXPECT_EQ(options.add("max_read"), Kind::malformed);
    EXPECT_EQ(options.add("max_read=much"), Kind::malformed);
    EXPECT_EQ(options.add("ro=1"), Kind::malformed);
    EXPECT_EQ(options.add("nofail=1"), Kind::malformed);
}

} // namespace
} // namespace partialfs::startup
