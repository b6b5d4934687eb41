#include "fusefs/backing/object.hpp"
#include "fusefs/backing/privileges.hpp"
#include "fusefs/file/backing_file.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/unit/file/watched_io.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace partialfs::file {
namespace {

using model::ByteOffset;

class Backing : public ::testing::Test {
  protected:
    Backing() {
        std::ofstream(directory_ / "file") << "text";
        path_fd_ = *base::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_PATH);
    }
    [[nodiscard]] std::string disk() const {
        std::ostringstream text;
        text << std::ifstream(directory_ / "file").rdbuf();
        return text.str();
    }
    base::Result<void> write(std::uint64_t offset, std::string text) {
        iovec part{text.data(), text.size()};
        return file_.write(ByteOffset{offset}, {&part, 1});
    }
    static bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

    partialfs::testing::TemporaryDirectory directory_;
    WatchedIo io_;
    base::Fd path_fd_;
    BackingFile file_{io_, path_fd_, /*reopens_any=*/true};
};

TEST_F(Backing, IsReadAndWrittenByOneDescriptor) {
    const auto reading = file_.readable();
    ASSERT_TRUE(reading);
    const auto writing = file_.writable();
    ASSERT_TRUE(writing);
    EXPECT_EQ((*file_.readable())->get(), (*writing)->get()) << "which can do both";
    EXPECT_TRUE(write(2, "mp"));
    EXPECT_EQ(disk(), "temp");
}

TEST_F(Backing, AClosedDescriptorLivesAsLongAsItsHandles) {
    auto handle = *file_.writable();
    const int number = handle->get();
    file_.close();
    EXPECT_TRUE(is_open(number));
    handle.reset();
    EXPECT_FALSE(is_open(number));
    EXPECT_TRUE(write(0, "n")) << "opened again";
    EXPECT_EQ(disk(), "next");
}

TEST_F(Backing, ADescriptorThatItWasCreatedWithIsTaken) {
    base::Fd created = *base::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_RDWR);
    const int number = created.get();
    ASSERT_EQ(::fchmod(number, 0), 0);
    file_.adopt(std::move(created));
    EXPECT_EQ((*file_.writable())->get(), number);
}

TEST_F(Backing, AnImageIsZerosBeyondTheEnd) {
    std::string image(8, 'x');
    ASSERT_TRUE(file_.read_image(ByteOffset{2}, std::as_writable_bytes(std::span(image))));
    EXPECT_EQ(image, std::string("xt") + std::string(6, '\0'));
    std::string part(8, 'x');
    const auto got = file_.read(ByteOffset{2}, std::as_writable_bytes(std::span(part)));
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 2U);
}

TEST_F(Backing, ErrorsAreThoseOfTheSystemCalls) {
    io_.set_faults("pwrite ENOSPC\nfdatasync EIO\nftruncate EFBIG\npread EIO");
    EXPECT_EQ(write(0, "x").error().value, ENOSPC);
    EXPECT_EQ(file_.sync(/*attributes=*/false).error().value, EIO);
    EXPECT_EQ(file_.truncate(ByteOffset{1}).error().value, EFBIG);
    std::byte byte{};
    EXPECT_EQ(file_.read(ByteOffset{0}, {&byte, 1}).error().value, EIO);
    io_.set_faults("");
    EXPECT_EQ(disk(), "text");
}

