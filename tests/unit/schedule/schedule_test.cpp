#include "tools/schedule/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace mmapstress {
namespace {

constexpr std::string_view kEverything = R"(mmapstress-schedule 1
seed 18446744073709551615
workload mix
block 1024
workers threads=2 processes=3
commit-by syncfs
end munmap,fsync
file 0 size=8192 start=partial+fsync
file 1 size=26696 start=written fill=255
file 2 size=0 start=sparse
1 start-write file=0 off=100 len=50
2 start-write file=0 off=0 len=2 data=00ff
5 store file=0 map=1 off=8190 len=2 by=5
6 store file=1 off=26696 len=1976 fill=0
7 write file=0 off=9000 len=10
8 append file=2 len=4097
9 truncate file=1 size=0
10 punch file=0 off=0 len=4096
11 msync file=0
12 msync file=0 map=1 off=0 len=4096 commits=yes
13 msync-async file=0
14 fsync file=0 commits=no
15 fdatasync file=0
16 sync_file_range file=0 off=0 len=4096
17 commit by=1
18 sync
19 map file=0
20 unmap file=0
21 remap file=0 map=1
22 fork-store file=0 off=12 len=3
23 evict file=0
24 read-check file=0
25 live-check file=0 off=5 len=6
26 direct-read-check file=2
27 pause us=1500
28 fchmod file=0
29 read-fault file=0 off=4096
30 mprotect file=0
31 madvise-dontneed file=0 off=0 len=4096
32 map file=0 map=1 off=4096 len=4096
60 direct-read-store file=0 off=512 len=1024
61 uring-read-store file=0 map=1 off=0 len=512
62 uring-fixed-store file=0 off=0 len=512 fill=3
63 vm-write-store file=0 off=1 len=2
64 read-store file=0 off=1 len=2
65 recvmsg-store file=0 off=1 len=2 data=0102
66 start-writeback file=0 off=0 len=4096
67 zero-range file=0 off=5 len=6
68 direct-write file=0 off=0 len=512
69 dontcache-write file=0 off=5 len=6
70 mremap file=0 map=1
71 madvise-pageout file=0 off=0 len=10
72 madvise-cold file=0 off=0 len=10
73 collapse file=0 off=0 len=4096
74 insert file=0 off=0 len=4096
75 copy file=1 off=5 len=6 source=0 from=7
76 clone file=1 off=4096 len=4096 source=0 from=0
77 past-eof-store file=0 off=9010 len=2
78 clone-file file=2 len=9010 source=0
79 drop-pages file=1
)";

TEST(ScheduleText, EveryOperationComesBackByteForByte) {
    const auto schedule = parse_schedule(kEverything);
    ASSERT_TRUE(schedule) << schedule.error().message();
    EXPECT_EQ(print_schedule(*schedule), kEverything);
    EXPECT_EQ(parse_schedule(print_schedule(*schedule)), *schedule);
    // The text above must contain every kind of operation.
    std::vector<bool> seen(kOpKinds);
    for (const auto* ops : {&schedule->header.start_writes, &schedule->ops}) {
        for (const Op& op : *ops) {
            seen[static_cast<std::size_t>(op.kind)] = true;
        }
    }
    EXPECT_EQ(std::ranges::count(seen, false), 0);
}

TEST(ScheduleText, CommentsAndBlankLinesMeanNothing) {
    const auto schedule =
        parse_schedule("mmapstress-schedule 1\n\n# hello\nfile 0 size=10\n  \n1 commit");
    ASSERT_TRUE(schedule) << schedule.error().message();
    EXPECT_EQ(schedule->ops.size(), 1U);
}

struct Bad {
    const char* body; ///< after a header of three lines: magic, seed, one file of 4096 bytes
    std::size_t line;
    const char* reason;
};

class BadSchedule : public testing::TestWithParam<Bad> {};

