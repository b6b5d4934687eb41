// Starting: the daemon's message when it cannot start, and that it is usable once it says so.
#include "tests/mounted/startup_fixture.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

namespace partialfs::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

TEST_F(Startup, AMissingSourceIsNamed) {
    expect_refused({source() + "/none", mountpoint()}, {source() + "/none", "does not exist"});
}

TEST_F(Startup, ASourceThatIsAFileIsNamed) {
    std::ofstream(source() + "/file");
    expect_refused({source() + "/file", mountpoint()}, {source() + "/file", "not a directory"});
}

TEST_F(Startup, AnUnreadableSourceIsNamed) {
    fs::permissions(source(), fs::perms::none);
    fs::permissions(mountpoint(), fs::perms::all);
    const std::string message =
        run_as(User{.uid = 1001, .gid = 1001, .groups = {}}, mount_->temporary(), [&](Script& s) {
            // Fails on purpose: nothing is mounted.
            const Ended ended = run({source(), mountpoint()});
            s.note(std::to_string(ended.code) + " " + ended.errors);
        }).front();
    EXPECT_THAT(message, AllOf(HasSubstr("1 partialfs: SOURCE"), HasSubstr("cannot be read")));
}

TEST_F(Startup, NoThreadIsHeldUpByDirtyPagesOfItsOwnMount) {
    if (::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
        GTEST_SKIP() << "CAP_SYS_RESOURCE is missing (here)";
    }
    ::prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
    mount_->start({"--contract=linux-2.6.20"});
    constexpr unsigned long kMemallocNoio =
        0x80000; // include/linux/sched.h; set by PR_SET_IO_FLUSHER
    const fs::path tasks = "/proc/" + std::to_string(mount_->daemon()) + "/task";
    for (const auto& task : fs::directory_iterator(tasks)) {
        std::string stat;
        std::getline(std::ifstream(task.path() / "stat"), stat);
        std::istringstream fields(stat.substr(stat.rfind(')') + 1));
        std::string skipped;
        for (int i = 0; i < 6; ++i) { // state, ppid, pgrp, session, tty_nr, tpgid
            fields >> skipped;
        }
        unsigned long flags = 0;
        fields >> flags;
        EXPECT_NE(flags & kMemallocNoio, 0U) << stat;
    }
}

TEST_F(Startup, AMissingMountpointIsNamed) {
    expect_refused({source(), mountpoint() + "/none"},
                   {mountpoint() + "/none", "does not exist", "mkdir"});
}

TEST_F(Startup, AMountpointThatIsAFileIsNamed) {
    std::ofstream(mountpoint() + "/file");
    expect_refused({source(), mountpoint() + "/file"}, {"not a directory"});
}

TEST_F(Startup, AMountpointThatIsNotEmptyIsRefusedUnlessAllowed) {
    std::ofstream(mountpoint() + "/file");
    expect_refused({source(), mountpoint()}, {"not empty", "'file'", "nonempty"});
    mount_->start({"-o", "nonempty"});
    EXPECT_FALSE(fs::exists(mount_->path() / "file"));
    EXPECT_EQ(mount_->stop().code, 0);
    EXPECT_TRUE(fs::exists(mount_->path() / "file"));
}

TEST_F(Startup, AMountpointThatIsMountedIsRefused) {
    mount_->start();
    expect_refused({source(), mountpoint()}, {"already mounted", "umount " + mountpoint()});
    EXPECT_EQ(mount_->stop().code, 0);
}

TEST_F(Startup, ADeadMountIsRefusedWithTheWayOut) {
    mount_->start();
    ::kill(mount_->daemon(), SIGKILL);
    mount_->wait_for_end();
    expect_refused({source(), mountpoint()}, {"has died", "umount " + mountpoint()});
}

TEST_F(Startup, AMountpointInsideSourceIsRefused) {
    fs::create_directory(source() + "/inside");
    expect_refused({source(), source() + "/inside"}, {"inside SOURCE"});
}

