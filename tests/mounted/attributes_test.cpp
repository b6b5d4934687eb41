// Attributes: mode, owner, times, extended attributes and ACLs, on the mount as on a plain
// directory, for root and for other users.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace partialfs::testing {
namespace {

using Attributes = Mounted;

const User kAlice{.uid = 1001, .gid = 1001, .groups = {2001}, .umask = 022};

void nothing(Script&) {}

TEST_F(Attributes, NewObjectsBelongToTheCaller) {
    for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}, mode_t{0777}}) {
        User user = kAlice;
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
    expect_same_as(mount(), kAlice, prepare, [](Script& s) {
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
    expect_same_as(mount(), kAlice, prepare, [](Script& s) {
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
        for (const char* name :
             {"write", "truncate", "chown", "append", "mmap", "fallocate", "otrunc", "group"}) {
            s.fill(s.open(name, O_CREAT | O_RDWR, 0644), 0, 5000, 1);
            ::chown(s.at(name).c_str(), 1001, 1001);
            ::chmod(s.at(name).c_str(), 06777);
        }
        ::chmod(s.at("group").c_str(), 02666); // no group execution: setgid stays or goes by kernel
    };
    for (const uid_t uid : {uid_t{1001}, uid_t{0}}) {
        User user = kAlice;
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
            for (const char* name :
                 {"write", "truncate", "chown", "append", "fallocate", "otrunc", "group"}) {
                s.stat(name);
            }
        });
    }
}

TEST_F(Attributes, FileCapabilitiesAreRemovedByAWrite) {
    const auto steps = [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0755);
        s.fill(fd, 0, 100, 1);
        // cap_net_raw=ep, version 2.
        const std::array<unsigned char, 20> capability{1, 0, 0, 2, 0, 0x20};
        s.call("setxattr", ::setxattr(s.at("file").c_str(), "security.capability",
                                      capability.data(), capability.size(), 0));
        std::array<char, 64> value{};
        s.call("getxattr",
               ::getxattr(s.at("file").c_str(), "security.capability", value.data(), value.size()));
        s.pwrite(fd, "x", 0);
        s.call("getxattr",
               ::getxattr(s.at("file").c_str(), "security.capability", value.data(), value.size()));
    };
    expect_same(mount(), steps);
}

TEST_F(Attributes, TimesAreSetExactly) {
    expect_same(mount(), [](Script& s) {
        const auto times_of = [&](const char* name) {
            struct stat status{};
            ::lstat(s.at(name).c_str(), &status);
            s.note(std::to_string(status.st_atim.tv_sec) + "." +
                   std::to_string(status.st_atim.tv_nsec) + " " +
                   std::to_string(status.st_mtim.tv_sec) + "." +
                   std::to_string(status.st_mtim.tv_nsec));
        };
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        ::symlink("file", s.at("link").c_str());
        s.fill(fd, 0, 5000, 1); // its mtime is held back: the one set must win
        const std::array times{timespec{1000000001, 5}, timespec{1000000002, 999999999}};
        for (const char* name : {"file", "dir", "link"}) {
            s.call("utimensat",
                   ::utimensat(AT_FDCWD, s.at(name).c_str(), times.data(), AT_SYMLINK_NOFOLLOW));
            times_of(name);
        }
        s.call("fsync", ::fsync(fd));
        times_of("file");
        const std::array only_access{timespec{1, 0}, timespec{0, UTIME_OMIT}};
        s.call("omit", ::futimens(fd, only_access.data()));
        times_of("file");
        const std::array far{timespec{-5, 0}, timespec{4102444800, 1}};
        s.call("before 1970 and 2100", ::futimens(fd, far.data()));
        times_of("file");
        const std::array wrong{timespec{1, 0}, timespec{1, 1000000000}};
        s.call("wrong", ::futimens(fd, wrong.data()));
    });
}

/// Whether the times moved, seen before and after an operation.
class Times {
  public:
    Times(Script& script, std::string name) : script_(script), name_(std::move(name)) {
        // Coarse clocks tick every 4 ms at worst.
        while (now().tv_nsec / 20'000'000 == latest().tv_nsec / 20'000'000 &&
               now().tv_sec == latest().tv_sec) {
            ::usleep(1000);
        }
        ::lstat(script_.at(name_).c_str(), &before_);
    }
    void note(const char* what) {
        struct stat after{};
        ::lstat(script_.at(name_).c_str(), &after);
        script_.note(std::string(what) + ": mtime " + moved(before_.st_mtim, after.st_mtim) +
                     ", ctime " + moved(before_.st_ctim, after.st_ctim));
    }

