// The effects of faults on programs: each action and filter of both layers.
#include "tests/mounted/faults.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

namespace partialfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(Faults, EveryRequestCanFail) {
    write_file("file", "text");
    ASSERT_EQ(::symlink("file", at("link").c_str()), 0);
    ASSERT_EQ(::mkdir(at("directory").c_str(), 0755), 0);
    const int fd = open("file", O_RDWR | O_DIRECT);
    const int directory = open("directory", O_RDONLY | O_DIRECTORY);
    alignas(4096) static char memory[4096];
    struct Try {
        const char* operation;
        std::function<long()> call;
    };
    const std::string file = at("file");
    struct statvfs space{};
    const std::vector<Try> tries{
        {"lookup", [&] { return ::access(at("none").c_str(), F_OK); }},
        {"setattr", [&] { return ::chmod(file.c_str(), 0640); }},
        {"readlink", [&] { return ::readlink(at("link").c_str(), memory, sizeof memory); }},
        {"mknod", [&] { return ::mknod(at("node").c_str(), S_IFIFO | 0600, 0); }},
        {"mkdir", [&] { return ::mkdir(at("new").c_str(), 0755); }},
        {"unlink", [&] { return ::unlink(file.c_str()); }},
        {"rmdir", [&] { return ::rmdir(at("directory").c_str()); }},
        {"symlink", [&] { return ::symlink("x", at("new").c_str()); }},
        {"rename", [&] { return ::rename(file.c_str(), at("new").c_str()); }},
        {"link", [&] { return ::link(file.c_str(), at("new").c_str()); }},
        {"create", [&] { return open("new"); }},
        {"open", [&] { return open("file", O_RDONLY); }},
        {"read", [&] { return ::pread(fd, memory, sizeof memory, 0); }},
        {"write", [&] { return ::pwrite(fd, memory, sizeof memory, 0); }},
        {"request:fsync", [&] { return ::fsync(fd); }},
        {"flush", [&] { return ::close(::dup(fd)); }},
        {"request:fallocate", [&] { return ::fallocate(fd, 0, 0, 4096); }},
        {"lseek", [&] { return ::lseek(fd, 0, SEEK_HOLE); }},
        {"statfs", [&] { return ::statvfs(file.c_str(), &space); }},
        {"getxattr", [&] { return ::getxattr(file.c_str(), "user.a", memory, 10); }},
        {"setxattr", [&] { return ::setxattr(file.c_str(), "user.a", "b", 1, 0); }},
        {"listxattr", [&] { return ::listxattr(file.c_str(), memory, 10); }},
        {"removexattr", [&] { return ::removexattr(file.c_str(), "user.a"); }},
        {"opendir", [&] { return open("directory", O_RDONLY | O_DIRECTORY); }},
        {"readdir",
         [&] {
             return run_program({"ls", "-U", at("directory")}).code == 0 ? 0L
                                                                         : (errno = EREMOTEIO, -1L);
         }},
        {"fsyncdir", [&] { return ::fsync(directory); }},
    };
    for (const Try& one : tries) {
        mount_->set_faults(std::string(one.operation) + " EREMOTEIO");
        EXPECT_EQ(error_of(one.call()), EREMOTEIO) << one.operation;
        EXPECT_THAT(mount_->read_control("faults"), Not(HasSubstr("fired 0"))) << one.operation;
        mount_->set_faults("");
    }
    // The kernel requests attributes that it may not cache.
    mount_->set_faults("getattr EREMOTEIO path=file");
    ASSERT_EQ(::pwrite(fd, memory, sizeof memory, 0), 4096);
    struct stat status{};
    EXPECT_TRUE(wait_until([&] { return error_of(::fstat(fd, &status)) == EREMOTEIO; }));
    mount_->set_faults("");
    EXPECT_EQ(::fstat(fd, &status), 0);
    ::close(fd);
    ::close(directory);
}

