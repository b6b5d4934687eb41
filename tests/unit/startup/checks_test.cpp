#include "fusefs/startup/checks.hpp"
#include "tests/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace partialfs::startup {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

class Checks : public ::testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(source());
        fs::create_directory(mountpoint());
        std::ofstream(temporary_ / "file");
    }
    [[nodiscard]] fs::path source() const { return temporary_ / "source"; }
    [[nodiscard]] fs::path mountpoint() const { return temporary_ / "mountpoint"; }
    [[nodiscard]] Check mountable(const fs::path& at, bool nonempty = false) const {
        return check_mountpoint(at, source(), nonempty);
    }

    testing::TemporaryDirectory temporary_;
};

/// Expects an error of one line with the path in question.
void expect_wrong(const Check& check, const fs::path& named, const char* what) {
    ASSERT_FALSE(check);
    EXPECT_THAT(check.error(), AllOf(HasSubstr("'" + named.string() + "'"), HasSubstr(what),
                                     Not(HasSubstr("\n"))));
}

TEST_F(Checks, GoodOnesPass) {
    EXPECT_TRUE(check_source(source()));
    EXPECT_TRUE(mountable(mountpoint()));
}

TEST_F(Checks, SourceMustBeADirectoryThatIsThere) {
    expect_wrong(check_source(temporary_ / "none"), temporary_ / "none", "does not exist");
    expect_wrong(check_source(temporary_ / "file"), temporary_ / "file", "not a directory");
}

TEST_F(Checks, MountpointMustBeAnEmptyDirectoryThatIsThere) {
    expect_wrong(mountable(temporary_ / "none"), temporary_ / "none", "does not exist");
    expect_wrong(mountable(temporary_ / "file"), temporary_ / "file", "not a directory");
    std::ofstream(mountpoint() / "something");
    expect_wrong(mountable(mountpoint()), mountpoint(), "'something'");
    EXPECT_TRUE(mountable(mountpoint(), /*nonempty=*/true));
}

TEST_F(Checks, WhatIsMountedAlreadyIsRefused) {
    expect_wrong(mountable("/proc", /*nonempty=*/true), "/proc", "already mounted");
}

TEST_F(Checks, MountpointMustNotLieInsideSource) {
    fs::create_directory(source() / "inside");
    expect_wrong(mountable(source() / "inside"), source() / "inside", "inside SOURCE");
    fs::create_directory_symlink(source() / "inside", temporary_ / "link");
    expect_wrong(mountable(temporary_ / "link"), temporary_ / "link", "inside SOURCE");
    fs::create_directory(temporary_ / "source-of-another-name");
    EXPECT_TRUE(mountable(temporary_ / "source-of-another-name"));
}

TEST_F(Checks, SourceIsNotMountedOnItself) {
    expect_wrong(mountable(source()), source(), "itself");
    fs::create_directory_symlink(source(), temporary_ / "link");
    expect_wrong(mountable(temporary_ / "link"), temporary_ / "link", "itself");
}

} // namespace
} // namespace partialfs::startup
