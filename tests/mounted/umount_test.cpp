// After an umount: everything is on disk once partialfs --wait, --unmount or umount(8)'s helper
// returns; otherwise they report it.
#include "tests/mounted/startup_fixture.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace partialfs::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

/// Bytes other than zero, different in each round.
std::string content(int round, std::size_t size) {
    std::string text(size, 'a');
    for (std::size_t i = 0; i < size; i += 512) {
        text[i] = static_cast<char>('a' + (i / 512 + static_cast<std::size_t>(round)) % 26);
    }
    return text;
}

class Umount : public Startup {
  protected:
    void write_file(const std::string& text) { std::ofstream(mount_->path() / "file") << text; }
    void expect_on_disk(const std::string& text, const std::string& what) {
        EXPECT_TRUE(text_of(mount_->source() / "file") == text) << what << ": not whole on disk";
    }
    void start_with_rules(const std::string& rules) {
        const fs::path file = mount_->temporary() / "faults";
        std::ofstream(file) << rules;
        start_in_background({"--faults", file});
    }
};

TEST_F(Umount, AfterWaitingTheFileIsWhole) {
    for (int round = 0; round < 20; ++round) {
        start_in_background();
        const std::string text = content(round, std::size_t{60} << 20U);
        write_file(text);
        ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0) << errno;
        const Ended waited = run({"--wait", source()});
        EXPECT_EQ(waited.code, 0) << waited.errors;
        expect_on_disk(text, "round " + std::to_string(round));
    }
}

TEST_F(Umount, UnmountWaits) {
    for (int round = 0; round < 5; ++round) {
        start_in_background();
        const std::string text = content(round, std::size_t{20} << 20U);
        write_file(text);
        const Ended unmounted = run({"--unmount", mountpoint()});
        EXPECT_EQ(unmounted.code, 0) << unmounted.errors;
        expect_on_disk(text, "round " + std::to_string(round));
    }
}

TEST_F(Umount, WaitingWorksBySymlinkAndForASourceThatNobodyHas) {
    EXPECT_EQ(run({"--wait", source()}).code, 0);
    fs::create_directory_symlink(source(), mount_->temporary() / "link");
    start_in_background();
    write_file("text");
    ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0);
    EXPECT_EQ(run({"--wait", mount_->temporary() / "link"}).code, 0);
    expect_on_disk("text", "by a symlink");
    EXPECT_EQ(run({"--wait", source() + "/none"}).code, ENOENT);
}

TEST_F(Umount, AFailedLastCommitIsReportedHoweverLateOneAsks) {
    start_with_rules("pwrite ENOSPC");
    write_file("text");
    ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0);
    for (int again = 0; again < 2; ++again) {
        const Ended waited = run({"--wait", source()});
        EXPECT_EQ(waited.code, ENOSPC);
        EXPECT_THAT(waited.errors, AllOf(HasSubstr("last commit"), HasSubstr(source()),
                                         HasSubstr("No space left on device")));
    }
    start_in_background();
    const Ended unmounted = run({"--unmount", mountpoint()});
    EXPECT_EQ(unmounted.code, 0) << "an earlier mount's error is forgotten: " << unmounted.errors;
    EXPECT_EQ(run({"--wait", source()}).code, 0);
}

TEST_F(Umount, UnmountReportsAFailedLastCommit) {
    start_with_rules("pwrite EIO");
    write_file("text");
    const Ended unmounted = run({"--unmount", mountpoint()});
    EXPECT_EQ(unmounted.code, EIO);
    EXPECT_THAT(unmounted.errors, HasSubstr("Input/output error"));
}

TEST_F(Umount, ADaemonThatWasKilledIsReported) {
    mount_->start({"--contract=linux-2.6.20", "--commit-interval=0"});
    write_file("text");
    mount_->kill();
    const Ended waited = run({"--wait", source()});
    EXPECT_EQ(waited.code, ESRCH);
    EXPECT_THAT(waited.errors, HasSubstr("died before its last commit"));
}

TEST_F(Umount, ABusyMountStays) {
    start_in_background();
    const int fd = ::open((mount_->path() / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const Ended busy = run({"--unmount", mountpoint()});
    EXPECT_EQ(busy.code, EBUSY);
    EXPECT_THAT(busy.errors, AllOf(HasSubstr(mountpoint()), HasSubstr("busy")));
    EXPECT_EQ(::write(fd, "x", 1), 1);
    ::close(fd);
    EXPECT_EQ(run({"--unmount", mountpoint()}).code, 0);
    EXPECT_EQ(run({"--unmount", mountpoint()}).code, EINVAL) << "nothing is mounted any more";
}

TEST_F(Umount, Umount8Waits) {
    // As after an installation: a mount namespace of its own has our programs in /usr/bin and
    // /usr/sbin.
    const fs::path bin = mount_->temporary() / "bin";
    fs::create_directory(bin);
    fs::create_directory(mount_->temporary() / "sbin");
    fs::copy_file(PARTIALFS_BINARY, bin / "partialfs");
    const fs::path sbin = mount_->temporary() / "sbin";
    for (const char* helper : {"mount.fuse.partialfs", "umount.fuse.partialfs"}) {
        fs::copy_file(fs::path(PARTIALFS_PACKAGING) / helper, sbin / helper);
    }
    // The namespace has copies of other tests' mounts, and would keep those mounts alive.
    const std::string namespace_of_its_own =
        "findmnt -rno TARGET -t fuse.partialfs | xargs -r -n 1 umount -l || true\n"
        "mount -t overlay none -o lowerdir=" +
        bin.string() + ":/usr/bin /usr/bin\n" +
        "mount -t overlay none -o lowerdir=" + sbin.string() + ":/usr/sbin /usr/sbin\n";
    for (int round = 0; round < 5; ++round) {
        const std::string text = content(round, std::size_t{20} << 20U);
        std::ofstream(mount_->temporary() / "text") << text;
        const Ended ended = run_program(
            {"unshare", "--mount", "sh", "-e", "-c",
             namespace_of_its_own + "mount -t fuse.partialfs " + source() + " " + mountpoint() +
                 " -o contract=linux-2.6.20,commit_interval=0\n" + "cp " +
                 (mount_->temporary() / "text").string() + " " + mountpoint() + "/file\n" +
                 "umount " + mountpoint() + "\ncmp " + (mount_->temporary() / "text").string() +
                 " " + source() + "/file >&2"});
        EXPECT_EQ(ended.code, 0) << ended.errors;
    }
}

TEST_F(Umount, AfterASignalNoWriteIsAccepted) {
    mount_->start({"--contract=linux-2.6.20", "--commit-interval=0"});
    const int fd = ::open((mount_->path() / "file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::write(fd, "text", 4), 4);
    mount_->set_faults("pwrite delay=300ms");
    ASSERT_EQ(::kill(mount_->daemon(), SIGTERM), 0);
    std::string written = "text";
    while (::write(fd, "more", 4) == 4) {
        written += "more";
    }
    EXPECT_EQ(errno, ESHUTDOWN);
    ::close(fd);
    EXPECT_EQ(mount_->wait_for_end().code, 0);
    expect_on_disk(written, "what was acknowledged");
}

} // namespace
} // namespace partialfs::testing