TEST_F(Faults, WhatIsSkippedSucceedsAndIsNotDone) {
    write_file("file", "text");
    EXPECT_EQ(commit(), 0);
    mount_->set_faults("write skip\nunlink skip\nrename skip\nsetattr skip\nrequest:fsync "
                       "skip\nfdatasync EIO\nfsync EIO");
    const int fd = open("file", O_RDWR);
    EXPECT_EQ(::pwrite(fd, "TEXT", 4, 0), 4);
    EXPECT_EQ(error_of(::fsync(fd)), 0) << "nothing of it reaches the disk";
    EXPECT_EQ(error_of(::fchmod(fd, 0600)), 0);
    EXPECT_EQ(error_of(::ftruncate(fd, 1)), 0);
    ::close(fd);
    EXPECT_EQ(error_of(::rename(at("file").c_str(), at("new").c_str())), 0);
    EXPECT_EQ(error_of(::unlink(at("new").c_str())), 0);
    mount_->set_faults("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(on_disk("file"), "text");
    struct stat status{};
    ASSERT_EQ(::stat((mount_->source() / "file").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U);
}

TEST_F(Faults, ShortAndTornWritesAndNoRoom) {
    const int fd = open("file", O_CREAT | O_RDWR);
    mount_->set_faults("write short=3");
    EXPECT_EQ(::pwrite(fd, "abcdef", 6, 0), 3);
    mount_->set_faults("write torn=2");
    EXPECT_EQ(error_of(::pwrite(fd, "XYZ", 3, 3)), EIO);
    EXPECT_EQ(on_disk("file").substr(3), "XY") << "on the disk at once";
    mount_->set_faults("write enospc-after=5");
    EXPECT_EQ(::pwrite(fd, "1234", 4, 5), 4);
    EXPECT_EQ(::pwrite(fd, "5678", 4, 9), 1);
    EXPECT_EQ(error_of(::pwrite(fd, "678", 3, 10)), ENOSPC);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), "abcXY12345");
    ::close(fd);
}

TEST_F(Faults, ReadsAreShortWrongOrStale) {
    const std::string text(8192, 'a');
    write_file("file", text);
    EXPECT_EQ(commit(), 0);
    // The kernel reads through the page cache what a direct read has not returned.
    mount_->set_faults("read short=512");
    evict("file");
    EXPECT_LT(read_directly("file").size(), text.size());
    mount_->set_faults("");
    evict("file");
    EXPECT_EQ(read_directly("file"), text);
    for (const char* operation : {"read", "pread"}) {
        mount_->set_faults(std::string(operation) + " flip=1");
        const std::string got = read_directly("file");
        ASSERT_EQ(got.size(), text.size());
        EXPECT_NE(got, text) << operation;
    }
    mount_->set_faults("pread stale");
    const int fd = open("file", O_RDWR);
    ASSERT_EQ(::pwrite(fd, "new", 3, 4096), 3);
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    evict("file");
    EXPECT_EQ(read_directly("file"), text);
    mount_->set_faults("");
    EXPECT_EQ(read_directly("file").substr(4096, 3), "new");
    ::close(fd);
}

TEST_F(Faults, ATornPwriteOfACommitLeavesItsFirstBytes) {
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "abcdef", 6, 0), 6);
    mount_->set_faults("pwrite torn=2");
    EXPECT_EQ(error_of(::fsync(fd)), EIO);
    EXPECT_EQ(on_disk("file"), "ab");
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(fd)), 0) << "tried again";
    EXPECT_EQ(on_disk("file"), "abcdef");
    ::close(fd);
}

sigjmp_buf escape;

/// Whether a load through a mapping raises SIGBUS.
bool load_fails(const volatile char* address) {
    struct sigaction act{};
    struct sigaction before{};
    act.sa_handler = [](int) { siglongjmp(escape, 1); };
    ::sigaction(SIGBUS, &act, &before);
    volatile bool failed = false;
    if (sigsetjmp(escape, 1) == 0) {
        const char byte = *address;
        static_cast<void>(byte);
    } else {
        failed = true;
    }
    ::sigaction(SIGBUS, &before, nullptr);
    return failed;
}

TEST_F(Faults, AMappedReadIsToldFromARead) {
    write_file("file", std::string(8192, 'a'));
    evict("file");
    const int fd = open("file", O_RDONLY);
    void* const memory = ::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0);
    ASSERT_NE(memory, MAP_FAILED);
    char byte = 0;
    mount_->set_faults("mapped-read EIO");
    EXPECT_EQ(::pread(fd, &byte, 1, 0), 1) << "read(2) is not meant";
    evict("file");
    EXPECT_TRUE(load_fails(static_cast<char*>(memory)));
    mount_->set_faults("read EIO");
    evict("file");
    EXPECT_FALSE(load_fails(static_cast<char*>(memory))) << "a page fault is not meant";
    evict("file");
    EXPECT_EQ(error_of(::pread(fd, &byte, 1, 0)), EIO);
    ::munmap(memory, 8192);
    ::close(fd);
}

TEST_F(Faults, WritepageFailsIsTornAndSkipped) {
    const int fd = open("file");
    ASSERT_EQ(::ftruncate(fd, 4096), 0);
    ASSERT_EQ(::fsync(fd), 0);
    auto* const map =
        static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    map[0] = 'x';
    mount_->set_faults("writepage EIO");
    EXPECT_EQ(error_of(::msync(map, 4096, MS_SYNC)), EIO);
    mount_->set_faults("writepage skip");
    map[0] = 'y';
    EXPECT_EQ(error_of(::msync(map, 4096, MS_SYNC)), 0);
    EXPECT_EQ(on_disk("file")[0], '\0');
    mount_->set_faults("writepage torn=1024");
    std::memset(map, 'z', 4096);
    EXPECT_EQ(error_of(::msync(map, 4096, MS_SYNC)), EIO);
    EXPECT_EQ(on_disk("file"), std::string(1024, 'z') + std::string(3072, '\0'));
    ::munmap(map, 4096);
    ::close(fd);
}

