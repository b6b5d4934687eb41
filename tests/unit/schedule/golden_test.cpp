#include "tools/schedule/golden.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mmapstress {
namespace {

constexpr std::string_view kLine =
    R"({"kernel":"2.6.19","block":1024,"id":"x-1","files":2,"size":26696,"start":"partial+fsync",)"
    R"("end":"munmap,fsync","start_writes":[{"file":0,"off":5,"len":6,"v":251}],"ops":[)"
    R"({"op":"store","v":1,"file":0,"map":1,"off":15360,"len":1024},{"op":"commit"},)"
    R"({"op":"pwrite","v":2,"file":1,"off":5,"len":12},{"op":"fsync","file":1,"commits":true},)"
    R"({"op":"fdatasync","file":1,"commits":false},{"op":"msync","file":1,"commits":true},)"
    R"({"op":"sync_file_range","file":0,"off":4096,"len":4096},{"op":"fchmod","file":0},)"
    R"({"op":"pread","file":0,"off":1,"len":2},{"op":"read_fault","file":0,"map":1,"off":0},)"
    R"({"op":"remap","file":0,"map":0},{"op":"mprotect_ro_rw","file":0,"map":0},)"
    R"({"op":"madvise_dontneed","file":0,"map":0,"off":0,"len":4096}],"damage":[[0,15360,1024]]})";

TEST(Golden, BecomesAnOrdinarySchedule) {
    const auto golden = parse_golden(kLine);
    ASSERT_TRUE(golden) << golden.error();
    EXPECT_EQ(golden->kernel, "2.6.19");
    EXPECT_EQ(golden->damage,
              (std::vector<DamagedBytes>{{FileIndex{0}, {ByteOffset{15360}, ByteOffset{16384}}}}));
    EXPECT_EQ(print_schedule(golden->schedule), R"(mmapstress-schedule 1
seed 0
workload golden
block 1024
commit-by sibling
end munmap,fsync
file 0 size=26696 start=partial+fsync
file 1 size=26696 start=partial+fsync
1 start-write file=0 off=5 len=6 fill=251
2 store file=0 map=1 off=15360 len=1024 fill=1
3 commit
4 write file=1 off=5 len=12 fill=2
5 fsync file=1 commits=yes
6 fdatasync file=1 commits=no
7 msync file=1 commits=yes
8 sync_file_range file=0 off=4096 len=4096
9 fchmod file=0
10 read-check file=0 off=1 len=2
11 read-fault file=0 map=1 off=0
12 remap file=0
13 mprotect file=0
14 madvise-dontneed file=0 off=0 len=4096
)");
    EXPECT_EQ(parse_schedule(print_schedule(golden->schedule)), golden->schedule);
}

TEST(Golden, SaysWhatIsWrong) {
    const auto with = [](std::string_view from, std::string_view to) {
        std::string text(kLine);
        text.replace(text.find(from), from.size(), to);
        const auto golden = parse_golden(text);
        return golden ? std::string("accepted") : golden.error();
    };
    EXPECT_EQ(with("\"fchmod\"", "\"chown\""), "no such operation: 'chown'");
    EXPECT_EQ(with("\"size\":26696", "\"size\":-1"),
              "\"size\" is not a number from 0 to 9223372036854775807");
    EXPECT_EQ(with("\"files\":2,", ""), "no \"files\"");
    EXPECT_EQ(with("partial+fsync", "odd"), "no such start: 'odd'");
    EXPECT_EQ(with("munmap,fsync", "odd"), "no such end: 'odd'");
    EXPECT_EQ(with("[0,15360,1024]", "[0,15360]"),
              "\"damage\" has something that is not [file, offset, length]");
    EXPECT_EQ(with("\"off\":15360", "\"off\":99999"),
              "operation 2 (store): the range ends at 101023, past the last page of file 0, whose "
              "size is 26696 then");
    EXPECT_EQ(parse_golden("{").error(), "not JSON");
    EXPECT_EQ(parse_golden("[]").error(), "not a JSON object");
    const auto file = parse_golden_file(std::string(kLine) + "\n\nnonsense\n");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().message(), "line 3: not JSON");
}

} // namespace
} // namespace mmapstress