TEST_F(Startup, SourceIsNotMountedOnItself) {
    expect_refused({source(), source()}, {source(), "itself"});
}

TEST_F(Startup, MissingAndForbiddenFuseDevicesAreNamed) {
    // Runs in a mount namespace of its own, where /dev/fuse can be hidden.
    const auto with_device = [&](const std::string& command) {
        return run_program(
            {"unshare", "--mount", "sh", "-c",
             command + " && exec " + PARTIALFS_BINARY + " " + source() + " " + mountpoint()});
    };
    const Ended missing = with_device("mount -t tmpfs none /dev");
    EXPECT_NE(missing.code, 0);
    EXPECT_THAT(missing.errors, AllOf(HasSubstr("/dev/fuse is missing"), HasSubstr("modprobe")));
    const Ended wrong = with_device("mount --bind /dev/null /dev/fuse");
    EXPECT_NE(wrong.code, 0);
    EXPECT_THAT(wrong.errors, AllOf(HasSubstr("/dev/fuse is not the FUSE device"),
                                    HasSubstr("mknod /dev/fuse c 10 229")));
}

TEST_F(Startup, WithoutTheRightToMountTheMessageSaysSo) {
    const Ended ended = run_program(
        {"setpriv", "--bounding-set=-sys_admin", PARTIALFS_BINARY, source(), mountpoint()});
    EXPECT_NE(ended.code, 0);
    EXPECT_THAT(ended.errors, AllOf(HasSubstr("cannot mount at '" + mountpoint() + "'"),
                                    HasSubstr("mount failed: Operation not permitted"),
                                    HasSubstr("CAP_SYS_ADMIN")));
}

TEST_F(Startup, BadValuesAreNamed) {
    expect_refused({source(), mountpoint(), "--contract=linux-2.4"}, {"--contract", "linux-2.4"});
    expect_refused({source(), mountpoint(), "--trace=/dev/null/trace"}, {"/dev/null/trace"});
    expect_refused({source(), mountpoint(), "--log-file=/dev/null/log"}, {"/dev/null/log"});
    expect_refused({source(), mountpoint(), "-o", "wrong"}, {"wrong"});
    expect_refused({source(), mountpoint(), "-f", "--log-level=off", "--trace=/dev/null/trace"},
                   {"/dev/null/trace", "Not a directory"});
}

TEST_F(Startup, ALogFilesDirectoryIsNotMade) {
    const fs::path log = mount_->temporary() / "none/log";
    expect_refused({source(), mountpoint(), "--log-file", log}, {log, "No such file"});
    EXPECT_FALSE(fs::exists(log.parent_path()));
}

TEST_F(Startup, FaultRulesThatCannotBeUnderstoodAreRefused) {
    const fs::path rules = mount_->temporary() / "rules";
    std::ofstream(rules) << "pwrite EIO\npwrite EOI\n";
    expect_refused({source(), mountpoint(), "--faults", rules},
                   {"--faults '" + rules.string() + "', line 2: 'EOI' is not understood"});
    expect_refused({source(), mountpoint(), "--faults", mount_->temporary()},
                   {"cannot be read: Is a directory"});
    expect_refused({source(), mountpoint(), "--faults", rules.string() + ".none"},
                   {"cannot be read: No such file"});
}

TEST_F(Startup, DebugPrintsEveryRequest) {
    mount_->start({"-d"});
    std::ofstream(mount_->path() / "file") << "text";
    EXPECT_THAT(mount_->stop().errors, AllOf(HasSubstr("opcode: INIT"), HasSubstr("opcode: CREATE"),
                                             HasSubstr("opcode: WRITE")));
}

