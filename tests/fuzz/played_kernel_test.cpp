// Power cuts and faults with a simulated kernel: sequences of requests that Linux sends too rarely,
// or along with too many others, for a test on a mount.
#include "fusefs/fuse/control_nodes.hpp"
#include "fusefs/startup/filesystem.hpp"
#include "tests/fuzz/fuse/fake_kernel.hpp"
#include "tests/fuzz/fuse/script.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace partialfs::fuzz {
namespace {

// The bytes of these objects in Numbers.
constexpr std::uint8_t kRoot = 1;
constexpr std::uint8_t kOldFile = 2;
constexpr std::uint8_t kNewFile = 3;
constexpr std::uint8_t kOldHandle = 1;
constexpr auto kPower = static_cast<std::uint8_t>(240 + fuse::kPowerFile - fuse::kFirstControlNode);

template <typename Structure>
Bytes bytes_of(const Structure& structure, std::string_view behind) {
    const auto fixed = std::as_bytes(std::span(&structure, 1));
    Bytes bytes(fixed.begin(), fixed.end());
    std::ranges::copy(std::as_bytes(std::span(behind)), std::back_inserter(bytes));
    return bytes;
}

class PlayedKernel : public ::testing::Test {
  protected:
    PlayedKernel() {
        spdlog::set_level(spdlog::level::off);
        startup::Options options = small_mount();
        options.source = directory_.path();
        options.mountpoint = directory_ / "no-mountpoint";
        options.power = true;
        options.trace = directory_ / "trace";
        filesystem_.emplace(options, fuse::Probe::compare, faults_);
        EXPECT_TRUE(filesystem_->connect(FakeKernel::io(), kernel_.take_daemon_end()));
        server_ = std::thread([this] { filesystem_->serve([] { return true; }); });
        fuse_create_in arguments{};
        arguments.flags = O_RDWR;
        arguments.mode = 0644;
        EXPECT_EQ(
            kernel_.send(
                {.opcode = FUSE_CREATE, .inode = kRoot, .arguments = bytes_of(arguments, "file")}),
            0);
    }
    ~PlayedKernel() override { end(); }
    /// Shuts the filesystem down, which completes the trace.
    void end() {
        if (server_.joinable()) {
            kernel_.hang_up();
            server_.join();
            filesystem_.reset();
        }
    }
    int write(std::uint8_t inode, std::uint8_t handle, std::string_view text,
              std::uint32_t flags = 0) {
        fuse_write_in arguments{};
        arguments.fh = handle;
        arguments.size = static_cast<std::uint32_t>(text.size());
        arguments.write_flags = flags;
        return kernel_.send(
            {.opcode = FUSE_WRITE, .inode = inode, .arguments = bytes_of(arguments, text)});
    }
    int writepage(std::uint8_t inode, std::string_view text) {
        return write(inode, kOldHandle, text, FUSE_WRITE_CACHE);
    }
    int tell(std::string_view command) { return write(kPower, 0, command); }
    int fsync_old() {
        fuse_fsync_in arguments{};
        arguments.fh = kOldHandle;
        return kernel_.send(
            {.opcode = FUSE_FSYNC, .inode = kOldFile, .arguments = bytes_of(arguments, "")});
    }
    int look_up(const std::string_view name = "file") {
        const auto bytes = std::as_bytes(std::span(name));
        return kernel_.send({.opcode = FUSE_LOOKUP,
                             .inode = kRoot,
                             .arguments = Bytes(bytes.begin(), bytes.end())});
    }
    std::string on_disk(const char* name = "file") {
        std::ostringstream text;
        text << std::ifstream(directory_ / name).rdbuf();
        return text.str();
    }

