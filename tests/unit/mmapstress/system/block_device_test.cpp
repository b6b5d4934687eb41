#include "tools/mmapstress/system/block_device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mmapstress {
namespace {

std::vector<std::byte> device_with(std::string_view signature, std::size_t offset) {
    std::vector<std::byte> bytes(kSignatureBytes);
    std::ranges::transform(signature, bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                           [](char letter) { return static_cast<std::byte>(letter); });
    return bytes;
}

TEST(BlockDevice, KnowsWhatItMustNotWriteOver) {
    EXPECT_EQ(signature_in(std::vector<std::byte>(kSignatureBytes)), std::nullopt);
    EXPECT_EQ(signature_in(device_with("XFSB", 0)), "XFS");
    EXPECT_EQ(signature_in(device_with("XFSB", 1)), std::nullopt) << "not the place for it";
    EXPECT_EQ(signature_in(device_with("\x53\xef", 1080)), "ext2, ext3 or ext4");
    EXPECT_EQ(signature_in(device_with("_BHRfS_M", 0x10040)), "btrfs");
    EXPECT_EQ(signature_in(device_with("SWAPSPACE2", 4086)), "swap space");
    EXPECT_EQ(signature_in(device_with("\x55\xaa", 510)), "a partition table or a boot sector");
}

TEST(BlockDevice, ASmallDeviceIsLookedAtAsFarAsItGoes) {
    const auto bytes = device_with("_BHRfS_M", 0x10040);
    EXPECT_EQ(signature_in(std::span(bytes).first(4096)), std::nullopt);
    EXPECT_EQ(signature_in({}), std::nullopt);
}

TEST(BlockDevice, AFileIsNone) {
    const auto device = open_device("/proc/self/exe");
    ASSERT_FALSE(device);
    const auto null = open_device("/dev/null");
    ASSERT_FALSE(null);
    EXPECT_EQ(null.error().message(), "/dev/null is no block device");
}

} // namespace
} // namespace mmapstress