TEST_F(Faults, ADelayLastsUntilTheRulesAreCleared) {
    mount_->set_faults("mkdir delay=1h");
    std::atomic<bool> made{false};
    std::thread making([&] {
        EXPECT_EQ(error_of(::mkdir(at("directory").c_str(), 0755)), 0);
        made = true;
    });
    EXPECT_TRUE(wait_until(
        [&] { return mount_->read_control("faults").find("fired 1") != std::string::npos; }));
    EXPECT_FALSE(made);
    mount_->set_faults("");
    making.join();
}

TEST_F(Faults, ADelayedRequestDoesNotHoldUpTheEnd) {
    mount_->set_faults("mkdir delay=1h");
    std::thread making([&] { ::mkdir(at("directory").c_str(), 0755); });
    EXPECT_TRUE(wait_until(
        [&] { return mount_->read_control("faults").find("fired 1") != std::string::npos; }));
    EXPECT_EQ(mount_->stop().code, 0);
    making.join();
}

TEST_F(Faults, APathIsTheWholeOneOfEitherName) {
    ASSERT_EQ(::mkdir(at("db").c_str(), 0755), 0);
    write_file("db/wal", "text");
    write_file("wal", "text");
    mount_->set_faults("rename EIO path=db/*\nunlink EPERM path=/wal\nunlink EBUSY name=w?l");
    EXPECT_EQ(error_of(::rename(at("wal").c_str(), at("db/new").c_str())), EIO);
    EXPECT_EQ(error_of(::rename(at("db/wal").c_str(), at("new").c_str())), EIO);
    EXPECT_EQ(error_of(::rename(at("wal").c_str(), at("wal2").c_str())), 0);
    EXPECT_EQ(error_of(::rename(at("wal2").c_str(), at("wal").c_str())), 0);
    EXPECT_EQ(error_of(::unlink(at("wal").c_str())), EPERM);
    EXPECT_EQ(error_of(::unlink(at("db/wal").c_str())), EBUSY);
}

TEST_F(Faults, OffsetNthProbability) {
    const int fd = open("file", O_CREAT | O_RDWR);
    mount_->set_faults("write EIO offset=4096+10\nwrite ENOSPC nth=2");
    EXPECT_EQ(::pwrite(fd, "x", 1, 0), 1);
    EXPECT_EQ(error_of(::pwrite(fd, "x", 1, 4100)), EIO);
    EXPECT_EQ(error_of(::pwrite(fd, "x", 1, 0)), ENOSPC);
    EXPECT_EQ(::pwrite(fd, "x", 1, 4106), 1);
    const auto failures = [&] {
        mount_->set_faults("write EIO probability=50% seed=3");
        std::string pattern;
        for (int i = 0; i < 64; ++i) {
            pattern += ::pwrite(fd, "x", 1, 0) == 1 ? '.' : 'x';
        }
        return pattern;
    };
    const std::string once = failures();
    EXPECT_THAT(once, HasSubstr("x"));
    EXPECT_THAT(once, HasSubstr("."));
    EXPECT_EQ(failures(), once);
    ::close(fd);
}

TEST_F(Faults, UserAndProcess) {
    ::chmod(mount_->path().c_str(), 0777);
    mount_->set_faults("mkdir EACCES uid=1001\nrmdir EPERM pid=" + std::to_string(::getpid()));
    EXPECT_EQ(error_of(::mkdir(at("mine").c_str(), 0755)), 0);
    const std::vector<std::string> made =
        run_as(User{.uid = 1001, .gid = 1001, .groups = {}}, mount_->path(), [&](Script& s) {
            s.note(std::to_string(error_of(::mkdir(at("his").c_str(), 0755))));
        });
    EXPECT_EQ(made.front(), std::to_string(EACCES));
    EXPECT_EQ(error_of(::rmdir(at("mine").c_str())), EPERM);
    EXPECT_EQ(run_program({"rmdir", at("mine")}).code, 0) << "another process";
    EXPECT_EQ(mount_->write_control("faults", "writepage EIO uid=1"), EINVAL);
    EXPECT_EQ(mount_->write_control("faults", "pwrite EIO pid=1"), EINVAL);
}

} // namespace
} // namespace partialfs::testing
