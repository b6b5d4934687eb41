#include "tools/mmapstress/system/device_sectors.hpp"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace mmapstress {
namespace {

TEST(DeviceSectors, AreReadFromADisksStat) {
    EXPECT_EQ(sectors_of_stat("     163        1     8832      100       78       12     1920     "
                              "   55        0       90      155\n"),
              1920U);
    EXPECT_EQ(sectors_of_stat("1 2 3 4\n"), 4U); // a partition before Linux 2.6.25
    EXPECT_EQ(sectors_of_stat(""), std::nullopt);
    EXPECT_EQ(sectors_of_stat("1 2 3 4 5"), std::nullopt);
    EXPECT_EQ(sectors_of_stat("1 2 3 4 5 6 x"), std::nullopt);
}

TEST(DeviceSectors, AreReadFromADevicesLineOfDiskstats) {
    constexpr const char* kText = "   3    0 hda 10 1 80 5 20 2 160 7 0 9 12\n"
                                  "   3    1 hda1 10 80 20 161\n"
                                  " 254   10 dm-10 1 0 8 5 2 0 16 7 0 9 12\n";
    EXPECT_EQ(sectors_of_diskstats(kText, makedev(3, 0)), 160U);
    EXPECT_EQ(sectors_of_diskstats(kText, makedev(3, 1)), 161U);
    EXPECT_EQ(sectors_of_diskstats(kText, makedev(254, 10)), 16U);
    EXPECT_EQ(sectors_of_diskstats(kText, makedev(254, 1)), std::nullopt);
    EXPECT_EQ(sectors_of_diskstats("", makedev(3, 0)), std::nullopt);
    EXPECT_EQ(sectors_of_diskstats("   3    0", makedev(3, 0)), std::nullopt);
}

TEST(DeviceSectors, AreNotCountedOfWhatIsNoDisk) {
    EXPECT_EQ(DeviceSectors(makedev(0, 5)).written(), std::nullopt);
}

} // namespace
} // namespace mmapstress
