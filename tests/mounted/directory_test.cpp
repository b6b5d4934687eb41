// Listing directories: large ones, changing ones, and seeking back to a position.
#include "tests/mounted/mounted_test.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

namespace partialfs::testing {
namespace {

using Directories = Mounted;
using namespace std::chrono_literals;

void make_file(const std::filesystem::path& path) {
    ::close(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

std::multiset<std::string> names_in(const std::filesystem::path& directory) {
    std::multiset<std::string> names;
    DIR* stream = ::opendir(directory.c_str());
    while (const dirent* entry = ::readdir(stream)) {
        names.insert(entry->d_name);
    }
    ::closedir(stream);
    return names;
}

TEST_F(Directories, ALargeDirectoryIsListedWhole) {
    constexpr int kFiles = 5000;
    const auto directory = mount().path() / "large";
    std::filesystem::create_directory(directory);
    std::multiset<std::string> expected{".", ".."};
    for (int i = 0; i < kFiles; ++i) {
        const std::string name = "a file with a name of some length " + std::to_string(i);
        make_file(directory / name);
        expected.insert(name);
    }
    EXPECT_EQ(names_in(directory), expected);
    // With attributes, as ls -l: readdirplus.
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        count += entry.file_size() == 0 ? 1 : 0;
    }
    EXPECT_EQ(count, kFiles);
}

TEST_F(Directories, EntriesThatStayAreSeenOnceWhileOthersComeAndGo) {
    const auto directory = mount().path() / "changing";
    std::filesystem::create_directory(directory);
    std::set<std::string> staying;
    for (int i = 0; i < 800; ++i) {
        make_file(directory / ("stays" + std::to_string(i)));
        staying.insert("stays" + std::to_string(i));
    }
    std::atomic<bool> over = false;
    std::thread changer([&] {
        for (int i = 0; !over; i = (i + 1) % 500) {
            const auto name = directory / ("comes" + std::to_string(i));
            if (::unlink(name.c_str()) != 0) {
                make_file(name);
            }
        }
    });
    for (int round = 0; round < 30; ++round) {
        std::map<std::string, int> seen;
        for (const std::string& name : names_in(directory)) {
            ++seen[name];
        }
        for (const std::string& name : staying) {
            EXPECT_EQ(seen[name], 1) << name;
        }
    }
    over = true;
    changer.join();
}

TEST_F(Directories, PositionsMayBeReturnedTo) {
    const auto directory = mount().path() / "d";
    std::filesystem::create_directory(directory);
    for (int i = 0; i < 500; ++i) {
        make_file(directory / std::to_string(i));
    }
    DIR* stream = ::opendir(directory.c_str());
    std::vector<std::pair<long, std::string>> entries;
    for (long at = ::telldir(stream); const dirent* entry = ::readdir(stream);
         at = ::telldir(stream)) {
        entries.emplace_back(at, entry->d_name);
    }
    EXPECT_EQ(entries.size(), 502U);
    for (std::size_t i = entries.size(); i-- > 0; i -= std::min<std::size_t>(i, 7)) {
        ::seekdir(stream, entries[i].first);
        EXPECT_EQ(::readdir(stream)->d_name, entries[i].second);
    }
    make_file(directory / "late");
    ::rewinddir(stream);
    int count = 0;
    bool late = false;
    while (const dirent* entry = ::readdir(stream)) {
        ++count;
        late = late || std::string_view(entry->d_name) == "late";
    }
    EXPECT_EQ(count, 503);
    EXPECT_TRUE(late);
    ::closedir(stream);
}

/// The kernel keeps a listing once the directory's last change is two ticks of the clock ago.
void wait_for_later_stamps() {
    const auto began = std::chrono::steady_clock::now();
    wait_until([&] { return std::chrono::steady_clock::now() > began + 25ms; });
}

TEST_F(Directories, AListingThatTheKernelHasCopiedKeepsUpWithTheNames) {
    expect_same(mount(), [](Script& s) {
        ::mkdir(s.at("dir").c_str(), 0755);
        ::mkdir(s.at("other").c_str(), 0755);
        s.open("dir/first", O_CREAT | O_WRONLY);
        const auto list_after = [&](std::string_view what) {
            s.note(std::string(what));
            s.list("dir");
            wait_for_later_stamps();
            for (int i = 0; i < 3; ++i) {
                s.list("dir");
            }
        };
        list_after("create");
        s.call("mkdir", ::mkdir(s.at("dir/sub").c_str(), 0755));
        list_after("mkdir");
        s.call("symlink", ::symlink("x", s.at("dir/link").c_str()));
        list_after("symlink");
        s.call("link", ::link(s.at("dir/first").c_str(), s.at("dir/second").c_str()));
        list_after("link");
        s.call("rename", ::rename(s.at("dir/first").c_str(), s.at("dir/third").c_str()));
        list_after("rename");
        s.call("away", ::rename(s.at("dir/third").c_str(), s.at("other/third").c_str()));
        list_after("away");
        s.call("back", ::rename(s.at("other/third").c_str(), s.at("dir/fourth").c_str()));
        list_after("back");
        s.call("unlink", ::unlink(s.at("dir/second").c_str()));
        list_after("unlink");
        s.call("rmdir", ::rmdir(s.at("dir/sub").c_str()));
        list_after("rmdir");
        s.call("chmod", ::chmod(s.at("dir").c_str(), 0700));
        list_after("chmod");
    });
}

TEST_F(Directories, AChangeInSourceIsInTheNextListing) {
    const auto directory = mount().path() / "d";
    std::filesystem::create_directory(directory);
    std::multiset<std::string> expected{".", ".."};
    for (int i = 0; i < 20; ++i) {
        for (int listing = 0; listing < 3; ++listing) {
            EXPECT_EQ(names_in(directory), expected);
            wait_for_later_stamps();
        }
        make_file(mount().source() / "d" / std::to_string(i));
        expected.insert(std::to_string(i));
        EXPECT_EQ(names_in(directory), expected) << i;
    }
}

TEST_F(Directories, EachListingMovesAtimeWhereSourceHasStrictAtimes) {
    mount().stop();
    mount().put_source_on_tmpfs("");
    ASSERT_EQ(::mount("none", mount().source().c_str(), nullptr, MS_REMOUNT | MS_STRICTATIME, ""),
              0);
    mount().start({"--contract=linux-2.6.20"});
    std::filesystem::create_directory(mount().path() / "d");
    const auto atime = [&] {
        struct stat status{};
        EXPECT_EQ(::stat((mount().source() / "d").c_str(), &status), 0);
        return std::pair(status.st_atim.tv_sec, status.st_atim.tv_nsec);
    };
    auto last = atime();
    for (int i = 0; i < 5; ++i) {
        wait_for_later_stamps();
        names_in(mount().path() / "d");
        EXPECT_GT(atime(), last) << i;
        last = atime();
    }
}

/// How many requests of each kind the daemon gets while `run` runs, as libfuse tells with -d.
std::map<std::string, int> requests_of(Mount& mount, const std::function<void()>& run) {
    const std::size_t before = mount.errors().size();
    run();
    std::map<std::string, int> counts;
    std::istringstream lines(mount.errors().substr(before));
    for (std::string word; lines >> word;) {
        if (word == "opcode:" && lines >> word) {
            ++counts[word];
        }
    }
    return counts;
}

TEST_F(Directories, WhatTheKernelHasBeenToldItDoesNotAskAgain) {
    mount().stop();
    mount().start({"--contract=linux-2.6.20", "-d", "--log-level", "debug"});
    const auto directory = mount().path() / "d";
    std::filesystem::create_directory(directory);
    constexpr int kFiles = 30;
    for (int i = 0; i < kFiles; ++i) {
        make_file(directory / std::to_string(i));
    }
    wait_for_later_stamps();
    names_in(directory);
    wait_for_later_stamps();
    names_in(directory);
    auto listed = requests_of(mount(), [&] {
        for (int i = 0; i < 10; ++i) {
            EXPECT_EQ(names_in(directory).size(), kFiles + 2U);
        }
    });
    EXPECT_EQ(listed["OPENDIR"], 10);
    EXPECT_EQ(listed["READDIR"] + listed["READDIRPLUS"], 0);

    auto missing = requests_of(mount(), [&] {
        for (int i = 0; i < 100; ++i) {
            EXPECT_FALSE(std::filesystem::exists(directory / "none"));
        }
    });
    EXPECT_GE(missing["LOOKUP"], 1);
    EXPECT_LT(missing["LOOKUP"], 20) << "once a second";

    // Written, not yet committed, and open for reading and writing: a mapping could store into it.
    const int fd = ::open((directory / "0").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(::pwrite(fd, std::string(8192, 'x').data(), 8192, 0), 8192);
    struct stat status{};
    const auto stat_often = [&] {
        for (int i = 0; i < 100; ++i) {
            EXPECT_EQ(::fstat(fd, &status), 0);
        }
    };
    EXPECT_LT(requests_of(mount(), stat_often)["GETATTR"], 20) << "once a second";
    ASSERT_EQ(::ftruncate(fd, 1 << 20), 0);
    EXPECT_GE(requests_of(mount(), stat_often)["GETATTR"], 100) << "stores may fill the hole";
    ::close(fd);
}

/// The number of descriptors that the daemon has open.
std::size_t descriptors_of(pid_t process) {
    const auto directory = "/proc/" + std::to_string(process) + "/fd";
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory),
                                                  std::filesystem::directory_iterator()));
}

TEST_F(Directories, MoreFilesThanDescriptorsAreNoProblem) {
    mount().stop();
    constexpr int kFiles = 8000;
    for (int i = 0; i < kFiles; ++i) {
        make_file(mount().source() / ("file" + std::to_string(i)));
    }
    // Fewer than half as many descriptors as files; the daemon has no right to raise the limit.
    mount().set_wrapper(
        {"prlimit", "--nofile=3000:3000", "setpriv", "--bounding-set=-sys_resource"});
    mount().start({"--contract=linux-2.6.20"});
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < kFiles; ++i) {
            struct stat status{};
            ASSERT_EQ(::stat((mount().path() / ("file" + std::to_string(i))).c_str(), &status), 0)
                << i << ": " << errno_name(errno);
        }
        int listed = 0;
        for (const auto& entry : std::filesystem::directory_iterator(mount().path())) {
            listed += entry.file_size() == 0 ? 1 : 0;
        }
        EXPECT_EQ(listed, kFiles);
    }
    EXPECT_LT(descriptors_of(mount().daemon()), 3000U);
}