    testing::TemporaryDirectory directory_;
    faults::FaultBook faults_;
    std::optional<startup::Filesystem> filesystem_;
    FakeKernel kernel_{{}};
    std::thread server_;
};

/// A writepage of a file from before the cut. Linux drops all such pages at the cut.
TEST_F(PlayedKernel, ALateWritepageReachesNothingAndIsNobodysError) {
    ASSERT_EQ(write(kOldFile, kOldHandle, "old."), 0);
    ASSERT_EQ(fsync_old(), 0);
    ASSERT_EQ(writepage(kOldFile, "page"), 0);
    ASSERT_EQ(on_disk(), "page") << "before a cut a writepage is written";
    ASSERT_EQ(tell("cut-and-on"), 0);
    EXPECT_EQ(writepage(kOldFile, "late"), 0) << "an error would be told to the next boot's syncfs";
    EXPECT_EQ(on_disk(), "page");
    EXPECT_EQ(write(kOldFile, kOldHandle, "late"), EIO);
    EXPECT_EQ(fsync_old(), EIO);
    EXPECT_EQ(on_disk(), "page");

    ASSERT_EQ(look_up(), 0);
    EXPECT_EQ(writepage(kNewFile, "new."), 0);
    EXPECT_EQ(on_disk(), "new.") << "it is another file";
    EXPECT_EQ(writepage(kOldFile, "late"), 0);
    EXPECT_EQ(on_disk(), "new.");

    ASSERT_EQ(tell("cut"), 0);
    EXPECT_EQ(writepage(kNewFile, "late"), EIO) << "while the power is off";
    ASSERT_EQ(tell("on"), 0);
    EXPECT_EQ(on_disk(), "new.");
}

TEST_F(PlayedKernel, EachKindOfRequestIsCounted) {
    ASSERT_EQ(tell("cut-and-on at=op:4"), 0);
    EXPECT_EQ(write(kOldFile, kOldHandle, "one."), 0);
    EXPECT_EQ(writepage(kOldFile, "two."), 0);
    EXPECT_EQ(look_up(), 0);
    EXPECT_EQ(fsync_old(), EIO) << "the fourth";
}

TEST_F(PlayedKernel, TheWayToTheControlDirectoryIsFreeWhileThePowerIsOff) {
    ASSERT_EQ(tell("cut"), 0);
    EXPECT_EQ(look_up(), EIO);
    EXPECT_EQ(look_up(".partialfs"), 0);
}

TEST_F(PlayedKernel, TheWayToTheControlDirectoryIsFreeOfFaults) {
    ASSERT_TRUE(faults_.change("lookup EREMOTEIO"));
    EXPECT_EQ(look_up(), EREMOTEIO);
    EXPECT_EQ(look_up(".partialfs"), 0);
}

/// A cut also takes the unsynced bytes of a file that the kernel has forgotten.
TEST_F(PlayedKernel, AFileThatIsForgottenLosesWhatNoSyncHasMadeDurable) {
    ASSERT_EQ(write(kOldFile, kOldHandle, "old."), 0);
    ASSERT_EQ(fsync_old(), 0);
    ASSERT_EQ(write(kOldFile, kOldHandle, "unsynced"), 0);
    ASSERT_TRUE(faults_.change("fdatasync skip\nfsync skip"));
    ASSERT_EQ(fsync_old(), 0); // a sync that only pretends: the daemon believes all is durable
    fuse_release_in release{};
    release.fh = kOldHandle;
    ASSERT_EQ(kernel_.send(
                  {.opcode = FUSE_RELEASE, .inode = kOldFile, .arguments = bytes_of(release, "")}),
              0);
    kernel_.send({.opcode = FUSE_FORGET,
                  .inode = kOldFile,
                  .arguments = bytes_of(fuse_forget_in{.nlookup = 1}, "")});
    EXPECT_EQ(on_disk(), "unsynced");
    ASSERT_EQ(tell("cut-and-on tear=none"), 0);
    EXPECT_EQ(on_disk(), "old.");
    end();
    const std::string trace = on_disk("trace");
    EXPECT_NE(trace.find(R"("event":"cut-took")"), std::string::npos) << trace;
    EXPECT_NE(trace.find(R"("event":"cut-resized")"), std::string::npos) << trace;
}

} // namespace
} // namespace partialfs::fuzz