TEST_F(Startup, InTheBackgroundTheMountIsUsableOnceTheCommandReturns) {
    for (int round = 0; round < 5; ++round) {
        const Ended started = run({source(), mountpoint(), "--log-level=warning"});
        ASSERT_EQ(started.code, 0) << started.errors;
        EXPECT_THAT(started.errors, HasSubstr("LOSES stores made through shared mappings"));
        const fs::path file = mount_->path() / ("file" + std::to_string(round));
        std::ofstream(file) << "text";
        EXPECT_EQ(text_of(file), "text");
        // The daemon is not our child: umount(2) does not wait for its last commit.
        ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0) << errno;
        EXPECT_TRUE(
            wait_until([&] { return text_of(mount_->source() / file.filename()) == "text"; }));
    }
}

TEST_F(Startup, TheStartLineSaysWhetherStoresGetLost) {
    mount_->start({"--contract", "linux-2.6.20"});
    EXPECT_THAT(mount_->stop().errors, AllOf(HasSubstr("linux-2.6.20"), Not(HasSubstr("LOSES"))));
    mount_->start({"--contract", "linux-2.6.19"});
    EXPECT_THAT(mount_->stop().errors, HasSubstr("LOSES"));
}

TEST_F(Startup, LogAndTraceGoToTheirFiles) {
    const fs::path log = mount_->temporary() / "log";
    const fs::path trace = mount_->temporary() / "trace";
    mount_->start({"--log-file", log, "--trace", trace, "--commit-interval=10ms"});
    std::ofstream(mount_->path() / "file") << "text";
    EXPECT_EQ(mount_->stop().code, 0);
    EXPECT_THAT(text_of(log), AllOf(HasSubstr("is mounted at"), HasSubstr("unmounted")));
    EXPECT_THAT(text_of(trace), AllOf(HasSubstr("explicit-write"), HasSubstr("commit")));
}

TEST_F(Startup, MountAndFstabStyleMountsWork) {
    if (::access("/sbin/mount.fuse3", X_OK) != 0) {
        GTEST_SKIP() << "/sbin/mount.fuse3 is missing (package fuse3)";
    }
    // As after an installation: a mount namespace of its own has partialfs in /usr/bin.
    const fs::path bin = mount_->temporary() / "bin";
    fs::create_directory(bin);
    fs::copy_file(PARTIALFS_BINARY, bin / "partialfs");
    const std::string options = "contract=linux-2.6.20,block_size=4096,commit_interval=50ms,"
                                "allow_other,noatime,nosuid,x-systemd.automount,_netdev";
    const fs::path fstab = mount_->temporary() / "fstab";
    std::ofstream(fstab) << source() << " " << mountpoint() << " fuse.partialfs defaults,noauto,"
                         << options << " 0 0\n";
    for (const std::string& way :
         {"mount -t fuse.partialfs " + source() + " " + mountpoint() + " -o " + options,
          "mount --fstab " + fstab.string() + " " + mountpoint()}) {
        const Ended mounted = run_program(
            {"unshare", "--mount", "sh", "-e", "-c",
             "mount -t overlay none -o lowerdir=" + bin.string() + ":/usr/bin /usr/bin\n" + way +
                 "\ngrep ' " + mountpoint() + " ' /proc/self/mounts >&2\ncat " + mountpoint() +
                 "/.partialfs/contract >&2\numount " + mountpoint()});
        EXPECT_EQ(mounted.code, 0);
        EXPECT_THAT(mounted.errors,
                    AllOf(HasSubstr("is mounted at"),
                          HasSubstr(source() + " " + mountpoint() + " fuse.partialfs rw,nosuid"),
                          HasSubstr("4096-byte blocks"), HasSubstr("linux-2.6.20\n")));
    }
}

