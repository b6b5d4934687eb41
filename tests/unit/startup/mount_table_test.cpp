#include "fusefs/startup/mount_table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace partialfs::startup {
namespace {

std::vector<MountTableEntry> parse(const std::string& text) {
    std::istringstream stream(text);
    return parse_mount_table(stream);
}

const std::string kTable =
    "21 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n"
    "30 21 8:1 /srv /with\\040blank rw - ext4 /dev/sda1 rw\n"
    "31 21 0:53 / /mnt rw,nosuid - fuse.partialfs /disk rw,user_id=1001,group_id=7,allow_other\n";

TEST(MountTable, AnEntryHasDeviceRootPlaceTypeAndOptions) {
    const auto table = parse(kTable);
    ASSERT_EQ(table.size(), 3U);
    EXPECT_EQ(table[0].identity.device, "8:1");
    EXPECT_EQ(table[0].type, "ext4");
    EXPECT_EQ(table[1].root, "/srv");
    EXPECT_EQ(table[1].mountpoint, "/with blank");
    EXPECT_EQ(table[2].identity, (MountIdentity{"0:53", "/disk"}));
    EXPECT_EQ(table[2].options, "rw,user_id=1001,group_id=7,allow_other");
}

TEST(MountTable, AFuseMountHasAUser) {
    const auto table = parse(kTable);
    EXPECT_EQ(table[2].fuse_user(), 1001U);
    EXPECT_EQ(table[0].fuse_user(), std::nullopt);
}

TEST(MountTable, OtherLinesAreLeftOut) {
    EXPECT_TRUE(parse("\nrubbish\n21 1 8:1 / /\n21 1 8:1 / / rw - ext4\n").empty());
    EXPECT_EQ(parse("1 1 8:1 / /a\\04 rw - t s o\n").at(0).mountpoint, "/a\\04");
}

TEST(MountTable, ThePathsMountIsTheDeepestAndTheLatest) {
    const auto table = parse(kTable + "40 31 0:60 / /mnt rw - tmpfs none rw\n");
    EXPECT_EQ(mount_of("/mnt/file", table)->identity.device, "0:60");
    EXPECT_EQ(mount_of("/mnt", table)->identity.device, "0:60");
    EXPECT_EQ(mount_of("/mnt2", table)->identity.device, "8:1");
    EXPECT_EQ(mount_of("/", table)->identity.device, "8:1");
    EXPECT_EQ(mount_of("/", {}), nullptr);
}

TEST(MountTable, ThisProcessSeesItsRoot) {
    const auto table = mount_table();
    EXPECT_NE(mount_of("/", table), nullptr);
}

} // namespace
} // namespace partialfs::startup