/// Starts the daemon with a low limit of descriptors, which it has no right to raise.
void start_with_few_descriptors(Mount& mount, std::vector<std::string> options) {
    mount.set_wrapper({"prlimit", "--nofile=1500:1500", "setpriv", "--bounding-set=-sys_resource"});
    mount.start(std::move(options));
}

TEST_F(Directories, MoreDirectoriesThanDescriptorsAreNoProblem) {
    utsname system{};
    ASSERT_EQ(::uname(&system), 0);
    int major = 0;
    int minor = 0;
    ASSERT_EQ(std::sscanf(system.release, "%d.%d", &major, &minor), 2);
    if (std::pair(major, minor) < std::pair(6, 18)) {
        GTEST_SKIP()
            << "before Linux 6.18 the kernel cannot be asked to forget directories; this is "
            << system.release;
    }
    mount().stop();
    constexpr int kDirectories = 2000;
    for (int i = 0; i < kDirectories; ++i) {
        std::filesystem::create_directories(mount().source() / std::to_string(i) / "inner");
    }
    start_with_few_descriptors(mount(), {"--contract=linux-2.6.20"});
    const auto here = std::filesystem::current_path();
    std::filesystem::current_path(mount().path() / "7" / "inner");
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < kDirectories; ++i) {
            struct stat status{};
            ASSERT_EQ(::stat((mount().path() / std::to_string(i) / "inner").c_str(), &status), 0)
                << i << ": " << errno_name(errno);
        }
    }
    EXPECT_EQ(std::filesystem::current_path(), mount().path() / "7" / "inner")
        << "a directory in use is left alone";
    EXPECT_TRUE(std::filesystem::is_directory("../../8/inner"));
    std::filesystem::current_path(here);
    EXPECT_LT(descriptors_of(mount().daemon()), 1500U);
}

