// Power cuts of a mount: what is gone, what stays, and that nothing from before a cut changes
// anything after it.
#include "fusefs/base/fd.hpp"
#include "tests/mounted/power_of.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
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
    const auto said = log.find("no room to keep more of what a cut could take");
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
