#include "tools/mmapstress/system/mount_info.hpp"

#include <gtest/gtest.h>

namespace mmapstress {
namespace {

constexpr std::string_view kMounts =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "30 22 0:25 / /mnt rw shared:5 master:2 - xfs /dev/loop0 rw,attr2\n"
    "31 30 0:30 / /mnt/a\\040b rw,nosuid - fuse.partialfs /back\\134slash rw,user_id=0\n"
    "32 30 0:31 / /mnt/x rw - tmpfs tmpfs rw\n"
    "33 32 0:32 / /mnt/x rw - btrfs /dev/loop1 rw\n"
    "broken line\n";

TEST(FindMount, TakesTheInnermostMount) {
    EXPECT_EQ(find_mount(kMounts, "/home/x")->type, "ext4");
    EXPECT_EQ(find_mount(kMounts, "/mnt")->type, "xfs");
    EXPECT_EQ(find_mount(kMounts, "/mnt/dir")->root, "/mnt");
    EXPECT_EQ(find_mount(kMounts, "/mntother")->type, "ext4");
}

TEST(FindMount, TakesTheLastOfThoseOnOnePlace) {
    EXPECT_EQ(find_mount(kMounts, "/mnt/x/y")->type, "btrfs");
}

TEST(FindMount, UndoesTheEscapes) {
    const auto mount = find_mount(kMounts, "/mnt/a b/c");
    ASSERT_TRUE(mount);
    EXPECT_EQ(mount->root, "/mnt/a b");
    EXPECT_EQ(mount->source, "/back\\slash");
    EXPECT_TRUE(is_partialfs(*mount));
}

TEST(LargestFolio, IsAPageWhereThatIsKnown) {
    const auto of = [](std::string type, std::vector<std::string> options = {}) {
        return largest_folio({std::move(type), "/mnt", "/dev/loop0", std::move(options)}).value;
    };
    for (const char* type : {"fuse", "fuse.partialfs", "fuseblk", "btrfs", "tmpfs"}) {
        EXPECT_EQ(of(type), 4096U) << type;
    }
    for (const char* type : {"ext2", "ext4", "xfs", "overlay", "newfs"}) {
        EXPECT_EQ(of(type), 2U << 20U) << type;
    }
    EXPECT_EQ(of("ext4", {"rw", "data=journal"}), 4096U);
    EXPECT_EQ(of("tmpfs", {"rw", "huge=within_size"}), 2U << 20U);
}

TEST(FindMount, SaysSoIfThereIsNone) {
    EXPECT_FALSE(find_mount("", "/x"));
}

} // namespace
} // namespace mmapstress
