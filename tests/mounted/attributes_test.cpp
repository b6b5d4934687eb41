// Attributes: mode, owner, times, extended attributes and ACLs, on the mount as on a plain
// directory, for root and for other users.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>

namespace partialfs::testing {
namespace {

using Attributes = Mounted;

void nothing(Script&) {}

TEST_F(Attributes, NewObjectsBelongToTheCaller) {
    for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}, mode_t{0777}}) {
        User user = ordinary_user();
        user.umask = mask;
        expect_same_as(mount(), user, nothing, [](Script& s) {
            s.open("file", O_CREAT | O_RDWR, 0666);
            s.open("set", O_CREAT | O_RDWR, 06777);
            s.call("mkdir", ::mkdir(s.at("dir").c_str(), 0777));
            s.call("mkdir sticky", ::mkdir(s.at("sticky").c_str(), 01777));
            s.call("mknod", ::mknod(s.at("node").c_str(), S_IFREG | 0666, 0));
            s.call("mkfifo", ::mkfifo(s.at("fifo").c_str(), 0666));
            s.call("symlink", ::symlink("x", s.at("link").c_str()));
            s.call("device", ::mknod(s.at("null").c_str(), S_IFCHR | 0666, 0x103));
            s.tree();
        });
    }
}

TEST_F(Attributes, SetgidDirectoriesGiveTheirGroup) {
    const auto prepare = [](Script& s) {
        ::mkdir(s.at("shared").c_str(), 0777);
        ::chown(s.at("shared").c_str(), 0, 2001);
        ::chmod(s.at("shared").c_str(), 02777);
        ::mkdir(s.at("foreign").c_str(), 0777);
        ::chown(s.at("foreign").c_str(), 0, 3001);
        ::chmod(s.at("foreign").c_str(), 02777);
    };
    expect_same_as(mount(), ordinary_user(), prepare, [](Script& s) {
        for (const std::string parent : {"shared/", "foreign/"}) {
            s.open(parent + "file", O_CREAT | O_RDWR, 0664);
            s.open(parent + "setgid", O_CREAT | O_RDWR, 02775);
            s.call("mkdir", ::mkdir(s.at(parent + "dir").c_str(), 0775));
            s.call("mknod", ::mknod(s.at(parent + "node").c_str(), S_IFREG | 02755, 0));
        }
        s.tree();
    });
}

TEST_F(Attributes, ModeAndOwnerChange) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        ::symlink("file", s.at("link").c_str());
        for (const mode_t mode : {mode_t{0}, mode_t{0777}, mode_t{04755}, mode_t{02755},
                                  mode_t{01777}, mode_t{07777}}) {
            s.call("chmod file", ::chmod(s.at("file").c_str(), mode));
            s.call("chmod dir", ::chmod(s.at("dir").c_str(), mode));
            s.tree();
        }
        s.call("fchmod", ::fchmod(fd, 0600));
        s.call("chown", ::chown(s.at("file").c_str(), 5, 6));
        s.call("chown uid", ::chown(s.at("dir").c_str(), 7, static_cast<gid_t>(-1)));
        s.call("chown gid", ::chown(s.at("dir").c_str(), static_cast<uid_t>(-1), 8));
        s.call("chown nothing",
               ::chown(s.at("dir").c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(-1)));
        s.call("lchown", ::lchown(s.at("link").c_str(), 9, 10));
        s.call("fchown", ::fchown(fd, 11, 12));
        s.tree();
    });
}

