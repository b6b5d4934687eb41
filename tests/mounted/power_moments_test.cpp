// When an armed power cut comes: which requests, commits and writepages it counts, whether the one
// that it names is still done, and who waits for it.
#include "fusefs/base/fd.hpp"
#include "tests/mounted/power_of.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::testing {
namespace {

TEST_F(PowerOf, ArmedItComesAtItsMoment) {
    start();
    const Fd fd = open("a.db");
    const Fd other = open("b");
    ASSERT_EQ(tell("cut at=fsync:2 path=*.db"), 0);
    EXPECT_EQ(power()["armed"]["seen"], 0);
    write(fd, 0, "one");
    EXPECT_EQ(::fsync(fd.get()), 0);
    EXPECT_EQ(::fsync(other.get()), 0);
    EXPECT_EQ(power()["armed"]["seen"], 1);
    write(fd, 0, "two");
    EXPECT_EQ(::fsync(fd.get()), -1);
    EXPECT_EQ(errno, EIO);
    const json fired = lines(control("fired")).at(0);
    EXPECT_EQ(fired["cut"], 1);
    EXPECT_EQ(fired["armed"], true);
    ASSERT_EQ(tell("on"), 0);
    EXPECT_EQ(content("a.db"), "one");

    const Fd again = open("a.db");
    write(again, 0, "two");
    ASSERT_EQ(tell("cut at=fsync:1 when=after tear=none"), 0);
    EXPECT_EQ(::fsync(again.get()), -1) << "it is done, and nobody is told";
    read_file(control("fired"));
    ASSERT_EQ(tell("on"), 0);
    EXPECT_EQ(content("a.db"), "two");
}

TEST_F(PowerOf, ARenameIsDoneOrNot) {
    start();
    for (const bool done : {false, true}) {
        put("from", "text", true);
        ASSERT_EQ(tell(std::string("cut-and-on at=rename:1 path=\"/to h*\" when=") +
                       (done ? "after" : "before")),
                  0);
        ASSERT_EQ(::rename(at("from").c_str(), at("elsewhere").c_str()), 0);
        ASSERT_EQ(::rename(at("elsewhere").c_str(), at("from").c_str()), 0);
        EXPECT_EQ(::rename(at("from").c_str(), at("to here").c_str()), -1);
        EXPECT_EQ(errno, EIO);
        read_file(control("fired"));
        EXPECT_EQ(std::filesystem::exists(at("to here")), done);
        EXPECT_EQ(std::filesystem::exists(at("from")), !done);
    }
}

TEST_F(PowerOf, CommitsWritepagesAndRequestsAreCounted) {
    start();
    for (const char* at_moment : {"commit:1", "commit:1 when=after", "writepage:1", "op:5"}) {
        put("file", std::string(4096, 'a'), true);
        const Fd fd = open("file");
        std::byte* const bytes = map(fd, 4096);
        ASSERT_EQ(tell(std::string("cut at=") + at_moment), 0);
        bytes[0] = std::byte{'b'};
        write(fd, 4096, "c"); // so that the inode is dirty
        static_cast<void>(::utimensat(AT_FDCWD, at("file").c_str(), nullptr, 0));
        EXPECT_EQ(::fsync(fd.get()), -1) << at_moment;
        const json fired = lines(control("fired")).at(0);
        EXPECT_EQ(fired["armed"], true) << at_moment;
        ASSERT_EQ(tell("on"), 0);
        ::munmap(bytes, 4096);
    }
}

TEST_F(PowerOf, WhatItComesBeforeIsNotDoneAndWhatItComesAfterIs) {
    start({"--flush-policy", "eager"}); // each fsync commits
    for (const std::string moment : {"fsync", "commit", "writepage"}) {
        for (const bool done : {false, true}) {
            put("file", std::string(4096, 'a'), true);
            const Fd fd = open("file");
            std::byte* const bytes = map(fd, 4096);
            ASSERT_EQ(tell("cut at=" + moment + ":1 when=" + (done ? "after" : "before")), 0);
            if (moment == "writepage") {
                bytes[0] = std::byte{'b'};
                EXPECT_EQ(::msync(bytes, 4096, MS_SYNC), -1);
            } else {
                write(fd, 0, "b");
                EXPECT_EQ(::fsync(fd.get()), -1) << moment;
            }
            EXPECT_EQ(errno, EIO);
            read_file(control("fired"));
            EXPECT_EQ(read_file(mount_.source() / "file")[0], done ? 'b' : 'a') << moment;
            ASSERT_EQ(tell("on"), 0);
            EXPECT_EQ(content("file")[0], done ? 'b' : 'a') << moment;
            ::munmap(bytes, 4096);
        }
    }
}

TEST_F(PowerOf, WhatTheDaemonAsksOfItsOwnMountIsNoRequest) {
    start({"--flush-policy", "eager"});
    put("file", std::string(4096, 'a'), true);
    const Fd fd = open("file");
    std::byte* const bytes = map(fd, 4096);
    bytes[0] = std::byte{'b'};
    ASSERT_EQ(tell("cut at=op:1000"), 0);
    EXPECT_EQ(mount_.write_control("commit", "now"), 0); // the commit looks for stored pages
    EXPECT_EQ(read_file(mount_.source() / "file")[0], 'b');
    EXPECT_EQ(power()["armed"]["seen"], 0);
    ::munmap(bytes, 4096);
}

TEST_F(PowerOf, WhoWaitsForItCanBeInterruptedAndTakesNoThread) {
    start({"--threads", "2"});
    std::vector<pid_t> readers;
    for (int i = 0; i < 4; ++i) { // more than there are threads
        readers.push_back(::fork());
        if (readers.back() == 0) {
            const Fd fd(::open(control("fired").c_str(), O_RDONLY | O_CLOEXEC));
            char byte = 0;
            ::_exit(::read(fd.get(), &byte, 1) == 1 ? 0 : 1);
        }
    }
    put("file", "others go on", true);
    const auto sleeps = [](pid_t pid) {
        return wait_until([&] {
            const std::string stack = read_file("/proc/" + std::to_string(pid) + "/wchan");
            return stack.find("fuse") != std::string::npos ||
                   stack.find("request_wait") != std::string::npos;
        });
    };
    ASSERT_TRUE(sleeps(readers[0]) && sleeps(readers[1]));
    ::kill(readers[0], SIGTERM);
    int status = 0;
    ASSERT_EQ(::waitpid(readers[0], &status, 0), readers[0]);
    EXPECT_TRUE(WIFSIGNALED(status));
    ASSERT_EQ(tell("cut at=op:1"), 0);
    struct stat any{};
    EXPECT_EQ(::stat(at("file").c_str(), &any), -1);
    EXPECT_EQ(errno, EIO);
    for (std::size_t i = 1; i < readers.size(); ++i) {
        ASSERT_EQ(::waitpid(readers[i], &status, 0), readers[i]);
        EXPECT_EQ(status, 0);
    }
}
} // namespace
} // namespace partialfs::testing
