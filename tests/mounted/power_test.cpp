// Power cuts of a mount: what is gone, what stays, and that nothing from before a cut changes
// anything after it.
#include "fusefs/base/fd.hpp"
#include "tests/mounted/power_of.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace partialfs::testing {
namespace {

TEST_F(PowerOf, WithoutTheOptionThereIsNothingToCut) {
    mount_.start();
    for (const char* name : {"power", "fired", "unsynced"}) {
        struct stat status{};
        EXPECT_EQ(::stat(control(name).c_str(), &status), -1) << name;
        EXPECT_EQ(errno, ENOENT);
    }
}

TEST_F(PowerOf, WhatWasSyncedStaysAndTheRestIsGone) {
    start();
    put("synced", "kept", true);
    put("synced", "lost", false);
    put("new", "all of it", false);
    ASSERT_EQ(tell("cut"), 0);
    EXPECT_FALSE(open("synced", O_RDONLY));
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(::mkdir(at("directory").c_str(), 0755), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(power()["power"], "off");
    EXPECT_EQ(tell("cut"), EBUSY);

    ASSERT_EQ(tell("on"), 0);
    EXPECT_EQ(content("synced"), "kept");
    EXPECT_EQ(content("new"), "") << "its name went through at once";
    const json state = power();
    EXPECT_EQ(state["power"], "on");
    EXPECT_EQ(state["boot"], 2);
    EXPECT_EQ(state["cuts"], 1);
    EXPECT_EQ(state["last"]["bytes"], 3 + 9) << "three letters differ in kept and lost: " << state;
    EXPECT_EQ(state["last"]["sizes"], 1);
    EXPECT_EQ(state["last"]["files"], 2);
    put("new", "again", true);
    EXPECT_EQ(content("new"), "again");
}

TEST_F(PowerOf, TheLedgerHasWhatWasTakenToTheByte) {
    start();
    put("file", std::string(8192, 'a'), true);
    const Fd fd = open("file");
    write(fd, 100, "bab");
    std::byte* const bytes = map(fd, 8192);
    bytes[5000] = std::byte{'m'};
    write(fd, 8192, "grown");
    ASSERT_EQ(tell("cut-and-on"), 0);
    EXPECT_EQ(taken_from("file"),
              (std::vector<std::string>{"100+1", "102+1", "5000+1", "8192+5", "8197>8192"}));
    EXPECT_EQ(content("file"), std::string(8192, 'a'));
    ::munmap(bytes, 8192);
}

TEST_F(PowerOf, TheCacheOfTheDiskLosesWhatNoSyncHasMadeDurable) {
    // Unsynced bytes in the disk's cache: a rename flushes the file and does not sync it.
    start();
    put("file", "old", true);
    put("file", "newer", false);
    ASSERT_EQ(::rename(at("file").c_str(), at("renamed").c_str()), 0); // flushes, and syncs nothing
    std::vector<std::string> told;
    for (const json& line : lines(control("unsynced"))) {
        EXPECT_EQ(line["where"], "disk-cache");
        EXPECT_EQ(line["path"], "renamed");
        told.push_back(line.contains("size")
                           ? line["size"].dump() + ">" + line["size_on_disk"].dump()
                           : line["offset"].dump() + "+" + line["length"].dump());
    }
    EXPECT_EQ(told, (std::vector<std::string>{"0+5", "5>3"}));
    EXPECT_EQ(read_file(mount_.source() / "renamed"), "newer");
    ASSERT_EQ(tell("cut-and-on tear=none"), 0);
    EXPECT_EQ(content("renamed"), "old");
    EXPECT_EQ(power()["last"]["sectors_lost"], 1);
    EXPECT_EQ(read_file(control("unsynced")), "");
}

// A sync has only pretended, then the kernel has forgotten the file, and so has the daemon: only
// the disk's cache has it.
TEST_F(PowerOf, OfAFileThatIsForgottenTheLedgerHasWhatWasTakenToo) {
    start();
    put("file", "old", true);
    ASSERT_EQ(mount_.write_control("faults", "fdatasync skip\nfsync skip\n"), 0);
    put("file", "newer", true);
    ASSERT_EQ(mount_.write_control("commit", "1"), 0); // so that the journal releases the file
    const auto known = [&] {
        return json::parse(read_file(control("status")))["known_inodes"].get<int>();
    };
    const int before = known();
    std::ofstream("/proc/sys/vm/drop_caches") << "2";
    if (!wait_until([&] { return known() < before; })) {
        GTEST_SKIP() << "the kernel forgets nothing here";
    }
    ASSERT_EQ(tell("cut-and-on tear=none"), 0);
    EXPECT_EQ(taken_from("file"), (std::vector<std::string>{"0+5", "5>3"}));
    EXPECT_EQ(power()["last"]["files"], 1);
    EXPECT_EQ(content("file"), "old");
}

TEST_F(PowerOf, UnsyncedTellsWhatACutWouldTake) {
    start();
    put("file", std::string(8192, 'a'), true);
    EXPECT_EQ(read_file(control("unsynced")), "");
    const Fd fd = open("file");
    write(fd, 10, "bbb");
    std::byte* const bytes = map(fd, 8192);
    bytes[5000] = std::byte{'m'};
    write(fd, 9000, "c");
    std::vector<std::string> told;
    for (const json& line : lines(control("unsynced"))) {
        EXPECT_EQ(line["path"], "file");
        told.push_back(line["where"].get<std::string>() + " " +
                       (line.contains("size")
                            ? line["size"].dump() + ">" + line["size_on_disk"].dump()
                            : line["offset"].dump() + "+" + line["length"].dump()));
    }
    EXPECT_EQ(told, (std::vector<std::string>{"memory 10+3", "memory 9000+1", "mapped 4096+4096",
                                              "memory 9001>8192"}));
    ::munmap(bytes, 8192);
}

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

TEST_F(PowerOf, ABadCommandChangesNothingAndSaysWhy) {
    start();
    put("file", "text", false);
    ASSERT_EQ(tell("cut at=commit:3"), 0);
    EXPECT_EQ(tell("cut tear=some"), EINVAL);
    const json state = power();
    EXPECT_EQ(state["power"], "on");
    EXPECT_NE(state["refused"].get<std::string>().find("tear=some"), std::string::npos);
    EXPECT_EQ(state["armed"]["command"], "cut tear=all at=commit:3 when=before");
    EXPECT_EQ(tell("disarm"), 0);
    EXPECT_TRUE(power()["armed"].is_null());
    EXPECT_TRUE(power()["refused"].is_null());
    EXPECT_EQ(content("file"), "text");
}

TEST_F(PowerOf, AtTheCapAllIsSynced) {
    start({"--power-undo", "64K", "--flush-policy", "eager"});
    put("file", std::string(1 << 20, 'a'), true);
    for (int often = 0; often < 3; ++often) {
        put("file", std::string(1 << 20, 'b'), false);
        // Flushes, and syncs nothing.
        ASSERT_EQ(::rename(at("file").c_str(), at("renamed").c_str()), 0);
        ASSERT_EQ(::rename(at("renamed").c_str(), at("file").c_str()), 0);
    }
    ASSERT_EQ(::rename(at("file").c_str(), at("renamed").c_str()), 0);
    EXPECT_GE(power()["undo"]["times_full"].get<int>(), 1);
    EXPECT_GT(json::parse(read_file(control("status")))["power"]["undo_times_full"], 1);
    EXPECT_NE(read_file(control("trace")).find("undo-full"), std::string::npos);
    const std::string log = mount_.errors();
    const auto said = log.find("no room for more of what a cut could take");
    EXPECT_NE(said, std::string::npos);
    EXPECT_EQ(log.find("no room", said + 1), std::string::npos) << "once: " << log;
    ASSERT_EQ(tell("cut-and-on tear=none"), 0);
    const std::string left = content("renamed");
    EXPECT_EQ(left.substr(0, 900'000), std::string(900'000, 'b')) << "it had been synced";
}

TEST_F(PowerOf, WhatIsKeptTakesNoRoomFromPrograms) {
    mount_.put_source_on_tmpfs("size=1m");
    start();
    const auto put_and_flush = [&](const std::string& name, std::size_t size, char letter) {
        put(name, std::string(size, letter), false);
        EXPECT_EQ(::rename(at(name).c_str(), at("moved").c_str()), 0);
        EXPECT_EQ(::rename(at("moved").c_str(), at(name).c_str()), 0);
    };
    put("file", std::string(300 << 10, 'a'), true);
    put_and_flush("file", 300 << 10, 'b');
    EXPECT_GT(power()["undo"]["bytes"], 0);
    put("other", std::string(600 << 10, 'o'), true);
    EXPECT_EQ(content("other"), std::string(600 << 10, 'o')) << "there is room for it on the disk";
    // Deleted files take no space either.
    const auto remove = [&](const char* name) {
        ASSERT_EQ(::unlink(at(name).c_str()), 0);
        EXPECT_TRUE(wait_until([&] {
            // A commit releases a file once the kernel has closed it.
            EXPECT_EQ(mount_.write_control("commit", "now"), 0);
            struct statvfs space{};
            return ::statvfs(mount_.source().c_str(), &space) == 0 &&
                   space.f_bavail * space.f_bsize >= std::size_t{600 << 10};
        })) << name;
    };
    remove("other");
    put_and_flush("another", 500 << 10, 'x');
    remove("another");
}

TEST_F(PowerOf, TheMountEndsWellWithThePowerOff) {
    start();
    put("file", "text", false);
    ASSERT_EQ(tell("cut"), 0);
    const Ended ended = mount_.stop();
    EXPECT_EQ(ended.code, 0) << ended.errors;
    EXPECT_EQ(read_file(mount_.source() / "file"), "");
}

} // namespace
} // namespace partialfs::testing
