// Every permission check has the same result on the mount as on a plain directory: each request, on
// each kind of file, by each kind of caller.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace partialfs::testing {
namespace {

using Permissions = Mounted;

constexpr uid_t kUser = 1001;
constexpr gid_t kGroup = 2001; ///< the user is a member
constexpr gid_t kOtherGroup = 3001;

/// Entries of an ACL as setxattr(2) takes it: user::rw- user:1001:rw- group::--- mask::rw-
/// other::---.
const std::string kAclForTheUser("\2\0\0\0"
                                 "\1\0\6\0\377\377\377\377"
                                 "\2\0\6\0\351\3\0\0"
                                 "\4\0\0\0\377\377\377\377"
                                 "\20\0\6\0\377\377\377\377"
                                 "\40\0\0\0\377\377\377\377",
                                 44);

struct Kind {
    const char* name;
    uid_t uid;
    gid_t gid;
    mode_t mode;
    bool acl = false;
};
constexpr std::array kKinds{
    Kind{"own", kUser, kUser, 0600},
    Kind{"own-unreadable", kUser, kUser, 0},
    Kind{"own-setuid", kUser, kUser, 04755},
    Kind{"own-setgid", kUser, kGroup, 02755},
    Kind{"own-setgid-of-another-group", kUser, kOtherGroup, 06775},
    Kind{"foreign", 0, 0, 0644},
    Kind{"foreign-private", 1002, 1002, 0600},
    Kind{"foreign-of-group", 1002, kGroup, 0660},
    Kind{"foreign-writable-setuid", 1002, 1002, 06777},
    Kind{"foreign-by-acl", 1002, 1002, 0600, true},
};

struct Question {
    const char* name;
    long (*ask)(const std::string& path);
};

/// Opens, and closes if it succeeded.
template <int flags>
long opens(const std::string& path) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    return fd < 0 ? -1 : ::close(fd);
}
template <mode_t mode>
long chmods(const std::string& path) {
    return ::chmod(path.c_str(), mode);
}
template <uid_t uid, gid_t gid>
long chowns(const std::string& path) {
    return ::chown(path.c_str(), uid, gid);
}
/// Opens, and uses the descriptor if it succeeded.
template <typename Use>
long with(const std::string& path, int flags, Use use) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    const long result = use(fd);
    const int error = errno;
    ::close(fd);
    errno = error;
    return result;
}
long set_xattr(const std::string& path, const char* name, std::string_view value) {
    return ::lsetxattr(path.c_str(), name, value.data(), value.size(), 0);
}
long get_xattr(const std::string& path, const char* name) {
    std::array<char, 100> value{};
    return ::lgetxattr(path.c_str(), name, value.data(), value.size());
}
/// cap_net_raw=ep, version 2.
constexpr std::string_view kCapability("\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);

constexpr uid_t kSame = static_cast<uid_t>(-1);

const std::vector<Question> kQuestions{
    {"open r", opens<O_RDONLY>},
    {"open w", opens<O_WRONLY>},
    {"open rw", opens<O_RDWR>},
    {"open truncating", opens<O_RDONLY | O_TRUNC>},
    {"open creating",
     [](auto& path) -> long {
         const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
         return fd < 0 ? -1 : ::close(fd);
     }},
    {"open noatime", opens<O_RDONLY | O_NOATIME>},
    {"access r", [](auto& path) -> long { return ::access(path.c_str(), R_OK); }},
    {"access w", [](auto& path) -> long { return ::access(path.c_str(), W_OK); }},
    {"access x", [](auto& path) -> long { return ::access(path.c_str(), X_OK); }},
    {"chmod 0644", chmods<0644>},
    {"chmod 06755", chmods<06755>},
    {"chmod 01644", chmods<01644>},
    {"chown to root", chowns<0, kSame>},
    {"chown to oneself", chowns<kUser, kSame>},
    {"chgrp to own", chowns<kSame, kGroup>},
    {"chgrp to other", chowns<kSame, kOtherGroup>},
    {"truncate", [](auto& path) -> long { return ::truncate(path.c_str(), 1); }},
    {"truncate up", [](auto& path) -> long { return ::truncate(path.c_str(), 10000); }},
    {"write",
     [](auto& path) -> long {
         return with(path, O_WRONLY, [](int fd) { return ::write(fd, "x", 1); });
     }},
    {"append",
     [](auto& path) -> long {
         return with(path, O_WRONLY | O_APPEND, [](int fd) { return ::write(fd, "x", 1); });
     }},
    {"fallocate",
     [](auto& path) -> long {
         return with(path, O_WRONLY, [](int fd) { return ::fallocate(fd, 0, 0, 10000); });
     }},
    {"ftruncate",
     [](auto& path) -> long {
         return with(path, O_WRONLY, [](int fd) { return ::ftruncate(fd, 2); });
     }},
    {"copy_file_range",
     [](auto& path) -> long {
         return with(path, O_RDWR, [](int fd) {
             off_t from = 0;
             off_t to = 4;
             return ::copy_file_range(fd, &from, fd, &to, 2, 0);
         });
     }},
    {"mapped store",
     [](auto& path) -> long {
         return with(path, O_RDWR, [](int fd) -> long {
             auto* map = static_cast<char*>(
                 ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
             if (map == MAP_FAILED) {
                 return -1;
             }
             map[0] = 'm';
             ::msync(map, 4096, MS_SYNC);
             return ::munmap(map, 4096);
         });
     }},
    {"utimes now", [](auto& path) -> long { return ::utimes(path.c_str(), nullptr); }},
    {"utimes set",
     [](auto& path) -> long {
         const std::array<timeval, 2> times{timeval{1, 0}, timeval{2, 0}};
         return ::utimes(path.c_str(), times.data());
     }},
    {"link", [](auto& path) -> long { return ::link(path.c_str(), (path + ".link").c_str()); }},
    {"rename",
     [](auto& path) -> long { return ::rename(path.c_str(), (path + ".moved").c_str()); }},
    {"unlink", [](auto& path) -> long { return ::unlink(path.c_str()); }},
    {"again by /proc",
     [](auto& path) -> long {
         return with(path, O_PATH,
                     [](int fd) { return opens<O_RDWR>("/proc/self/fd/" + std::to_string(fd)); });
     }},
    {"for writing by /proc",
     [](auto& path) -> long {
         return with(path, O_RDONLY,
                     [](int fd) { return opens<O_WRONLY>("/proc/self/fd/" + std::to_string(fd)); });
     }},
    {"set user.", [](auto& path) -> long { return set_xattr(path, "user.x", "v"); }},
    {"set trusted.", [](auto& path) -> long { return set_xattr(path, "trusted.x", "v"); }},
    {"set security.", [](auto& path) -> long { return set_xattr(path, "security.x", "v"); }},
    {"set capability",
     [](auto& path) -> long { return set_xattr(path, "security.capability", kCapability); }},
    {"set acl",
     [](auto& path) -> long { return set_xattr(path, "system.posix_acl_access", kAclForTheUser); }},
    {"remove acl",
     [](auto& path) -> long { return ::lremovexattr(path.c_str(), "system.posix_acl_access"); }},
    {"get user.", [](auto& path) -> long { return get_xattr(path, "user.there"); }},
    {"get trusted.", [](auto& path) -> long { return get_xattr(path, "trusted.there"); }},
    {"get security.", [](auto& path) -> long { return get_xattr(path, "security.there"); }},
    {"list",
     [](auto& path) -> long {
         std::array<char, 200> names{};
         return ::llistxattr(path.c_str(), names.data(), names.size());
     }},
    {"remove user.", [](auto& path) -> long { return ::lremovexattr(path.c_str(), "user.there"); }},
    {"remove trusted.",
     [](auto& path) -> long { return ::lremovexattr(path.c_str(), "trusted.there"); }},
    {"remove security.",
     [](auto& path) -> long { return ::lremovexattr(path.c_str(), "security.there"); }},
};

std::string name_of(const Kind& kind, std::size_t question) {
    return std::string(kind.name) + '.' + std::to_string(question);
}

/// `each` files of every kind.
void make_files(Script& s, const std::string& directory, std::size_t each = kQuestions.size()) {
    for (const Kind& kind : kKinds) {
        for (std::size_t question = 0; question < each; ++question) {
            const std::string path = s.at(directory + name_of(kind, question));
            const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
            ASSERT_EQ(::write(fd, "contents", 8), 8) << path;
            for (const char* attribute : {"user.there", "trusted.there", "security.there"}) {
                EXPECT_EQ(::fsetxattr(fd, attribute, "v", 1, 0), 0) << errno_name(errno);
            }
            if (kind.acl) {
                EXPECT_EQ(set_xattr(path, "system.posix_acl_access", kAclForTheUser), 0);
            }
            EXPECT_EQ(::fchown(fd, kind.uid, kind.gid), 0);
            if (!kind.acl) {
                EXPECT_EQ(::fchmod(fd, kind.mode), 0);
            }
            ::close(fd);
        }
    }
}

void ask_all(Script& s, const std::string& directory) {
    for (const Kind& kind : kKinds) {
        for (std::size_t question = 0; question < kQuestions.size(); ++question) {
            const std::string name = directory + name_of(kind, question);
            s.call(kQuestions[question].name, kQuestions[question].ask(s.at(name)));
            s.stat(name);
        }
    }
}

/// The callers: root, root without some capabilities, a user, and root of a user namespace.
std::vector<User> callers() {
    User few_powers;
    few_powers.without = {CAP_SYS_ADMIN, CAP_FSETID, CAP_CHOWN};
    User no_override;
    no_override.without = {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER};
    User stranger = ordinary_user();
    stranger.uid = stranger.gid = 1003;
    stranger.groups = {};
    User namespace_root = ordinary_user();
    namespace_root.root_of_own_namespace = true;
    return {User{}, few_powers, no_override, ordinary_user(), stranger, namespace_root};
}

/// Makes a directory with the permissions of /tmp.
void make_shared_directory(Script& s) {
    ASSERT_EQ(::mkdir(s.at("d").c_str(), 0700), 0);
    ASSERT_EQ(::chmod(s.at("d").c_str(), 01777), 0);
}

TEST_F(Permissions, EveryCallerGetsTheAnswersOfAPlainDirectory) {
    for (const User& user : callers()) {
        expect_same_as(
            mount(), user,
            [](Script& s) {
                make_shared_directory(s);
                make_files(s, "d/");
            },
            [](Script& s) { ask_all(s, "d/"); });
    }
}

/// With setuid and setgid left to the daemon (killpriv_v2), the kernel itself answers a caller who
/// may not change the file, with 0 instead of EPERM. The file must then be unchanged.
TEST_F(Permissions, AChownOfNothingTakesSetIdFromTheCallersOwnFilesAlone) {
    std::ostringstream status;
    status << std::ifstream(mount().path() / ".partialfs/status").rdbuf();
    const bool asked = status.str().find(R"("killpriv_v2": false)") != std::string::npos;
    ASSERT_TRUE(asked || status.str().find(R"("killpriv_v2": true)") != std::string::npos);
    for (const User& user : callers()) {
        expect_same_as(
            mount(), user,
            [](Script& s) {
                make_shared_directory(s);
                make_files(s, "d/", 1);
            },
            [asked](Script& s) {
                for (const Kind& kind : kKinds) {
                    const std::string name = "d/" + name_of(kind, 0);
                    const long done = chowns<kSame, kSame>(s.at(name));
                    if (asked) {
                        s.call("chown of nothing", done);
                    }
                    s.stat(name);
                }
            });
    }
}

TEST_F(Permissions, OfSymlinksAndFifosInStickyDirectories) {
    for (const User& user : callers()) {
        expect_same_as(
            mount(), user,
            [](Script& s) {
                make_shared_directory(s);
                ::close(::open(s.at("target").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
                ::chmod(s.at("target").c_str(), 0666);
                ::symlink("../target", s.at("d/link").c_str());
                ::lchown(s.at("d/link").c_str(), 1002, 1002);
                ::mkfifo(s.at("d/fifo").c_str(), 0666);
                ::chmod(s.at("d/fifo").c_str(), 0666);
                ::chown(s.at("d/fifo").c_str(), 1002, 1002);
                ::close(::open(s.at("d/file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
                ::chmod(s.at("d/file").c_str(), 0666);
                ::chown(s.at("d/file").c_str(), 1002, 1002);
            },
            [](Script& s) {
                s.open("d/link", O_RDONLY);
                s.open("d/link", O_RDWR | O_CREAT);
                s.open("d/fifo", O_RDWR | O_NONBLOCK);
                s.open("d/fifo", O_RDWR | O_CREAT | O_NONBLOCK);
                s.open("d/file", O_RDWR | O_CREAT);
                s.call("readlink", ::access(s.at("d/link").c_str(), W_OK));
                s.call("device", ::mknod(s.at("d/null").c_str(), S_IFCHR | 0666, 0x103));
                s.open("d/null", O_RDWR);
            });
    }
}

/// A path is walked while a directory in it is swapped with a symlink out of the mount: the result
/// is a file of one or of the other, never from elsewhere, and never without permission.
TEST_F(Permissions, ASymlinkSwappedInWhileAPathIsWalkedLeadsNobodyAstray) {
    const auto base = mount().path() / "swap";
    std::filesystem::create_directories(base / "real");
    std::filesystem::create_directories(mount().temporary() / "secret");
    const auto write_to = [](const std::filesystem::path& path, const char* text, mode_t mode) {
        const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT_EQ(::write(fd, text, 4), 4);
        ASSERT_EQ(::fchmod(fd, mode), 0);
        ::close(fd);
    };
    write_to(base / "real/file", "open", 0644);
    write_to(mount().temporary() / "secret/file", "shut", 0600);
    std::filesystem::create_directory_symlink(mount().temporary() / "secret", base / "link");
    std::atomic<bool> over = false;
    std::atomic<int> swaps = 0;
    std::thread swapper([&] {
        while (!over) {
            swaps += ::renameat2(AT_FDCWD, (base / "real").c_str(), AT_FDCWD,
                                 (base / "link").c_str(), RENAME_EXCHANGE) == 0
                         ? 1
                         : 0;
        }
    });
    const auto log = run_as(ordinary_user(), base, [](Script& s) {
        int read = 0;
        int refused = 0;
        for (int i = 0; i < 3000; ++i) {
            const int fd = ::open(s.at("real/file").c_str(), O_RDONLY | O_CLOEXEC);
            std::array<char, 5> text{};
            if (fd >= 0) {
                const bool right =
                    ::read(fd, text.data(), 4) == 4 && std::string_view(text.data()) == "open";
                read += right ? 1 : 0;
                if (!right) {
                    s.note(std::string("read: ") + text.data());
                }
            } else {
                refused += errno == EACCES ? 1 : 0;
                if (errno != EACCES) {
                    s.note(errno_name(errno));
                }
            }
            ::close(fd);
        }
        s.note(read > 0 && refused > 0 ? "both were met" : "one was never met");
    });
    over = true;
    swapper.join();
    EXPECT_GT(swaps, 0);
    EXPECT_EQ(log, (std::vector<std::string>{"both were met", "finished"}));
}

} // namespace
} // namespace partialfs::testing