TEST_P(BadSchedule, IsRefusedWithLineAndReason) {
    const std::string text =
        std::string("mmapstress-schedule 1\nseed 1\nfile 0 size=4096\n") + GetParam().body;
    const auto schedule = parse_schedule(text);
    ASSERT_FALSE(schedule);
    EXPECT_EQ(schedule.error().line, GetParam().line);
    EXPECT_EQ(schedule.error().reason, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Schedule, BadSchedule,
    testing::Values(
        Bad{"1 stor file=0 off=0 len=1\n", 4, "no such operation: 'stor'"},
        Bad{"1 commit\n1 commit\n", 5, "operation ids must ascend, from 1: 1 after 1"},
        Bad{"0 commit\n", 4, "operation ids must ascend, from 1: 0 after 0"},
        Bad{"1 store file=0 off=0\n", 4, "len= is missing"},
        Bad{"1 store off=0 len=1\n", 4, "file= is missing"},
        Bad{"1 store file=0 len=1\n", 4, "off= is missing"},
        Bad{"1 copy file=0 off=0 len=1 from=5\n", 4, "source= is missing"},
        Bad{"1 copy file=0 off=0 len=1 source=0\n", 4, "from= is missing"},
        Bad{"1 clone-file file=0 len=8192 source=0 from=0\n", 4, "clone-file has no 'from'"},
        Bad{"1 clone-file file=0 len=4095 source=0\n", 4, "all of file 0 is 4096 bytes then"},
        Bad{"1 clone-file file=0 len=4096 source=0\n", 4, "the two ranges overlap"},
        Bad{"1 store file=0 off=0 len=1 from=5\n", 4, "store has no 'from'"},
        Bad{"1 copy file=0 off=0 len=1 source=1 from=5\n", 4, "there is no file 1"},
        Bad{"1 copy file=0 off=0 len=9 source=0 from=4090\n", 4,
            "what is to be copied ends past the end of file 0, whose size is 4096 then"},
        Bad{"1 copy file=0 off=0 len=9 source=0 from=8\n", 4, "the two ranges overlap"},
        Bad{"1 collapse file=0 off=0 len=4096\n", 4,
            "the range must end before the end of file 0, whose size is 4096 then"},
        Bad{"1 insert file=0 off=4096 len=4096\n", 4,
            "it must begin inside file 0, whose size is 4096 then"},
        Bad{"1 truncate file=0 size=100\n2 past-eof-store file=0 off=99 len=2\n", 5,
            "it begins at 99, inside file 0, whose size is 100 then"},
        Bad{"1 store file=0 off=0 len=0\n", 4, "an empty range"},
        Bad{"1 store file=0 off=0 len=x\n", 4, "not a number: 'x'"},
        Bad{"1 store file=0 off=0 len=1 len=1\n", 4, "given twice: 'len'"},
        Bad{"1 store file=0 off=0 len=99999999999999999999\n", 4,
            "the number is too large: '99999999999999999999' (at most 18446744073709551615)"},
        Bad{"1 store file=0 off=9223372036854775807 len=1\n", 4,
            "the range reaches past the largest file offset"},
        Bad{"1 store file=1 off=0 len=1\n", 4, "there is no file 1"},
        Bad{"1 store file=0 map=2 off=0 len=1\n", 4, "the number is too large: '2'"},
        Bad{"1 store file=0 off=4096 len=1\n", 4,
            "the range ends at 4097, past the last page of file 0, whose size is 4096 then"},
        Bad{"1 truncate file=0 size=0\n2 store file=0 off=0 len=1\n", 5,
            "the range ends at 1, past the last page of file 0, whose size is 0 then"},
        Bad{"1 read-check file=0 off=4000 len=97\n", 4,
            "the range ends past the end of file 0, whose size is 4096 then"},
        Bad{"1 store file=0 off=0 len=2 data=00\n", 4, "data= has 1 bytes, not 2"},
        Bad{"1 store file=0 off=0 len=1 data=0g\n", 4, "not hexadecimal: '0g'"},
        Bad{"1 store file=0 off=0 len=1 data=0\n", 4, "data= has an odd number of digits"},
        Bad{"1 store file=0 off=0 len=1 fill=256\n", 4,
            "the number is too large: '256' (at most 255)"},
        Bad{"1 fsync file=0 commits=perhaps\n", 4, "commits= is yes or no, not 'perhaps'"},
        Bad{"1 fsync file=0 off=1\n", 4, "fsync has no 'off'"},
        Bad{"1 fsync 0\n", 4, "not of the form name=value: '0'"},
        Bad{"1 commit by=1\n", 4, "there is no worker 1"}, Bad{"1 pause\n", 4, "us= is missing"},
        Bad{"hello\n", 4, "neither a header keyword nor an operation's number: 'hello'"},
        Bad{"1 commit\nfile 1 size=1\n", 5,
            "neither a header keyword nor an operation's number: 'file'"},
        Bad{"1 start-write file=0 off=0 len=1\n", 4,
            "start-write of a file that does not start as partial+fsync"},
        Bad{"file 2 size=1\n", 4, "file 2 where file 1 should come"},
        Bad{"file 1 start=sparse\n", 4, "size= is missing"},
        Bad{"file 1 size=1 start=odd\n", 4, "no such start: 'odd'"},
        Bad{"block 100\n", 4, "not a block size (512, 1024, 2048, 4096): '100'"},
        Bad{"end soon\n", 4, "no such end: 'soon'"},
        Bad{"commit-by prayer\n", 4, "no such way to commit: 'prayer'"},
        Bad{"workers threads=0\n", 4, "no workers at all"},
        Bad{"seed 1 2\n", 4, "seed takes one word"}));

TEST(ScheduleText, NeedsItsFirstLine) {
    for (const char* text : {"", "\n\n", "hello\n", "{}"}) {
        const auto schedule = parse_schedule(text);
        ASSERT_FALSE(schedule);
        EXPECT_EQ(schedule.error().reason,
                  "not a schedule: the first line should be 'mmapstress-schedule 1'");
    }
    EXPECT_EQ(parse_schedule("mmapstress-schedule 2\n").error().message(),
              "line 1: schedule format '2'; this program knows format 1");
    EXPECT_EQ(parse_schedule("mmapstress-schedule 1\n").error().reason, "the schedule has no file");
}

} // namespace
} // namespace mmapstress
