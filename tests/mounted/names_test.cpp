// Names: creating, moving and removing them, on the mount as on a plain directory.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <functional>

namespace partialfs::testing {
namespace {

using Names = Mounted;

TEST_F(Names, ObjectsOfEveryTypeAreMade) {
    expect_same(mount(), [](Script& s) {
        s.call("mkdir", ::mkdir(s.at("dir").c_str(), 0750));
        s.call("mkdir again", ::mkdir(s.at("dir").c_str(), 0750));
        s.call("mkdir below nothing", ::mkdir(s.at("none/dir").c_str(), 0750));
        s.call("mkfifo", ::mknod(s.at("fifo").c_str(), S_IFIFO | 0640, 0));
        s.call("mknod file", ::mknod(s.at("node").c_str(), S_IFREG | 0604, 0));
        s.call("mknod socket", ::mknod(s.at("socket").c_str(), S_IFSOCK | 0700, 0));
        s.call("mknod char", ::mknod(s.at("char").c_str(), S_IFCHR | 0600, makedev(1, 3)));
        s.call("mknod block", ::mknod(s.at("block").c_str(), S_IFBLK | 0600, makedev(7, 200)));
        s.call("symlink", ::symlink("a/b/../c", s.at("link").c_str()));
        s.call("symlink again", ::symlink("x", s.at("link").c_str()));
        s.call("symlink empty", ::symlink("", s.at("empty").c_str()));
        s.call("open", s.open("file", O_CREAT | O_EXCL | O_WRONLY, 0666) < 0 ? -1 : 0);
        s.open("file", O_CREAT | O_EXCL | O_WRONLY);
        s.open("fifo", O_RDWR | O_NONBLOCK);
        s.open("char", O_RDWR);
        s.open("dir", O_WRONLY);
        s.open("dir", O_RDONLY | O_CREAT);
        s.open("file/below", O_RDONLY);
        s.open("link", O_RDONLY | O_NOFOLLOW);
        s.list("");
        s.tree();
        std::string target(100, '\0');
        s.call("readlink", ::readlink(s.at("link").c_str(), target.data(), target.size()));
        s.note(target);
        s.call("readlink of a file", ::readlink(s.at("file").c_str(), target.data(), 100));
    });
}

TEST_F(Names, ANameThatWasMissingIsThereOnceItIsMade) {
    expect_same(mount(), [](Script& s) {
        const auto look = [&](const char* name) {
            struct stat status{};
            for (int i = 0; i < 2; ++i) { // the kernel may keep the answer
                s.call(name, ::lstat(s.at(name).c_str(), &status));
            }
        };
        ::mkdir(s.at("dir").c_str(), 0755);
        const auto becomes = [&](const char* name, const std::function<int(const char*)>& make) {
            look(name);
            s.call("made", make(s.at(name).c_str()));
            look(name);
        };
        becomes("file", [](const char* path) {
            return ::close(::open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
        });
        becomes("dir/dir", [](const char* path) { return ::mkdir(path, 0755); });
        becomes("fifo", [](const char* path) { return ::mkfifo(path, 0644); });
        becomes("link", [](const char* path) { return ::symlink("file", path); });
        becomes("hard", [&](const char* path) { return ::link(s.at("file").c_str(), path); });
        becomes("moved", [&](const char* path) { return ::rename(s.at("hard").c_str(), path); });
        look("hard");
        becomes("dir/dir/moved",
                [&](const char* path) { return ::rename(s.at("moved").c_str(), path); });
        s.call("unlink", ::unlink(s.at("dir/dir/moved").c_str()));
        look("dir/dir/moved");
        becomes("dir/dir/moved",
                [&](const char* path) { return ::rename(s.at("fifo").c_str(), path); });
    });
}

TEST_F(Names, AMissingNameThatIsMadeInSourceComesWithinSeconds) {
    const auto name = mount().path() / "late";
    EXPECT_FALSE(std::filesystem::exists(name));
    std::ofstream(mount().source() / "late") << "x";
    EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(name); }));
}

TEST_F(Names, RemovingAnswersAsALocalFilesystemDoes) {
    expect_same(mount(), [](Script& s) {
        ::mkdir(s.at("dir").c_str(), 0755);
        ::mkdir(s.at("dir/sub").c_str(), 0755);
        s.open("file", O_CREAT | O_WRONLY);
        s.call("unlink dir", ::unlink(s.at("dir").c_str()));
        s.call("rmdir file", ::rmdir(s.at("file").c_str()));
        s.call("rmdir full", ::rmdir(s.at("dir").c_str()));
        s.call("rmdir dot", ::rmdir(s.at("dir/.").c_str()));
        s.call("rmdir dotdot", ::rmdir(s.at("dir/..").c_str()));
        s.call("unlink none", ::unlink(s.at("none").c_str()));
        s.call("unlink below file", ::unlink(s.at("file/x").c_str()));
        s.call("rmdir sub", ::rmdir(s.at("dir/sub").c_str()));
        s.call("rmdir", ::rmdir(s.at("dir").c_str()));
        s.call("unlink", ::unlink(s.at("file").c_str()));
        s.call("unlink again", ::unlink(s.at("file").c_str()));
        s.tree();
    });
}

