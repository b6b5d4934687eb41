#include "fusefs/startup/directory_id.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

namespace partialfs::startup {
namespace {

namespace fs = std::filesystem;

DirectoryId id(const fs::path& path) {
    return id_of(AT_FDCWD, path.c_str()).value();
}

bool has(const std::vector<Ancestor>& above, const DirectoryId& wanted) {
    return std::ranges::find(above, wanted, &Ancestor::id) != above.end();
}

TEST(DirectoryId, NamesDoNotMatter) {
    const testing::TemporaryDirectory temporary;
    fs::create_directories(temporary / "a/b");
    fs::create_directory_symlink(temporary / "a/b", temporary / "link");
    EXPECT_EQ(id(temporary / "link"), id(temporary / "a/b"));
    EXPECT_EQ(id(temporary / "a/../a/b"), id(temporary / "a/b"));
    EXPECT_NE(id(temporary / "a"), id(temporary / "a/b"));
    EXPECT_EQ(id_of(AT_FDCWD, (temporary / "none").c_str()).error().value, ENOENT);
}

TEST(DirectoryId, ADirectoryMadeAnewIsAnother) {
    const testing::TemporaryDirectory temporary;
    fs::create_directory(temporary / "a");
    const DirectoryId before = id(temporary / "a");
    if (before.born == 0) {
        GTEST_SKIP() << temporary.path() << " does not say when a directory was made";
    }
    fs::remove(temporary / "a");
    // Its inode number may be reused. New inodes get the time of the last clock tick or, if later,
    // the finest time stamp given out (Linux 6.13). Both directories would get the same one until a
    // tick is later than it.
    const auto coarse_now = [] {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
        return now.tv_sec * 1'000'000'000 + now.tv_nsec;
    };
    while (coarse_now() <= before.born) {
        std::this_thread::yield();
    }
    fs::create_directory(temporary / "a");
    EXPECT_NE(id(temporary / "a"), before);
}

TEST(Ancestors, EveryDirectoryUpToTheRootIsThereOnce) {
    const testing::TemporaryDirectory temporary;
    fs::create_directories(temporary / "a/b/c");
    const auto above = ancestors_of(fs::canonical(temporary / "a/b/c"));
    EXPECT_TRUE(has(above, id(temporary / "a/b")));
    EXPECT_TRUE(has(above, id(temporary / "a")));
    EXPECT_TRUE(has(above, id("/")));
    EXPECT_FALSE(has(above, id(temporary / "a/b/c")));
    EXPECT_EQ(std::ranges::count(above, id("/"), &Ancestor::id), 1);
    EXPECT_TRUE(ancestors_of("/").empty());
}

TEST(Ancestors, ABindMountShowesWhatLiesAboveTheOriginal) {
    const testing::TemporaryDirectory temporary;
    fs::create_directories(temporary / "a/b");
    fs::create_directories(temporary / "elsewhere/bound");
    std::string reason;
    bool original = false;
    bool place = false;
    std::thread([&] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount((temporary / "a/b").c_str(), (temporary / "elsewhere/bound").c_str(), nullptr,
                    MS_BIND, nullptr) != 0) {
            reason = std::string("no mount of our own: ") + std::strerror(errno);
            return;
        }
        const auto above = ancestors_of(fs::canonical(temporary / "elsewhere/bound"));
        original = has(above, id(temporary / "a"));
        place = has(above, id(temporary / "elsewhere"));
    }).join();
    if (!reason.empty()) {
        GTEST_SKIP() << reason;
    }
    EXPECT_TRUE(original);
    EXPECT_TRUE(place);
}

} // namespace
} // namespace partialfs::startup