TEST_F(Backing, OnlyTheModificationTimeIsSet) {
    struct stat before{};
    ASSERT_EQ(::fstat(path_fd_.get(), &before), 0);
    ASSERT_TRUE(file_.set_mtime({.tv_sec = 1'000'000'000, .tv_nsec = 5}));
    const auto after = file_.status();
    ASSERT_TRUE(after);
    EXPECT_EQ(after->st_mtim.tv_sec, 1'000'000'000);
    EXPECT_EQ(after->st_mtim.tv_nsec, 5);
    EXPECT_EQ(after->st_atim.tv_sec, before.st_atim.tv_sec);
    EXPECT_EQ(after->st_atim.tv_nsec, before.st_atim.tv_nsec);
}

/// The file's privileges: set-id bits and capabilities.
std::optional<backing::Privileges> privileges(const base::Fd& path_fd) {
    const base::Fd file = *base::reopen(path_fd, O_RDWR);
    return *backing::privileges_of(file.get());
}

/// cap_net_raw=ep, version 2.
constexpr std::array<char, 20> kCapability{1, 0, 0, 2, 0, 0x20};

TEST_F(Backing, AFileKeepsItsCapabilitiesThroughEveryChange) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "not root";
    }
    ASSERT_TRUE(write(0, "next")) << "after this it knows that there are none";
    ASSERT_TRUE(file_.change_privileges(
        [&] { return backing::set_xattr(path_fd_, backing::kCapabilities, kCapability, 0); }));
    const auto expect_kept = [&](const char* after) {
        const auto has = privileges(path_fd_);
        ASSERT_TRUE(has) << after;
        EXPECT_EQ(std::string_view(has->capabilities.data(), has->size),
                  std::string_view(kCapability.data(), kCapability.size()))
            << after;
    };
    EXPECT_TRUE(write(2, "ar"));
    expect_kept("a write");
    EXPECT_TRUE(file_.truncate(ByteOffset{1000}));
    expect_kept("a truncation");
    EXPECT_TRUE(file_.allocate(0, {ByteOffset{0}, ByteOffset{100}}));
    expect_kept("an allocation");
    EXPECT_EQ(disk().substr(0, 4), "near");
}

TEST_F(Backing, AFileKeepsSetuidWhoeverWrites) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "not root";
    }
    ASSERT_TRUE(file_.change_privileges([&] { return backing::change_mode(path_fd_, 04755); }));
    base::Result<void> written;
    // Capabilities belong to a thread, so a thread of its own drops one.
    std::thread([&] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> capabilities{};
        ASSERT_EQ(::syscall(SYS_capget, &header, capabilities.data()), 0);
        capabilities[0].effective &= ~(1U << CAP_FSETID);
        ASSERT_EQ(::syscall(SYS_capset, &header, capabilities.data()), 0);
        written = write(0, "next");
    }).join();
    EXPECT_TRUE(written);
    const auto has = privileges(path_fd_);
    ASSERT_TRUE(has);
    EXPECT_EQ(has->mode, 04755U);
}

/// Before each write(2) the kernel may ask for a file's capabilities: nobody waits for the disk.
TEST_F(Backing, ALookAtAFileWithoutPrivilegesDoesNotWaitForAWrite) {
    const auto answers_during = [&](const char* which) {
        std::future<bool> look;
        auto answered = std::future_status::deferred;
        io_.during_write = [&] {
            look = std::async(std::launch::async,
                              [&] { return file_.look_at_privileges([] { return true; }); });
            answered = look.wait_for(std::chrono::seconds(10));
        };
        EXPECT_TRUE(write(0, "next"));
        EXPECT_EQ(answered, std::future_status::ready) << which;
    };
    answers_during("the first write, before which nothing was known of the file");
    answers_during("a later one");
    ASSERT_TRUE(file_.change_privileges([] { return base::Result<void>(); }));
    answers_during("the first one after a change");
}

TEST_F(Backing, WhatIsTakenAwayOnPurposeStaysAway) {
    ASSERT_TRUE(file_.change_privileges([&] { return backing::change_mode(path_fd_, 04755); }));
    ASSERT_TRUE(write(0, "next")) << "which keeps it";
    ASSERT_TRUE(file_.change_privileges([&] { return backing::change_mode(path_fd_, 0755); }));
    ASSERT_TRUE(write(0, "text"));
    EXPECT_FALSE(privileges(path_fd_));
}

} // namespace
} // namespace partialfs::file