TEST_F(Names, LengthsHaveTheSameLimits) {
    expect_same(mount(), [](Script& s) {
        s.call("255", ::mkdir(s.at(std::string(255, 'x')).c_str(), 0755));
        s.call("256", ::mkdir(s.at(std::string(256, 'x')).c_str(), 0755));
        s.call("stat 256", ::access(s.at(std::string(256, 'y')).c_str(), F_OK));
        s.call("symlink 4095", ::symlink(std::string(4095, 'x').c_str(), s.at("long").c_str()));
        std::string target(4096, '\0');
        s.call("readlink 4095", ::readlink(s.at("long").c_str(), target.data(), target.size()));
        s.call("newline", ::mkdir(s.at("a\nb\xff").c_str(), 0755));
        s.call("utf-8", ::mkdir(s.at("\xc3\xa4").c_str(), 0755));
        s.list("");
    });
}

void make_two(Script& s) {
    s.fill(s.open("a", O_CREAT | O_RDWR, 0600), 0, 1000, 1);
    s.fill(s.open("b", O_CREAT | O_RDWR, 0644), 0, 2000, 2);
    ::mkdir(s.at("d1").c_str(), 0755);
    ::mkdir(s.at("d2").c_str(), 0755);
    s.fill(s.open("d2/inner", O_CREAT | O_RDWR), 0, 300, 3);
}

TEST_F(Names, RenameMovesAndReplaces) {
    expect_same(mount(), [](Script& s) {
        const auto move = [&](const char* from, const char* to) {
            s.call(std::string("rename ") + from + " to " + to,
                   ::rename(s.at(from).c_str(), s.at(to).c_str()));
        };
        make_two(s);
        move("a", "c");
        move("c", "b");
        move("b", "d1");
        move("d1", "b");
        move("d1", "d2");
        move("d2", "d1");
        move("d1", "d1/below");
        move("b", "d1/b");
        move("d1/b", "d1/b");
        move("none", "x");
        move("d1/.", "x");
        move("d1/inner", "none/x");
        s.tree();
    });
}

TEST_F(Names, RenameFlags) {
    expect_same(mount(), [](Script& s) {
        const auto move = [&](const char* from, const char* to, unsigned flags) {
            s.call(std::string("renameat2 ") + from + " to " + to + " flags " +
                       std::to_string(flags),
                   ::renameat2(AT_FDCWD, s.at(from).c_str(), AT_FDCWD, s.at(to).c_str(), flags));
        };
        make_two(s);
        move("a", "b", RENAME_NOREPLACE);
        move("a", "c", RENAME_NOREPLACE);
        move("c", "b", RENAME_EXCHANGE);
        s.tree();
        move("c", "d2", RENAME_EXCHANGE);
        s.tree();
        move("c", "none", RENAME_EXCHANGE);
        move("b", "d1", RENAME_EXCHANGE | RENAME_NOREPLACE);
        move("d1", "b", RENAME_NOREPLACE);
        move("c", "c/inner", RENAME_EXCHANGE);
        s.tree();
    });
}

TEST_F(Names, RenameOfAFileWithUnwrittenDataKeepsIt) {
    expect_same(mount(), [](Script& s) {
        for (int i = 0; i < 20; ++i) {
            const int fd = s.open("new", O_CREAT | O_TRUNC | O_WRONLY);
            s.fill(fd, 0, 10000 + static_cast<std::size_t>(i), static_cast<unsigned>(i));
            s.call("rename", ::rename(s.at("new").c_str(), s.at("file").c_str()));
            s.contents("file");
            s.close(fd);
        }
        s.tree();
    });
}

TEST_F(Names, HardLinksAreOneFile) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("a", O_CREAT | O_RDWR, 0600);
        ::mkdir(s.at("d").c_str(), 0755);
        s.call("link", ::link(s.at("a").c_str(), s.at("d/b").c_str()));
        s.call("link again", ::link(s.at("a").c_str(), s.at("d/b").c_str()));
        s.call("link of directory", ::link(s.at("d").c_str(), s.at("e").c_str()));
        s.call("link of nothing", ::link(s.at("none").c_str(), s.at("e").c_str()));
        s.fill(fd, 0, 5000, 1);
        s.stat("d/b");
        s.contents("d/b");
        s.call("chmod", ::chmod(s.at("d/b").c_str(), 0640));
        s.stat("a");
        struct stat first{};
        struct stat second{};
        ::stat(s.at("a").c_str(), &first);
        ::stat(s.at("d/b").c_str(), &second);
        s.call("same inode", first.st_ino == second.st_ino ? 1 : 0);
        s.call("unlink", ::unlink(s.at("a").c_str()));
        s.fstat(fd);
        s.stat("d/b");
        s.call("rename over itself", ::link(s.at("d/b").c_str(), s.at("c").c_str()));
        s.call("rename", ::rename(s.at("d/b").c_str(), s.at("c").c_str()));
        s.tree();
        ::symlink("c", s.at("sym").c_str());
        s.call("link of a symlink", ::link(s.at("sym").c_str(), s.at("sym2").c_str()));
        s.tree();
    });
}

