// How faults are set and reported: `.partialfs/faults` and --faults, which rules are refused, the
// trace and the counts.
#include "tests/mounted/faults.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace partialfs::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(Faults, TheControlFileTellsRulesAndCountsAndWhatWasRefused) {
    EXPECT_EQ(mount_->read_control("faults"), "");
    EXPECT_EQ(mount_->write_control("faults", "open EACCES path=*.db\n"), 0);
    EXPECT_EQ(mount_->write_control("faults", "fsync EIO nth=2\n"), 0) << "added";
    write_file("a.db", "text");
    EXPECT_EQ(error_of(open("a.db", O_RDONLY)), EACCES);
    EXPECT_EQ(mount_->read_control("faults"),
              "open EACCES path=*.db  # rule 1: matched 1, fired 1\n"
              "fsync EIO after=1 count=1  # rule 2: matched 0, fired 0\n");
    EXPECT_EQ(mount_->write_control("faults", "clear\nread EIO\nread EOI\n"), EINVAL);
    EXPECT_THAT(mount_->read_control("faults"),
                HasSubstr("fired 1\nfsync EIO after=1 count=1  # rule 2: matched 0, fired 0\n"
                          "# refused: line 3: 'EOI' is not understood\n"));
    EXPECT_THAT(mount_->read_control("status"), HasSubstr("line 3: 'EOI' is not understood"));
    EXPECT_THAT(mount_->errors(), HasSubstr("faults: line 3: 'EOI' is not understood"));
    EXPECT_EQ(mount_->write_control("faults", "clear\n"), 0);
    EXPECT_EQ(mount_->read_control("faults"), "");
    EXPECT_THAT(mount_->read_control("status"), HasSubstr(R"("refused": null)"));
    EXPECT_THAT(mount_->read_control("status"), HasSubstr(R"("fired": 1)"));
    const int fd = open("a.db", O_RDONLY);
    EXPECT_GE(fd, 0);
    ::close(fd);
}

TEST_F(Faults, APieceOfALargerFileIsRefusedAndNoLongWordIsRepeated) {
    std::string rules;
    while (rules.size() < (std::size_t{1} << 17U)) {
        rules += "open EACCES path=none/" + std::to_string(rules.size()) + "\n";
    }
    const std::string piece = rules.substr(0, rules.size() - 3);
    EXPECT_EQ(mount_->write_control("faults", piece), EINVAL);
    EXPECT_THAT(mount_->read_control("faults"), HasSubstr("ends inside a line"));
    EXPECT_EQ(mount_->write_control("faults", rules), 0) << "all of it";
    EXPECT_EQ(mount_->write_control("faults", "clear\n"), 0);
    EXPECT_EQ(mount_->write_control("faults", std::string(60'000, 'x')), EINVAL);
    EXPECT_LT(mount_->read_control("status").size(), 10'000U);
}

TEST_F(Faults, RefusedBytesThatAreNoTextHarmNothing) {
    EXPECT_EQ(mount_->write_control("faults", "open EIO path=\xff\xfe\x80 \xc3(\n"), EINVAL);
    EXPECT_THAT(mount_->read_control("status"), HasSubstr("is not understood"));
    EXPECT_THAT(mount_->read_control("faults"), HasSubstr("# refused: line 1"));
    EXPECT_EQ(run_program({"ls", "-l", at(".partialfs")}).code, 0);
}

TEST_F(Faults, RulesOfTheStartAreInForce) {
    mount_->stop();
    const auto file = mount_->temporary() / "rules";
    std::ofstream(file) << "# at the start\nmkdir EDQUOT\n";
    mount_->start({"--faults", file});
    EXPECT_EQ(error_of(::mkdir(at("directory").c_str(), 0755)), EDQUOT);
    EXPECT_THAT(mount_->errors(), HasSubstr("1 rules of faults are in force"));
    mount_->set_faults("");
    EXPECT_EQ(error_of(::mkdir(at("directory").c_str(), 0755)), 0);
}

TEST_F(Faults, TheDaemonsOwnLookIsNotStruck) {
    mount_->stop();
    mount_->start({"--flush-policy", "eager", "--commit-interval", "0"});
    const int fd = open("file");
    ASSERT_EQ(::ftruncate(fd, 4096), 0);
    auto* const map =
        static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    map[0] = 'x';
    mount_->set_faults("request:any EIO"); // before the first look
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(on_disk("file")[0], 'x') << "a commit finds the store";
    EXPECT_THAT(mount_->read_control("faults"), HasSubstr("fired 0"));
    mount_->set_faults("");
    ::munmap(map, 4096);
    ::close(fd);
}

TEST_F(Faults, EachFiringIsAnEventOfTheTrace) {
    write_file("file", "text");
    mount_->set_faults("fdatasync EIO count=1\nsetattr EPERM");
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "more", 4, 0), 4);
    EXPECT_EQ(error_of(::fdatasync(fd)), EIO);
    EXPECT_EQ(error_of(::fchmod(fd, 0600)), EPERM);
    ::close(fd);
    const std::string trace = mount_->read_control("trace");
    EXPECT_THAT(
        trace,
        HasSubstr(R"("path":"file","operation":"fdatasync","action":"errno","rule":1,"errno":5)"));
    EXPECT_THAT(
        trace,
        HasSubstr(R"("path":"file","operation":"setattr","action":"errno","rule":2,"errno":1)"));
}

TEST_F(Faults, TheControlDirectoryStaysInReach) {
    mount_->set_faults("request:any EIO\nany EIO");
    EXPECT_EQ(error_of(open("file")), EIO);
    // The kernel must request the names and attributes that it has cached again.
    EXPECT_THAT(mount_->read_control("status"), HasSubstr("\"fired\""));
    std::this_thread::sleep_for(std::chrono::milliseconds(1100)); // longer than they stay cached
    EXPECT_EQ(mount_->write_control("faults", "clear"), 0);
    const int fd = open("file");
    EXPECT_GE(fd, 0);
    ::close(fd);
}

} // namespace
} // namespace partialfs::testing