TEST_F(Directories, MoreNewFilesThanDescriptorsAreNoProblem) {
    mount().stop();
    constexpr int kFiles = 4000;
    // No commits except those that the lack of descriptors causes.
    start_with_few_descriptors(mount(), {"--contract=linux-2.6.20", "--commit-interval=0"});
    for (int i = 0; i < kFiles; ++i) {
        const auto path = mount().path() / ("file" + std::to_string(i));
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
        ASSERT_GE(fd, 0) << i << ": " << errno_name(errno);
        ASSERT_EQ(::write(fd, "small", 5), 5) << errno_name(errno);
        ASSERT_EQ(::close(fd), 0) << errno_name(errno);
    }
    EXPECT_EQ(mount().stop().code, 0);
    for (int i = 0; i < kFiles; ++i) {
        ASSERT_EQ(std::filesystem::file_size(mount().source() / ("file" + std::to_string(i))), 5U);
    }
}

TEST_F(Directories, EntriesTellTheInodeNumbersThatStatTells) {
    const auto directory = mount().path() / "d";
    std::filesystem::create_directory(directory);
    std::filesystem::create_directory(directory / "sub");
    make_file(directory / "file");
    ::link((directory / "file").c_str(), (directory / "link").c_str());
    DIR* stream = ::opendir(directory.c_str());
    while (const dirent* entry = ::readdir(stream)) {
        struct stat status{};
        if (std::string_view(entry->d_name) != "..") {
            ASSERT_EQ(::lstat((directory / entry->d_name).c_str(), &status), 0);
            EXPECT_EQ(entry->d_ino, status.st_ino) << entry->d_name;
            EXPECT_EQ(DTTOIF(entry->d_type), status.st_mode & S_IFMT) << entry->d_name;
        }
    }
    ::closedir(stream);
}

TEST_F(Directories, ARemovedDirectoryIsEmptyToThoseInIt) {
    expect_same(mount(), [](Script& s) {
        ::mkdir(s.at("d").c_str(), 0755);
        s.open("d/x", O_CREAT | O_RDWR);
        DIR* stream = ::opendir(s.at("d").c_str());
        ::unlink(s.at("d/x").c_str());
        s.call("rmdir", ::rmdir(s.at("d").c_str()));
        int count = 0;
        while (const dirent* entry = ::readdir(stream)) {
            count += std::string_view(entry->d_name) == "x" ? 1 : 0;
        }
        s.call("entries", count);
        s.call("fsync", ::fsync(::dirfd(stream)));
        ::closedir(stream);
    });
}

TEST_F(Directories, FsyncOfADirectory) {
    expect_same(mount(), [](Script& s) {
        ::mkdir(s.at("d").c_str(), 0755);
        const int fd = s.open("d", O_RDONLY | O_DIRECTORY);
        s.fill(s.open("d/file", O_CREAT | O_RDWR), 0, 5000, 1);
        s.call("fsync", ::fsync(fd));
        s.call("fdatasync", ::fdatasync(fd));
    });
}

} // namespace
} // namespace partialfs::testing