TEST_F(Names, UnlinkedOpenFilesGoOnWorking) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("a", O_CREAT | O_RDWR, 0600);
        s.fill(fd, 0, 10000, 1);
        s.call("unlink", ::unlink(s.at("a").c_str()));
        s.fstat(fd);
        s.fill(fd, 5000, 100000, 2);
        s.pread(fd, 200000, 0);
        s.call("ftruncate", ::ftruncate(fd, 7000));
        s.call("fchmod", ::fchmod(fd, 0644));
        s.call("fsync", ::fsync(fd));
        s.fstat(fd);
        s.pread(fd, 200000, 0);
        // A new file of the same name is another file, even if it gets the same backing inode.
        const int other = s.open("a", O_CREAT | O_EXCL | O_RDWR, 0600);
        s.fill(other, 0, 10, 3);
        s.pread(fd, 200000, 0);
        s.pread(other, 200000, 0);
        s.close(fd);
        s.pread(other, 200000, 0);
        ::mkdir(s.at("d").c_str(), 0755);
        const int directory = s.open("d", O_RDONLY | O_DIRECTORY);
        s.call("rmdir", ::rmdir(s.at("d").c_str()));
        s.fstat(directory);
        s.call("mkdirat", ::mkdirat(directory, "x", 0755));
    });
}

TEST_F(Names, InodeNumbersUsedAgainAreOtherFiles) {
    expect_same(mount(), [](Script& s) {
        for (int i = 0; i < 200; ++i) {
            const int fd = s.open("a", O_CREAT | O_EXCL | O_RDWR, 0600);
            s.fstat(fd);
            s.fill(fd, i * 100, 100, static_cast<unsigned>(i));
            s.close(fd);
            s.contents("a");
            s.call("unlink", ::unlink(s.at("a").c_str()));
        }
    });
}

TEST_F(Names, TheControlDirectoryIsThereButNotListed) {
    for (const auto& entry : std::filesystem::directory_iterator(mount().path())) {
        EXPECT_NE(entry.path().filename(), ".partialfs");
    }
    EXPECT_TRUE(std::filesystem::is_directory(mount().path() / ".partialfs"));
    struct stat status{};
    ASSERT_EQ(::stat((mount().path() / ".partialfs").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
    EXPECT_EQ(status.st_uid, ::geteuid());
    EXPECT_EQ(::mkdir((mount().path() / ".partialfs").c_str(), 0755), -1);
    EXPECT_EQ(errno, EEXIST);
    std::filesystem::create_directory(mount().path() / "d");
    EXPECT_FALSE(std::filesystem::exists(mount().path() / "d/.partialfs")) << "only at the root";
}

TEST_F(Names, AFileOfTheControlDirectorysNameIsShadowed) {
    mount().stop();
    std::filesystem::create_directory(mount().source() / ".partialfs");
    std::filesystem::create_directory(mount().source() / ".partialfs/own");
    mount().start();
    EXPECT_TRUE(wait_until([&] {
        return mount().errors().find("'.partialfs' in") != std::string::npos;
    })) << mount().errors();
    EXPECT_FALSE(std::filesystem::exists(mount().path() / ".partialfs/own"));
    EXPECT_TRUE(std::filesystem::exists(mount().path() / ".partialfs/status"));
    for (const auto& entry : std::filesystem::directory_iterator(mount().path())) {
        ADD_FAILURE() << entry.path();
    }
}

TEST_F(Names, ADaemonThatMayNotOpenAnyFileCanWriteAReadOnlyOneThatIsCreated) {
    mount().stop();
    mount().set_wrapper({"setpriv", "--bounding-set=-dac_override,-dac_read_search"});
    mount().start({"--contract=linux-2.6.20", "--commit-interval=0"});
    const int fd = ::open((mount().path() / "file").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0400);
    ASSERT_GE(fd, 0) << errno_name(errno);
    EXPECT_EQ(::write(fd, "bytes", 5), 5) << errno_name(errno);
    EXPECT_EQ(::close(fd), 0) << errno_name(errno);
    EXPECT_EQ(mount().stop().code, 0);
    std::string bytes;
    std::ifstream(mount().source() / "file") >> bytes;
    EXPECT_EQ(bytes, "bytes");
}

} // namespace
} // namespace partialfs::testing
