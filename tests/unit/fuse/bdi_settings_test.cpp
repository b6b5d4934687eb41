#include "fusefs/fuse/bdi_settings.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>

namespace partialfs::fuse {
namespace {

std::string first_line(const std::filesystem::path& file) {
    std::string line;
    std::ifstream in(file);
    std::getline(in, line);
    return line;
}

TEST(BdiSettings, TheFilesOfTheMountsOwnDeviceAreWritten) {
    const testing::TemporaryDirectory directory;
    struct stat status{};
    ASSERT_EQ(::stat(directory.path().c_str(), &status), 0);
    const auto bdi =
        directory / "bdi" /
        (std::to_string(major(status.st_dev)) + ':' + std::to_string(minor(status.st_dev)));
    std::filesystem::create_directories(bdi);
    std::ofstream(bdi / "max_ratio");
    std::ofstream(bdi / "read_ahead_kb");
    raise_bdi_limits(directory.path(), directory / "bdi");
    EXPECT_EQ(first_line(bdi / "max_ratio"), "40");
    EXPECT_EQ(first_line(bdi / "read_ahead_kb"), "512");
}

TEST(BdiSettings, WhatIsNotThereIsNotMade) {
    const testing::TemporaryDirectory directory;
    raise_bdi_limits(directory.path(), directory / "bdi");
    raise_bdi_limits(directory / "no such mountpoint", directory / "bdi");
    EXPECT_FALSE(std::filesystem::exists(directory / "bdi"));
}

} // namespace
} // namespace partialfs::fuse