  private:
    static timespec now() {
        timespec time{};
        ::clock_gettime(CLOCK_REALTIME, &time);
        return time;
    }
    timespec latest() {
        struct stat status{};
        ::lstat(script_.at(name_).c_str(), &status);
        return status.st_ctim;
    }
    static const char* moved(const timespec& before, const timespec& after) {
        if (before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec) {
            return "stays";
        }
        const bool forward = after.tv_sec > before.tv_sec ||
                             (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec);
        return forward ? "moves on" : "goes back";
    }

    Script& script_;
    std::string name_;
    struct stat before_{};
};

TEST_F(Attributes, TimesMoveWithWhatIsDone) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        const auto watch = [&](const char* name, const char* what, auto&& action) {
            Times times(s, name);
            action();
            times.note(what);
        };
        watch("file", "write", [&] { s.fill(fd, 0, 100, 1); });
        watch("file", "read", [&] { s.pread(fd, 100, 0); });
        watch("file", "fsync", [&] { ::fsync(fd); });
        watch("file", "chmod", [&] { ::chmod(s.at("file").c_str(), 0600); });
        watch("file", "ftruncate", [&] { ::ftruncate(fd, 50); });
        watch("file", "ftruncate to the same size", [&] { ::ftruncate(fd, 50); });
        watch("file", "fallocate", [&] { ::fallocate(fd, 0, 0, 10000); });
        watch("file", "link", [&] { ::link(s.at("file").c_str(), s.at("l").c_str()); });
        watch("file", "unlink", [&] { ::unlink(s.at("l").c_str()); });
        watch("file", "rename", [&] {
            ::rename(s.at("file").c_str(), s.at("g").c_str());
            ::rename(s.at("g").c_str(), s.at("file").c_str());
        });
        watch("file", "setxattr", [&] { ::fsetxattr(fd, "user.a", "b", 1, 0); });
        watch("dir", "create in it", [&] { s.open("dir/x", O_CREAT | O_RDWR); });
        watch("dir", "unlink in it", [&] { ::unlink(s.at("dir/x").c_str()); });
        watch("file", "O_TRUNC", [&] { s.open("file", O_RDWR | O_TRUNC); });
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

TEST_F(Attributes, ExtendedAttributes) {
    expect_same(mount(), [](Script& s) {
        s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        ::symlink("file", s.at("link").c_str());
        const std::string big(3000, 'v');
        for (const char* name : {"file", "dir", "link"}) {
            const std::string path = s.at(name);
            const auto set = [&](const char* key, std::string_view value, int flags) {
                s.call(std::string("set ") + key + " of " + name,
                       ::lsetxattr(path.c_str(), key, value.data(), value.size(), flags));
            };
            const auto get = [&](const char* key, std::size_t room) {
                std::string value(room, '\0');
                const long count = s.call(std::string("get ") + key,
                                          ::lgetxattr(path.c_str(), key, value.data(), room));
                if (room != 0 && count > 0) {
                    s.note(value.substr(0, static_cast<std::size_t>(count)));
                }
            };
            set("user.a", "value", 0);
            set("user.a", "again", XATTR_CREATE);
            set("user.b", "none", XATTR_REPLACE);
            set("user.a", "replaced", XATTR_REPLACE);
            set("user.empty", "", 0);
            set("user.big", big, 0);
            set("trusted.t", "t", 0);
            set("security.s", "s", 0);
            set("system.nonsense", "s", 0);
            set("nonsense", "s", 0);
            get("user.a", 100);
            get("user.a", 0);
            get("user.a", 2);
            get("user.empty", 10);
            get("user.none", 10);
            get("user.big", 3000);
            get("trusted.t", 10);
            std::string names(1000, '\0');
            const long length =
                s.call("list", ::llistxattr(path.c_str(), names.data(), names.size()));
            s.call("list size", ::llistxattr(path.c_str(), nullptr, 0));
            s.call("list small", ::llistxattr(path.c_str(), names.data(), 2));
            std::ranges::replace(names, '\0', ' ');
            s.note(names.substr(0, static_cast<std::size_t>(std::max(length, 0L))));
            s.call("remove", ::lremovexattr(path.c_str(), "user.a"));
            s.call("remove again", ::lremovexattr(path.c_str(), "user.a"));
        }
    });
}

/// A POSIX ACL as setxattr(2) takes it: version 2, then tag, permissions and id of each entry.
std::string acl(std::initializer_list<std::array<unsigned, 3>> entries) {
    std::string bytes("\x02\0\0\0", 4);
    for (const auto& [tag, permissions, id] : entries) {
        const std::array<unsigned char, 8> entry{static_cast<unsigned char>(tag),
                                                 0,
                                                 static_cast<unsigned char>(permissions),
                                                 0,
                                                 static_cast<unsigned char>(id & 0xFFU),
                                                 static_cast<unsigned char>((id >> 8U) & 0xFFU),
                                                 static_cast<unsigned char>((id >> 16U) & 0xFFU),
                                                 static_cast<unsigned char>((id >> 24U) & 0xFFU)};
        bytes.append(entry.begin(), entry.end());
    }
    return bytes;
}
constexpr unsigned kNobody = 0xFFFFFFFF;
/// user::rwx user:1001:r-x group::r-x mask::rwx other::---
const std::string kAcl = acl({{{0x01, 7, kNobody}},
                              {{0x02, 5, 1001}},
                              {{0x04, 5, kNobody}},
                              {{0x10, 7, kNobody}},
                              {{0x20, 0, kNobody}}});

