#include "fusefs/base/fd.hpp"
#include "fusefs/power/disk_cache.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace partialfs::power {
namespace {

using base::Fd;
using model::ByteOffset;
using model::ByteRange;

constexpr Tear kNone{.kind = Tear::Kind::none};
constexpr Tear kAll{.kind = Tear::Kind::all};

class DiskCacheOf : public ::testing::Test {
  protected:
    explicit DiskCacheOf(std::uint64_t cap = 1U << 20U)
        : cache_(UndoStore::make(temporary_.path(), model::ByteCount{cap}).value(),
                 [this] { ++full_; }) {}
    Fd file(const char* name, const std::string& text) {
        std::ofstream(temporary_ / name) << text;
        return Fd::open(AT_FDCWD, (temporary_ / name).c_str(), O_RDWR).value();
    }
    void write(const Fd& fd, off_t offset, std::string text) {
        const iovec part{text.data(), text.size()};
        ASSERT_EQ(cache_.pwritev(fd.get(), &part, 1, offset), ssize_t(text.size()));
    }
    std::string content(const char* name) {
        std::ostringstream text;
        text << std::ifstream(temporary_ / name).rdbuf();
        return text.str();
    }

    testing::TemporaryDirectory temporary_;
    int full_ = 0;
    DiskCache cache_;
};

TEST_F(DiskCacheOf, WhatIsNotSyncedIsTakenBack) {
    const Fd fd = file("a", "0123456789");
    write(fd, 2, "xx");
    write(fd, 3, "yyyyyyyyyyyy");
    ASSERT_EQ(cache_.ftruncate(fd.get(), 1), 0);
    write(fd, 0, "zzz");
    const auto reverted = cache_.revert(kNone);
    EXPECT_EQ(content("a"), "0123456789");
    ASSERT_EQ(reverted.files.size(), 1U);
    EXPECT_EQ(reverted.error, 0);
    EXPECT_EQ(reverted.files[0].size_before, ByteOffset{3});
    EXPECT_EQ(reverted.files[0].size_after, ByteOffset{10});
    EXPECT_EQ(cache_.used(), 0U);
    EXPECT_TRUE(cache_.revert(kNone).files.empty()) << "once";
}

TEST_F(DiskCacheOf, WhatIsSyncedStays) {
    const Fd a = file("a", "aaaa");
    const Fd b = file("b", "bbbb");
    write(a, 0, "AA");
    write(b, 0, "BB");
    ASSERT_EQ(cache_.fdatasync(a.get()), 0);
    write(a, 2, "X");
    const auto reverted = cache_.revert(kNone);
    EXPECT_EQ(content("a"), "AAaa");
    EXPECT_EQ(content("b"), "bbbb") << "a sync of another file saves nothing";
    ASSERT_EQ(reverted.files.size(), 2U);
    for (const auto& taken : reverted.files) {
        EXPECT_EQ(taken.bytes.size(), 1U);
    }
}

TEST_F(DiskCacheOf, ASyncOfTheFilesystemSavesAll) {
    const Fd a = file("a", "aaaa");
    const Fd b = file("b", "bbbb");
    write(a, 0, "AA");
    write(b, 0, "BB");
    ASSERT_EQ(cache_.syncfs(a.get()), 0);
    cache_.revert(kNone);
    EXPECT_EQ(content("a") + content("b"), "AAaaBBbb");
}

TEST_F(DiskCacheOf, AllSurvivesIfSoTold) {
    const Fd fd = file("a", "aaaa");
    write(fd, 1, "bcdef");
    const auto reverted = cache_.revert(kAll);
    EXPECT_EQ(content("a"), "abcdef");
    ASSERT_EQ(reverted.files.size(), 1U);
    EXPECT_TRUE(reverted.files[0].bytes.empty());
}

TEST_F(DiskCacheOf, BytesThatAreTakenAreTold) {
    const Fd fd = file("a", std::string(2000, 'a'));
    write(fd, 100, "bab");
    write(fd, 1998, "ccc");
    const auto reverted = cache_.revert(kNone);
    ASSERT_EQ(reverted.files.size(), 1U);
    const auto range = [](std::uint64_t begin, std::uint64_t end) {
        return ByteRange{ByteOffset{begin}, ByteOffset{end}};
    };
    EXPECT_EQ(reverted.files[0].bytes,
              (std::vector{range(100, 101), range(102, 103), range(1998, 2001)}));
}

TEST_F(DiskCacheOf, OfASizeThatIsTakenAllBytesPastItAreTold) {
    bool taken_at_all = false;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Fd fd = file("a", "old");
        write(fd, 3, std::string(4000, 'n'));
        const auto reverted = cache_.revert({.kind = Tear::Kind::sectors, .seed = seed});
        ASSERT_EQ(reverted.files.size(), 1U);
        if (reverted.files[0].size_after == ByteOffset{3}) {
            taken_at_all = true;
            // Also those sectors of them that have survived.
            EXPECT_EQ(reverted.files[0].bytes,
                      (std::vector{ByteRange{ByteOffset{3}, ByteOffset{4003}}}))
                << seed;
            EXPECT_EQ(content("a"), "old");
        }
    }
    EXPECT_TRUE(taken_at_all);
}

