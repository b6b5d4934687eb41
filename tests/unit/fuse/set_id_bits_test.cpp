#include "fusefs/fuse/set_id_bits.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>

namespace partialfs::fuse {
namespace {

/// A write request as the kernel sends it, without its data.
std::array<std::byte, sizeof(fuse_in_header) + sizeof(fuse_write_in)> request(std::uint32_t opcode,
                                                                              std::uint32_t flags) {
    fuse_in_header header{};
    header.opcode = opcode;
    fuse_write_in arguments{};
    arguments.write_flags = flags;
    std::array<std::byte, sizeof header + sizeof arguments> bytes{};
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &arguments, sizeof arguments);
    return bytes;
}

TEST(SetIdBits, AWriteSaysWhetherItsCallerMayKeepThem) {
    EXPECT_TRUE(write_clears_set_id(request(FUSE_WRITE, FUSE_WRITE_KILL_SUIDGID)));
    EXPECT_TRUE(
        write_clears_set_id(request(FUSE_WRITE, FUSE_WRITE_KILL_SUIDGID | FUSE_WRITE_LOCKOWNER)));
    EXPECT_FALSE(write_clears_set_id(request(FUSE_WRITE, FUSE_WRITE_LOCKOWNER)));
    EXPECT_FALSE(write_clears_set_id(request(FUSE_READ, FUSE_WRITE_KILL_SUIDGID)));
    const auto whole = request(FUSE_WRITE, FUSE_WRITE_KILL_SUIDGID);
    EXPECT_FALSE(write_clears_set_id(std::span(whole).first(whole.size() - 1)));
    EXPECT_FALSE(write_clears_set_id({}));
}

/// The daemon's inode of a file, without the file's data.
Inode inode_of(const std::filesystem::path& path) {
    base::Fd object{::open(path.c_str(), O_PATH | O_CLOEXEC)};
    struct stat status{};
    EXPECT_EQ(::fstat(object.get(), &status), 0);
    return {model::InodeId{2}, std::move(object), status, 2,
            [](auto&&...) { return std::unique_ptr<file::FileData>(); }};
}

mode_t cleared(const testing::TemporaryDirectory& directory, mode_t mode) {
    const base::Fd file{::open((directory / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)};
    EXPECT_EQ(::fchmod(file.get(), mode), 0);
    EXPECT_TRUE(clear_set_id(inode_of(directory / "file")));
    struct stat status{};
    EXPECT_EQ(::fstat(file.get(), &status), 0);
    return status.st_mode & 07777U;
}

TEST(SetIdBits, SetgidGoesOnlyWhereTheGroupMayExecute) {
    const testing::TemporaryDirectory directory;
    EXPECT_EQ(cleared(directory, 06755), 0755U);
    EXPECT_EQ(cleared(directory, 06745), 02745U);
    EXPECT_EQ(cleared(directory, 02710), 0710U);
    EXPECT_EQ(cleared(directory, 05711), 01711U) << "the sticky bit is none of them";
    EXPECT_EQ(cleared(directory, 0644), 0644U);
}

TEST(SetIdBits, ADirectoryKeepsThem) {
    const testing::TemporaryDirectory directory;
    ASSERT_EQ(::chmod(directory.path().c_str(), 06755), 0);
    EXPECT_TRUE(clear_set_id(inode_of(directory.path())));
    struct stat status{};
    ASSERT_EQ(::stat(directory.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 06755U);
}

TEST(SetIdBits, ACallerWithTheCapabilityKeepsThem) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "not root";
    }
    const testing::TemporaryDirectory directory;
    const base::Fd file{::open((directory / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)};
    ASSERT_EQ(::fchmod(file.get(), 06755), 0);
    const auto mode = [&] {
        struct stat status{};
        EXPECT_EQ(::fstat(file.get(), &status), 0);
        return status.st_mode & 07777U;
    };
    const Inode inode = inode_of(directory / "file");
    EXPECT_TRUE(clear_set_id_by(::getpid(), inode));
    EXPECT_EQ(mode(), 06755U);
    EXPECT_TRUE(clear_set_id_by(0, inode)) << "of another PID namespace: nothing is known of it";
    EXPECT_EQ(mode(), 0755U);
}

} // namespace
} // namespace partialfs::fuse
