// Ending: the daemon ends, after a last commit, when it gets a signal or its mount is unmounted.
#include "tests/mounted/startup_fixture.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

namespace partialfs::testing {
namespace {

namespace fs = std::filesystem;

/// Holds data that waits for a commit, without a commit timer.
class Shutdown : public Startup {
  protected:
    void SetUp() override {
        Startup::SetUp();
        if (IsSkipped()) {
            return;
        }
        mount_->start({"--contract=linux-2.6.20", "--commit-interval=0"});
        std::ofstream(mount_->path() / "file") << "text";
    }
    void expect_committed() { EXPECT_EQ(text_of(mount_->source() / "file"), "text"); }
};

TEST_F(Shutdown, SignalsEndTheDaemonAfterALastCommit) {
    for (const int signal : {SIGTERM, SIGINT}) {
        const Ended ended = mount_->stop(signal);
        EXPECT_EQ(ended.code, 0) << ended.errors;
        expect_committed();
        EXPECT_FALSE(fs::exists(mount_->path() / "file")) << "still mounted";
        std::ofstream(mount_->source() / "file");
        mount_->start({"--contract=linux-2.6.20", "--commit-interval=0"});
        std::ofstream(mount_->path() / "file") << "text";
    }
}

TEST_F(Shutdown, AnOutsideUmountEndsTheDaemonAfterALastCommit) {
    const auto ended = mount_->unmount();
    ASSERT_TRUE(ended) << "umount: " << errno_name(ended.error());
    EXPECT_EQ(ended->code, 0) << ended->errors;
    expect_committed();
}

TEST_F(Shutdown, ALazyUmountEndsTheDaemonOnceTheLastFileIsClosed) {
    const int fd = ::open((mount_->path() / "file").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(::umount2(mountpoint().c_str(), MNT_DETACH), 0);
    EXPECT_EQ(::pwrite(fd, "TEXT", 4, 0), 4);
    EXPECT_EQ(::kill(mount_->daemon(), 0), 0);
    ::close(fd);
    const Ended ended = mount_->wait_for_end();
    EXPECT_EQ(ended.code, 0) << ended.errors;
    EXPECT_EQ(text_of(mount_->source() / "file"), "TEXT");
}

TEST_F(Shutdown, EveryWriteThatWasAcknowledgedIsThereAfterASignal) {
    const std::string piece(1500, 'p');
    for (int round = 0; round < 5; ++round) {
        std::atomic<std::size_t> acknowledged{0};
        const int fd = ::open((mount_->path() / "file").c_str(),
                              O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ASSERT_GE(fd, 0);
        std::thread writer([&] {
            while (::write(fd, piece.data(), piece.size()) == std::ssize(piece)) {
                acknowledged += piece.size();
            }
        });
        EXPECT_TRUE(wait_until([&] { return acknowledged > 100 * piece.size(); }));
        EXPECT_EQ(mount_->stop().code, 0);
        writer.join();
        ::close(fd);
        EXPECT_GE(fs::file_size(mount_->source() / "file"), acknowledged);
        mount_->start({"--contract=linux-2.6.20", "--commit-interval=0"});
    }
}

TEST_F(Shutdown, ASignalWhileAFileIsOpenStillCommits) {
    const int fd = ::open((mount_->path() / "file").c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(::pwrite(fd, "TEXT", 4, 0), 4);
    const Ended ended = mount_->stop();
    EXPECT_EQ(ended.code, 0) << ended.errors;
    EXPECT_EQ(text_of(mount_->source() / "file"), "TEXT");
    ::close(fd);
}

TEST_F(Shutdown, UmountIsNotBusyRightAfterTheLastClose) {
    mount_->stop();
    for (int round = 0; round < 60; ++round) {
        mount_->start({"--contract=linux-2.6.20", "--commit-interval=1ms"});
        const int fd =
            ::open((mount_->path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        EXPECT_EQ(::ftruncate(fd, 4096), 0);
        // At every commit the daemon looks at a mapped file through its own mount.
        auto* map =
            static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
        ASSERT_NE(map, MAP_FAILED);
        map[round] = static_cast<char>('a' + round % 26);
        ::munmap(map, 4096);
        ::close(fd);
        const auto ended = mount_->unmount();
        ASSERT_TRUE(ended) << "umount: " << errno_name(ended.error()) << " in round " << round;
        EXPECT_EQ(ended->code, 0);
        EXPECT_EQ(text_of(mount_->source() / "file")[static_cast<std::size_t>(round)],
                  static_cast<char>('a' + round % 26));
    }
}

TEST_F(Shutdown, TheDaemonNoticesTheUmountOfOneMountAmongMany) {
    // Unrelated changes of the mount table must not matter.
    const std::string other = mount_->temporary() / "other";
    fs::create_directory(other);
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(::mount("none", other.c_str(), "tmpfs", 0, "size=64k"), 0);
        ASSERT_EQ(::umount2(other.c_str(), 0), 0);
        EXPECT_EQ(text_of(mount_->path() / "file"), "text");
    }
    const auto ended = mount_->unmount();
    ASSERT_TRUE(ended) << "umount: " << errno_name(ended.error());
    EXPECT_EQ(ended->code, 0);
    expect_committed();
}

} // namespace
} // namespace partialfs::testing