TEST_F(DiskCacheOf, ASyncThatFailsSavesNothing) {
    const Fd fd = file("a", "old");
    write(fd, 0, "new");
    const auto path = Fd::open(AT_FDCWD, (temporary_ / "a").c_str(), O_PATH);
    EXPECT_EQ(cache_.fdatasync(path->get()), -1);
    EXPECT_EQ(cache_.fsync(path->get()), -1);
    EXPECT_EQ(cache_.syncfs(path->get()), -1);
    cache_.revert(kNone);
    EXPECT_EQ(content("a"), "old");
}

TEST_F(DiskCacheOf, OfAFileWithoutANameNothingIsKept) {
    const Fd fd = file("a", "old");
    write(fd, 0, "new");
    struct stat status{};
    ASSERT_EQ(::fstat(fd.get(), &status), 0);
    ASSERT_EQ(::unlink((temporary_ / "a").c_str()), 0);
    cache_.forget({status.st_dev, status.st_ino});
    EXPECT_EQ(cache_.used(), 0U);
    write(fd, 0, "newer");
    EXPECT_EQ(cache_.used(), 0U);
    EXPECT_TRUE(cache_.unsynced().empty());
}

TEST_F(DiskCacheOf, PunchedBytesComeBackAndTimesStay) {
    const Fd fd = file("a", std::string(20000, 'a'));
    ASSERT_EQ(cache_.fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 15000),
              0);
    ASSERT_EQ(cache_.fallocate(fd.get(), 0, 0, 30000), 0);
    const timespec times[2] = {{0, UTIME_OMIT}, {1000, 5}};
    ASSERT_EQ(cache_.futimens(fd.get(), times), 0);
    cache_.revert(kNone);
    EXPECT_EQ(content("a"), std::string(20000, 'a'));
    struct stat status{};
    ASSERT_EQ(::fstat(fd.get(), &status), 0);
    EXPECT_EQ(status.st_mtim.tv_sec, 1000);
}

TEST_F(DiskCacheOf, WhatIsUnsyncedCanBeAskedFor) {
    const Fd fd = file("a", "aaaa");
    write(fd, 0, "bb");
    write(fd, 2, "bbbb");
    const auto unsynced = cache_.unsynced();
    ASSERT_EQ(unsynced.size(), 1U);
    EXPECT_EQ(unsynced[0].data, (std::vector{ByteRange{ByteOffset{0}, ByteOffset{6}}}));
    EXPECT_EQ(unsynced[0].synced_size, ByteOffset{4});
}

class SmallDiskCache : public DiskCacheOf {
  protected:
    SmallDiskCache() : DiskCacheOf(4096) {}
};

TEST_F(SmallDiskCache, WhenItIsFullAllIsSynced) {
    const Fd a = file("a", std::string(4000, 'a'));
    const Fd b = file("b", std::string(8000, 'b'));
    write(a, 0, std::string(3000, 'A'));
    EXPECT_EQ(full_, 0);
    write(b, 0, std::string(3000, 'B'));
    EXPECT_EQ(full_, 1);
    EXPECT_EQ(cache_.times_full(), 1U);
    cache_.revert(kNone);
    EXPECT_EQ(content("a").substr(0, 3000), std::string(3000, 'A')) << "it was synced";
    EXPECT_EQ(content("b"), std::string(8000, 'b')) << "there was room again";
}

TEST_F(SmallDiskCache, WhatIsTooMuchByItselfIsSyncedAtOnce) {
    const Fd b = file("b", std::string(8000, 'b'));
    write(b, 0, std::string(8000, 'B'));
    EXPECT_GE(full_, 1);
    cache_.revert(kNone);
    EXPECT_EQ(content("b"), std::string(8000, 'B'));
    EXPECT_EQ(cache_.used(), 0U);
}

} // namespace
} // namespace partialfs::power