TEST_F(Attributes, OrdinaryUsersMayChangeWhatTheyMay) {
    const auto prepare = [](Script& s) {
        s.open("foreign", O_CREAT | O_RDWR, 0644);
        ::chmod(s.at("foreign").c_str(), 0644);
        s.open("own", O_CREAT | O_RDWR, 0644);
        ::chown(s.at("own").c_str(), 1001, 1001);
        s.open("other-group", O_CREAT | O_RDWR, 0644);
        ::chown(s.at("other-group").c_str(), 1001, 3001);
        ::mkdir(s.at("closed").c_str(), 0700);
        s.open("closed/file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("sticky").c_str(), 0777);
        ::chmod(s.at("sticky").c_str(), 01777);
        s.open("sticky/foreign", O_CREAT | O_RDWR, 0666);
    };
    expect_same_as(mount(), ordinary_user(), prepare, [](Script& s) {
        s.call("chmod foreign", ::chmod(s.at("foreign").c_str(), 0777));
        s.call("chmod own", ::chmod(s.at("own").c_str(), 0600));
        s.call("chmod own setgid", ::chmod(s.at("own").c_str(), 02755));
        s.call("chmod setgid of another group", ::chmod(s.at("other-group").c_str(), 02755));
        s.call("chmod sticky file", ::chmod(s.at("own").c_str(), 01644));
        s.call("chown away", ::chown(s.at("own").c_str(), 1002, static_cast<gid_t>(-1)));
        s.call("chgrp to own", ::chown(s.at("own").c_str(), static_cast<uid_t>(-1), 2001));
        s.call("chgrp to other", ::chown(s.at("own").c_str(), static_cast<uid_t>(-1), 3001));
        s.open("foreign", O_RDONLY);
        s.open("foreign", O_WRONLY);
        s.open("foreign", O_RDONLY | O_TRUNC);
        s.open("closed/file", O_RDONLY);
        s.call("access r", ::access(s.at("foreign").c_str(), R_OK));
        s.call("access w", ::access(s.at("foreign").c_str(), W_OK));
        s.call("access x", ::access(s.at("foreign").c_str(), X_OK));
        s.call("truncate foreign", ::truncate(s.at("foreign").c_str(), 0));
        s.call("utimes foreign", ::utimensat(AT_FDCWD, s.at("foreign").c_str(), nullptr, 0));
        s.call("unlink in sticky", ::unlink(s.at("sticky/foreign").c_str()));
        s.call("rename in sticky",
               ::rename(s.at("sticky/foreign").c_str(), s.at("sticky/x").c_str()));
        s.call("link to foreign", ::link(s.at("foreign").c_str(), s.at("l").c_str()));
        s.call("trusted xattr", ::setxattr(s.at("own").c_str(), "trusted.x", "v", 1, 0));
        s.call("user xattr foreign", ::setxattr(s.at("foreign").c_str(), "user.x", "v", 1, 0));
        s.call("user xattr own", ::setxattr(s.at("own").c_str(), "user.x", "v", 1, 0));
        for (const char* name : {"foreign", "own", "other-group", "sticky/foreign"}) {
            s.stat(name);
        }
    });
}

TEST_F(Attributes, SetuidAndSetgidAreClearedByWritesAndChanges) {
    const auto prepare = [](Script& s) {
        for (const char* name : {"write", "truncate", "chown", "chown nothing", "append", "mmap",
                                 "fallocate", "otrunc", "group", "direct", "copy"}) {
            s.fill(s.open(name, O_CREAT | O_RDWR, 0644), 0, 5000, 1);
            ::chown(s.at(name).c_str(), 1001, 1001);
            ::chmod(s.at(name).c_str(), 06777);
        }
        // No group execute bit: whether setgid stays depends on the kernel.
        ::chmod(s.at("group").c_str(), 02666);
    };
    for (const uid_t uid : {uid_t{1001}, uid_t{0}}) {
        User user = ordinary_user();
        user.uid = uid;
        expect_same_as(mount(), user, prepare, [](Script& s) {
            const auto rw = [&](const char* name) { return s.open(name, O_RDWR); };
            s.pwrite(rw("write"), "x", 0);
            s.pwrite(rw("group"), "x", 0);
            s.call("truncate", ::truncate(s.at("truncate").c_str(), 100));
            s.call("chown", ::chown(s.at("chown").c_str(), static_cast<uid_t>(-1), 1001));
            const int append = s.open("append", O_WRONLY | O_APPEND);
            s.call("append", ::write(append, "x", 1));
            s.call("fallocate", ::fallocate(rw("fallocate"), 0, 0, 10000));
            s.open("otrunc", O_RDWR | O_TRUNC);
            s.call("chown nothing", ::chown(s.at("chown nothing").c_str(), static_cast<uid_t>(-1),
                                            static_cast<gid_t>(-1)));
            alignas(4096) static const std::array<char, 4096> page{};
            const int direct = s.open("direct", O_RDWR | O_DIRECT);
            s.call("direct", ::pwrite(direct, page.data(), page.size(), 0));
            s.call("copy", ::copy_file_range(rw("write"), nullptr, rw("copy"), nullptr, 100, 0));
            for (const char* name : {"write", "truncate", "chown", "chown nothing", "append",
                                     "fallocate", "otrunc", "group", "direct", "copy"}) {
                s.stat(name);
            }
        });
    }
}

TEST_F(Attributes, FileCapabilitiesAreRemovedByAChange) {
    const auto steps = [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0755);
        s.fill(fd, 0, 100, 1);
        const std::string path = s.at("file");
        const auto look = [&] {
            std::array<char, 64> value{};
            s.call("getxattr",
                   ::getxattr(path.c_str(), "security.capability", value.data(), value.size()));
        };
        const auto give = [&] {
            // cap_net_raw=ep, version 2.
            const std::array<unsigned char, 20> capability{1, 0, 0, 2, 0, 0x20};
            s.call("setxattr", ::setxattr(path.c_str(), "security.capability", capability.data(),
                                          capability.size(), 0));
            look();
        };
        const std::array<std::function<void()>, 5> changes{
            [&] { s.pwrite(fd, "x", 0); },
            [&] { s.call("truncate", ::truncate(path.c_str(), 50)); },
            [&] { s.call("chown", ::chown(path.c_str(), 1001, 1001)); },
            [&] { s.call("fallocate", ::fallocate(fd, 0, 0, 10000)); },
            [&] { s.call("chmod", ::chmod(path.c_str(), 0711)); },
        };
        for (const auto& change : changes) {
            s.pwrite(fd, "x", 0); // the kernel may cache now that the file has no capabilities
            give();
            change();
            look();
        }
    };
    expect_same(mount(), steps);
}