void note_acl(Script& s, std::string_view name, const char* kind) {
    std::string value(200, '\0');
    const long count = s.call(std::string(name) + " " + kind,
                              ::getxattr(s.at(name).c_str(), kind, value.data(), value.size()));
    std::string hex;
    for (long i = 0; i < count; ++i) {
        hex += std::to_string(static_cast<unsigned char>(value[static_cast<std::size_t>(i)])) + " ";
    }
    s.note(hex);
}

void note_acls(Script& s, std::string_view name) {
    s.stat(name);
    note_acl(s, name, "system.posix_acl_access");
    note_acl(s, name, "system.posix_acl_default");
}

void set_acl(Script& s, std::string_view name, const char* kind) {
    s.call(std::string("set ") + kind + " of " + std::string(name),
           ::setxattr(s.at(name).c_str(), kind, kAcl.data(), kAcl.size(), 0));
}

TEST_F(Attributes, AclsAreKeptInheritedAndObeyed) {
    const auto prepare = [](Script& s) {
        ::mkdir(s.at("dir").c_str(), 0755);
        set_acl(s, "dir", "system.posix_acl_access");
        set_acl(s, "dir", "system.posix_acl_default");
        s.open("dir/inherits", O_CREAT | O_RDWR, 0666);
        ::mkdir(s.at("dir/sub").c_str(), 0777);
        s.open("dir/sub/deep", O_CREAT | O_RDWR, 0640);
        s.open("plain", O_CREAT | O_RDWR, 0600);
        set_acl(s, "plain", "system.posix_acl_access");
        set_acl(s, "plain", "system.posix_acl_default");
        ::chmod(s.at("plain").c_str(), 0710);
    };
    expect_same(mount(), [&](Script& s) {
        prepare(s);
        for (const char* name : {"dir", "dir/inherits", "dir/sub", "dir/sub/deep", "plain"}) {
            note_acls(s, name);
        }
        s.call("remove", ::removexattr(s.at("plain").c_str(), "system.posix_acl_access"));
        note_acls(s, "plain");
    });
    for (const uid_t uid : {uid_t{1001}, uid_t{1002}}) {
        User user = kAlice;
        user.uid = uid;
        user.gid = uid;
        user.groups = {};
        expect_same_as(mount(), user, prepare, [](Script& s) {
            s.open("dir/inherits", O_RDONLY);
            s.open("dir/inherits", O_RDWR);
            s.open("dir/new", O_CREAT | O_RDWR, 0666);
            s.list("dir/sub");
            s.open("plain", O_RDONLY);
            set_acl(s, "plain", "system.posix_acl_access");
        });
    }
}

TEST_F(Attributes, UmaskIsIgnoredWhereADefaultAclRules) {
    const auto prepare = [](Script& s) {
        ::mkdir(s.at("dir").c_str(), 0777);
        ::chmod(s.at("dir").c_str(), 0777);
        const std::string open_to_all =
            acl({{{0x01, 7, kNobody}}, {{0x04, 7, kNobody}}, {{0x20, 7, kNobody}}});
        s.call("default", ::setxattr(s.at("dir").c_str(), "system.posix_acl_default",
                                     open_to_all.data(), open_to_all.size(), 0));
    };
    User user = kAlice;
    user.umask = 077;
    expect_same_as(mount(), user, prepare, [](Script& s) {
        s.open("dir/file", O_CREAT | O_RDWR, 0666);
        s.call("mkdir", ::mkdir(s.at("dir/sub").c_str(), 0777));
        s.call("mknod", ::mknod(s.at("dir/fifo").c_str(), S_IFIFO | 0666, 0));
        s.open("file", O_CREAT | O_RDWR, 0666);
        s.tree();
    });
}

TEST_F(Attributes, AnAclSetFromOutsideTheGroupTakesSetgidAway) {
    const auto prepare = [](Script& s) {
        for (const auto& [name, group] : {std::pair{"foreign", 3001}, std::pair{"own", 2001}}) {
            s.open(name, O_CREAT | O_RDWR, 0755);
            ::chown(s.at(name).c_str(), 1001, static_cast<gid_t>(group));
            ::chmod(s.at(name).c_str(), 02755);
        }
    };
    expect_same_as(mount(), kAlice, prepare, [](Script& s) {
        for (const char* name : {"foreign", "own"}) {
            set_acl(s, name, "system.posix_acl_access");
            note_acls(s, name);
        }
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
