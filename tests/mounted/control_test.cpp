// The control directory: every kind of request is sent to every kind of object in it. Whatever the
// answer is, the daemon must keep running.
#include "tests/mounted/mounted_test.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace partialfs::testing {
namespace {

using ::testing::UnorderedElementsAre;

class Control : public Mounted {
  protected:
    [[nodiscard]] std::string at(std::string_view name = "") const {
        std::string path = mount_->path() / ".partialfs";
        return name.empty() ? path : path + '/' + std::string(name);
    }
    std::set<std::string> names_in(const std::string& directory) {
        std::set<std::string> names;
        DIR* stream = ::opendir(directory.c_str());
        EXPECT_NE(stream, nullptr) << errno_name(errno);
        while (const dirent* entry = stream != nullptr ? ::readdir(stream) : nullptr) {
            names.insert(entry->d_name);
            struct stat status{};
            EXPECT_EQ(::lstat((directory + '/' + entry->d_name).c_str(), &status), 0);
            if (std::string_view(entry->d_name) != ".." || directory != mount().path()) {
                EXPECT_EQ(entry->d_ino, status.st_ino) << entry->d_name;
            }
            EXPECT_EQ(DTTOIF(entry->d_type), status.st_mode & S_IFMT) << entry->d_name;
        }
        ::closedir(stream);
        return names;
    }
    /// Something that only a running daemon can answer.
    void expect_alive(const std::string& after) {
        struct stat status{};
        EXPECT_EQ(::stat(at("inode").c_str(), &status), 0) << after << ": " << errno_name(errno);
        const auto sibling = mount().path() / "sibling";
        std::ofstream(sibling) << after;
        EXPECT_EQ(::unlink(sibling.c_str()), 0) << after << ": " << errno_name(errno);
    }
};

TEST_F(Control, IsListedWithEverythingThatIsInItAndTheRootWithoutIt) {
    EXPECT_THAT(names_in(at()),
                UnorderedElementsAre(".", "..", "inode", "status", "ledger", "trace", "contract",
                                     "flush-policy", "after-write-error", "faults", "commit",
                                     "evict"));
    EXPECT_THAT(names_in(at("inode")), UnorderedElementsAre(".", ".."));
    EXPECT_THAT(names_in(mount().path()), UnorderedElementsAre(".", ".."));
    const Ended listed = run_program({"ls", "-laR", at()});
    EXPECT_EQ(listed.code, 0) << listed.errors;
    EXPECT_EQ(
        run_program({"find", mount().path(), "-name", ".partialfs*", "-exec", "false", "{}", "+"})
            .code,
        0)
        << "find does not come by";
    expect_alive("listing");
}

TEST_F(Control, SizesAndModesMakeSense) {
    const auto status_of = [&](const char* name) {
        struct stat status{};
        EXPECT_EQ(::stat(at(name).c_str(), &status), 0) << name;
        return status;
    };
    EXPECT_EQ(status_of("").st_mode, S_IFDIR | 0700U);
    EXPECT_EQ(status_of("").st_nlink, 3U);
    EXPECT_EQ(status_of("inode").st_mode, S_IFDIR | 0500U);
    EXPECT_EQ(status_of("inode").st_nlink, 2U);
    EXPECT_EQ(status_of("ledger").st_mode, S_IFREG | 0400U);
    EXPECT_EQ(status_of("commit").st_mode, S_IFREG | 0200U);
    EXPECT_EQ(status_of("evict").st_size, 0);
    EXPECT_EQ(status_of("contract").st_size, 13) << "linux-2.6.20 and a newline";
    std::ofstream(at("flush-policy")) << "eager\n";
    EXPECT_EQ(status_of("flush-policy").st_size, 6);
    std::ofstream(at("flush-policy")) << "ext3\n";
    EXPECT_EQ(status_of("flush-policy").st_size, 5);
    EXPECT_GT(status_of("status").st_size, 100);
}

/// One request: its name, and the system call on a path of the control directory and a descriptor
/// of it (-1 if it cannot be opened).
struct Question {
    const char* name;
    std::function<long(const std::string& path, int fd)> ask;
};

/// Every system call that causes a request of its own.
std::vector<Question> all_questions(const std::string& plain_path, int plain) {
    std::vector<Question> questions;
    const auto add = [&](const char* name, auto ask) { questions.push_back({name, ask}); };
    add("stat", [](auto& path, int) {
        struct stat status{};
        return ::lstat(path.c_str(), &status);
    });
    add("fstat", [](auto&, int fd) {
        struct stat status{};
        return ::fstat(fd, &status);
    });
    add("access", [](auto& path, int) { return ::access(path.c_str(), R_OK | W_OK | X_OK); });
    add("statfs", [](auto& path, int) {
        struct statvfs status{};
        return ::statvfs(path.c_str(), &status);
    });
    add("chmod", [](auto& path, int) { return ::chmod(path.c_str(), 0777); });
    add("chown", [](auto& path, int) { return ::lchown(path.c_str(), 1001, 1001); });
    add("utimes", [](auto& path, int) { return ::utimes(path.c_str(), nullptr); });
    add("truncate", [](auto& path, int) { return ::truncate(path.c_str(), 100); });
    add("ftruncate", [](auto&, int fd) { return ::ftruncate(fd, 100); });
    add("readlink", [](auto& path, int) {
        std::array<char, 100> target{};
        return ::readlink(path.c_str(), target.data(), target.size());
    });
    add("setxattr", [](auto& path, int) { return ::lsetxattr(path.c_str(), "user.x", "v", 1, 0); });
    add("setacl", [](auto& path, int) {
        return ::lsetxattr(path.c_str(), "system.posix_acl_access", "\2\0\0\0", 4, 0);
    });
    add("getxattr", [](auto& path, int) {
        std::array<char, 100> value{};
        return ::lgetxattr(path.c_str(), "user.x", value.data(), value.size());
    });
    add("listxattr", [](auto& path, int) {
        std::array<char, 100> names{};
        return ::llistxattr(path.c_str(), names.data(), names.size());
    });
    add("listxattr size", [](auto& path, int) { return ::llistxattr(path.c_str(), nullptr, 0); });
    add("removexattr", [](auto& path, int) { return ::lremovexattr(path.c_str(), "user.x"); });
    add("create", [](auto& path, int) {
        const int made = ::open((path + "/new").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        return made < 0 ? -1L : ::close(made);
    });
    add("tmpfile", [](auto& path, int) {
        const int made = ::open(path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        return made < 0 ? -1L : ::close(made);
    });
    add("mknod", [](auto& path, int) { return ::mknod((path + "/new").c_str(), S_IFIFO, 0); });
    add("mkdir", [](auto& path, int) { return ::mkdir((path + "/new").c_str(), 0700); });
    add("mkdir over", [](auto& path, int) { return ::mkdir(path.c_str(), 0700); });
    add("symlink", [](auto& path, int) { return ::symlink("to", (path + "/new").c_str()); });
    add("link from",
        [&](auto& path, int) { return ::link(path.c_str(), (plain_path + ".link").c_str()); });
    add("link to",
        [&](auto& path, int) { return ::link(plain_path.c_str(), (path + "/new").c_str()); });
    add("rename from",
        [&](auto& path, int) { return ::rename(path.c_str(), (plain_path + ".moved").c_str()); });
    add("rename to", [&](auto& path, int) { return ::rename(plain_path.c_str(), path.c_str()); });
    add("rename into",
        [&](auto& path, int) { return ::rename(plain_path.c_str(), (path + "/new").c_str()); });
    add("exchange", [&](auto& path, int) {
        return ::renameat2(AT_FDCWD, plain_path.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE);
    });
    add("unlink", [](auto& path, int) { return ::unlink(path.c_str()); });
    add("rmdir", [](auto& path, int) { return ::rmdir(path.c_str()); });
    add("lookup", [](auto& path, int) { return ::access((path + "/nothing").c_str(), F_OK); });
    add("lookup of an inode",
        [](auto& path, int) { return ::access((path + "/1").c_str(), F_OK); });
    add("read", [](auto&, int fd) {
        std::array<char, 100> bytes{};
        return ::pread(fd, bytes.data(), bytes.size(), 0);
    });
    add("write", [](auto&, int fd) { return ::pwrite(fd, "nonsense", 8, 0); });
    add("getdents", [](auto& path, int) {
        DIR* stream = ::opendir(path.c_str());
        if (stream == nullptr) {
            return -1L;
        }
        long count = 0;
        struct stat status{};
        while (const dirent* entry = ::readdir(stream)) {
            // The kernel then requests the remaining entries with attributes (readdirplus).
            count += ::fstatat(::dirfd(stream), entry->d_name, &status, 0) == 0 ? 1 : 0;
        }
        ::fsync(::dirfd(stream));
        ::closedir(stream);
        return count;
    });
    add("fsync", [](auto&, int fd) { return ::fsync(fd); });
    add("fdatasync", [](auto&, int fd) { return ::fdatasync(fd); });
    add("syncfs", [](auto&, int fd) { return ::syncfs(fd); });
    add("fallocate", [](auto&, int fd) { return ::fallocate(fd, 0, 0, 100); });
    add("seek", [](auto&, int fd) { return ::lseek(fd, 0, SEEK_DATA); });
    add("seek a hole", [](auto&, int fd) { return ::lseek(fd, 0, SEEK_HOLE); });
    add("mmap", [](auto&, int fd) {
        void* map = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
        return map == MAP_FAILED ? -1L : ::munmap(map, 4096);
    });
    add("copy from",
        [=](auto&, int fd) { return ::copy_file_range(fd, nullptr, plain, nullptr, 100, 0); });
    add("copy to",
        [=](auto&, int fd) { return ::copy_file_range(plain, nullptr, fd, nullptr, 100, 0); });
    add("ioctl", [](auto&, int fd) {
        int flags = 0;
        return ::ioctl(fd, FS_IOC_GETFLAGS, &flags);
    });
    add("ioctl of nobody", [](auto&, int fd) { return ::ioctl(fd, 0x12345678, nullptr); });
    add("poll", [](auto&, int fd) {
        pollfd wait{fd, POLLIN, 0};
        return ::poll(&wait, 1, 0);
    });
    add("lock", [](auto&, int fd) {
        struct flock lock{};
        lock.l_type = F_RDLCK;
        return ::fcntl(fd, F_SETLK, &lock);
    });
    add("flock", [](auto&, int fd) { return ::flock(fd, LOCK_SH | LOCK_NB); });
    return questions;
}

TEST_F(Control, EveryKindOfRequestToEveryKindOfObjectIsAnswered) {
    const std::string plain_path = mount().path() / "plain";
    std::ofstream(plain_path) << "text";
    const int plain = ::open(plain_path.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(plain, 0);
    for (const char* name : {"", "inode", "status", "ledger", "trace", "contract", "flush-policy",
                             "after-write-error", "faults", "commit", "evict"}) {
        const std::string path = at(name);
        for (const int access : {O_RDONLY, O_WRONLY}) {
            const int fd = ::open(path.c_str(), access | O_CLOEXEC);
            for (const Question& question : all_questions(plain_path, plain)) {
                question.ask(path, fd);
                expect_alive(std::string(question.name) + " of .partialfs/" + name);
                if (HasFailure()) {
                    return;
                }
            }
            ::close(fd);
        }
    }
    ::close(plain);
    EXPECT_EQ(names_in(mount().path()), (std::set<std::string>{".", "..", "plain"}))
        << "nothing has been made, moved or removed";
    EXPECT_EQ(names_in(at()).size(), 12U);
}

TEST_F(Control, AFileIsEvictedByItsNameWhateverItEndsIn) {
    for (const std::string name :
         {"plain", "blank ", "two  ", "tab\t", "newline\n", " (deleted)"}) {
        std::ofstream(mount().path() / name) << "text";
        const int fd = ::open(at("evict").c_str(), O_WRONLY | O_CLOEXEC);
        ASSERT_GE(fd, 0);
        const std::string line = name + '\n';
        EXPECT_EQ(::write(fd, line.data(), line.size()), static_cast<ssize_t>(line.size()))
            << '"' << name << "\": " << errno_name(errno);
        if (!name.ends_with('\n')) {
            EXPECT_EQ(::write(fd, name.data(), name.size()), static_cast<ssize_t>(name.size()))
                << '"' << name << "\": " << errno_name(errno);
        }
        ::close(fd);
    }
    const int fd = ::open(at("evict").c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(::write(fd, "blank\n", 6), -1);
    EXPECT_EQ(errno, ENOENT);
    ::close(fd);
}

TEST_F(Control, TellsNobodyElseAnything) {
    const auto errors = run_as(ordinary_user(), mount().path(), [&](Script& s) {
        struct stat status{};
        s.call("stat", ::stat(at("status").c_str(), &status));
        s.call("list", ::open(at().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        s.call("read", ::open(at("ledger").c_str(), O_RDONLY | O_CLOEXEC));
        s.call("inode", ::open(at("inode/1").c_str(), O_RDONLY | O_CLOEXEC));
        s.call("commit", ::open(at("commit").c_str(), O_WRONLY | O_CLOEXEC));
        s.call("nothing", ::open(at("nothing").c_str(), O_WRONLY | O_CLOEXEC));
    });
    ASSERT_EQ(errors.size(), 7U);
    EXPECT_EQ(errors.back(), "finished");
    for (std::size_t i = 0; i + 1 < errors.size(); ++i) {
        EXPECT_THAT(errors[i], ::testing::EndsWith("= EACCES"));
    }
}

} // namespace
} // namespace partialfs::testing