/// A write that reaches SOURCE later than the program made it removes no capabilities.
TEST_F(Attributes, FileCapabilitiesOutlastAWritebackAndAStore) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "not root";
    }
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0755);
        s.fill(fd, 0, 8192, 1);
        const std::string path = s.at("file");
        const std::array<unsigned char, 20> capability{1, 0, 0, 2, 0, 0x20};
        const auto look = [&] {
            std::array<char, 64> value{};
            s.call("getxattr",
                   ::getxattr(path.c_str(), "security.capability", value.data(), value.size()));
        };
        s.call("setxattr", ::setxattr(path.c_str(), "security.capability", capability.data(),
                                      capability.size(), 0));
        look();
        s.call("fsync", ::fsync(fd));
        look();
        void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        static_cast<char*>(page)[10] = 'm';
        s.call("msync", ::msync(page, 4096, MS_SYNC));
        s.call("fsync", ::fsync(fd));
        look();
        ::munmap(page, 4096);
        s.pwrite(fd, "x", 0);
        look();
        s.call("fsync", ::fsync(fd));
        look();
    });
}

TEST_F(Attributes, SizeAndBlocksAreRightBeforeAndAfterACommit) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        for (const std::size_t size : {std::size_t{1}, std::size_t{100000}, std::size_t{3000000}}) {
            s.fill(fd, 0, size, 1);
            s.stat("file");
            s.fstat(fd);
            s.call("fsync", ::fsync(fd));
            s.stat("file", /*blocks=*/true);
        }
    });
}

/// cp(1) and tar(1) look at st_blocks to find out whether a file has any data.
TEST_F(Attributes, BlocksAreThoseOfStoresThatNobodyHasWrittenYet) {
    if (!mount().read_control("status").contains(R"("probe": "cachestat")")) {
        GTEST_SKIP() << "looks are long here, and so are the times between them";
    }
    expect_same(mount(), [](Script& s) {
        constexpr std::size_t kPage = 4096;
        constexpr std::size_t kPages = 256;
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        s.call("ftruncate", ::ftruncate(fd, kPages * kPage));
        void* const mapping =
            ::mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        s.stat("file", /*blocks=*/true); // there is nothing to be found yet
        for (const std::size_t every : {64U, 16U, 2U, 1U}) {
            for (std::size_t page = 0; page < kPages; page += every) {
                static_cast<char*>(mapping)[page * kPage] = 'x';
            }
            s.stat("file", /*blocks=*/true);
        }
        s.call("fsync", ::fsync(fd));
        s.stat("file", /*blocks=*/true);
        ::munmap(mapping, kPages * kPage);
    });
}

TEST_F(Attributes, StatfsIsThatOfTheSource) {
    struct statvfs of_source{};
    struct statvfs of_mount{};
    ASSERT_EQ(::statvfs(mount().source().c_str(), &of_source), 0);
    ASSERT_EQ(::statvfs(mount().path().c_str(), &of_mount), 0);
    EXPECT_EQ(of_mount.f_blocks, of_source.f_blocks);
    EXPECT_EQ(of_mount.f_bsize, of_source.f_bsize);
    EXPECT_EQ(of_mount.f_frsize, of_source.f_frsize);
    EXPECT_EQ(of_mount.f_files, of_source.f_files);
    EXPECT_EQ(of_mount.f_namemax, of_source.f_namemax);
}

} // namespace
} // namespace partialfs::testing