TEST_F(Startup, SuidDevAndExecAreAsOnTheSourceUnlessGiven) {
    const auto options_of_mount = [&] {
        const std::string mounts = text_of("/proc/self/mounts");
        const std::string fields = " " + mountpoint() + " fuse.partialfs ";
        const auto begin = mounts.find(fields) + fields.size();
        return mounts.substr(begin, mounts.find('\n', begin) - begin);
    };
    mount_->start();
    EXPECT_THAT(options_of_mount(), Not(HasSubstr("no"))) << "as a local filesystem";
    mount_->stop();
    mount_->start({"-o", "nodev,noexec"});
    EXPECT_THAT(options_of_mount(), AllOf(HasSubstr("nodev,noexec"), Not(HasSubstr("nosuid"))));
    mount_->stop();
    mount_->put_source_on_tmpfs("size=1m,mode=755");
    ASSERT_EQ(
        ::mount(nullptr, source().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_NOSUID, nullptr), 0);
    mount_->start();
    EXPECT_THAT(options_of_mount(), AllOf(HasSubstr("nosuid"), Not(HasSubstr("nodev"))));
    mount_->stop();
}

TEST_F(Startup, AReadOnlyMountRefusesChanges) {
    std::ofstream(source() + "/file") << "text";
    mount_->start({"-o", "ro"});
    EXPECT_EQ(text_of(mount_->path() / "file"), "text");
    EXPECT_EQ(::open((mount_->path() / "file").c_str(), O_RDWR), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(::mkdir((mount_->path() / "d").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(mount_->stop().code, 0);
}

TEST_F(Startup, AReadOnlySourceIsMountedReadOnlyAndSaysSo) {
    mount_->put_source_on_tmpfs("size=1m,mode=755");
    std::ofstream(source() + "/file") << "text";
    ASSERT_EQ(
        ::mount(nullptr, source().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
    mount_->start({"-o", "rw"});
    EXPECT_EQ(text_of(mount_->path() / "file"), "text");
    EXPECT_EQ(::open((mount_->path() / "file").c_str(), O_RDWR | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_THAT(mount_->stop().errors, HasSubstr("it is mounted read-only"));
}

TEST_F(Startup, ARemountChangesFlagsAndContract) {
    mount_->start({"--contract=linux-2.6.19"});
    const auto remount = [&](const std::string& options) {
        return run({source(), mountpoint(), "-o", "remount," + options});
    };
    const fs::path file = mount_->path() / "file";
    EXPECT_EQ(remount("ro,contract=linux-2.6.20,user_id=0").code, 0);
    EXPECT_EQ(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(text_of(mount_->path() / ".partialfs/contract"), "linux-2.6.20\n");
    EXPECT_EQ(remount("rw,contract=linux-2.6.19").code, 0);
    EXPECT_EQ(text_of(mount_->path() / ".partialfs/contract"), "linux-2.6.19\n");
    EXPECT_THAT(remount("rw,block_size=4096").errors, HasSubstr("leaves block-size as it is"));
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0);
    expect_refused({source(), mountpoint(), "-o", "remount,ro"}, {"open for writing"});
    ::close(fd);
    EXPECT_EQ(mount_->stop().code, 0);
    expect_refused({source(), mountpoint(), "-o", "remount,ro"}, {"no partialfs is mounted"});
}

TEST_F(Startup, TheShellsLimitOnFileSizesIsNotTheMounts) {
    mount_->set_wrapper({"prlimit", "--fsize=100000:unlimited"});
    mount_->start({"--contract=linux-2.6.20"});
    expect_same(*mount_, [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        s.fill(fd, 0, 500000, 1);
        s.call("fsync", ::fsync(fd));
        s.contents("file");
    });
    EXPECT_EQ(mount_->stop().code, 0);
}

TEST_F(Startup, OneThreadIsEnough) {
    mount_->start({"-s", "--contract=linux-2.6.20", "--commit-interval=5ms"});
    expect_same(*mount_, [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        for (unsigned i = 0; i < 50; ++i) {
            s.fill(fd, i * 3000, 5000, i);
            s.call("fsync", ::fsync(fd));
        }
        s.contents("file");
    });
    EXPECT_EQ(mount_->stop().code, 0);
}

} // namespace
} // namespace partialfs::testing
