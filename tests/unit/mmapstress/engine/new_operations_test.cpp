// The operations that are newer than 2006, and a run on a filesystem that lacks them.
#include "tests/unit/mmapstress/engine/engine_fixture.hpp"
#include "tools/schedule/leaving_out.hpp"

#include <gmock/gmock.h>

namespace mmapstress {
namespace {

/// Each of them; some by two workers at the same time.
const std::string kYounger = R"(file 0 size=65536 start=written
file 1 size=20000 start=sparse
1 direct-read-store file=0 off=512 len=12288
2 uring-read-store file=0 off=16384 len=8192 by=1
3 uring-fixed-store file=0 off=32768 len=1024
4 vm-write-store file=0 off=40000 len=9000 by=1
5 read-store file=0 off=50001 len=7000
6 recvmsg-store file=1 off=100 len=19000 by=1
7 start-writeback file=0 off=0 len=65536
8 zero-range file=0 off=1000 len=3000 by=1
9 store file=0 off=1000 len=100
10 direct-write file=0 off=8192 len=4096 by=1
11 dontcache-write file=1 off=15000 len=9000
12 mremap file=0
13 store file=0 off=2000 len=100 by=1
14 madvise-pageout file=0 off=0 len=16384
15 madvise-cold file=0 off=16384 len=16384 by=1
16 truncate file=1 size=30000
17 direct-read-store file=1 off=512 len=8192 by=1
18 append file=1 len=100
19 vm-write-store file=1 off=30050 len=50 by=1
20 punch file=0 off=20000 len=9999
21 truncate file=1 size=12000 by=1
22 store file=1 off=11000 len=1000
23 read-fault file=1 off=11500
24 copy file=1 off=2000 len=5000 source=0 from=30000 by=1
25 clone file=1 off=8192 len=4096 source=0 from=0
26 collapse file=0 off=4096 len=8192 by=1
27 store file=0 off=5000 len=3000
28 insert file=0 off=8192 len=4096 by=1
29 copy file=0 off=65536 len=5000 source=0 from=100
30 past-eof-store file=0 off=71000 len=50 by=1
31 truncate file=1 size=12100
32 past-eof-store file=1 off=12200 len=8
33 store file=0 off=50000 len=100 by=1
34 store file=0 off=4096 len=100
35 direct-write file=0 off=12288 len=4096 by=1
36 drop-pages file=0
37 store file=0 off=20480 len=200 by=1
38 direct-write file=0 off=0 len=512
39 store file=0 off=1000 len=100 by=1
40 store file=1 off=3000 len=100 by=1
41 clone-file file=1 len=70536 source=0
42 truncate file=0 size=80000 by=1
)";

class YoungerOperations : public Engine {
  protected:
    RunResult run_all(const Schedule& schedule) {
        settings_.may_have = kinds_in(schedule);
        return done(schedule);
    }
    static std::vector<std::string> left_out(const RunResult& result) {
        std::vector<std::string> names(result.left_out.size());
        std::ranges::transform(result.left_out, names.begin(), &LeftOut::operation);
        return names;
    }
};

TEST_F(YoungerOperations, AreCarriedOutOrLeftOutByName) {
    for (const std::string workers : {"", "threads=2 processes=1", "threads=1 processes=2"}) {
        SCOPED_TRACE(workers);
        std::string text = kYounger;
        if (workers.empty()) {
            while (text.find(" by=1") != std::string::npos) {
                text.erase(text.find(" by=1"), 5);
            }
        } else {
            text.insert(0, "workers " + workers + '\n');
        }
        const RunResult result = run_all(parsed(text));
        EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
        for (const Op& op : parsed(text).ops) {
            const bool carried_out = result.ops_by_kind[static_cast<std::size_t>(op.kind)] != 0;
            const std::string name(traits_of(op.kind).name);
            EXPECT_NE(carried_out, std::ranges::count(left_out(result), name) != 0) << name;
            if (!traits_of(op.kind).may_lack) {
                EXPECT_TRUE(carried_out) << name;
            }
        }
        EXPECT_EQ(left_behind(), 0U) << "no helper file and no probe either";
    }
}

// Each operation in turn stores nothing: exactly its bytes must be reported, and their origin must
// be an operation that was carried out.
TEST_F(YoungerOperations, ABytelessOneIsFound) {
    const std::string stores = kYounger.substr(0, kYounger.find("\n7 ") + 1);
    Schedule alone = parsed("workers threads=2 processes=1\n" + stores);
    for (Op& op : alone.ops) {
        op.by = WorkerIndex{0};
    }
    alone.header.threads = 1;
    std::size_t found = 0;
    for (const Op& op : alone.ops) {
        SCOPED_TRACE(traits_of(op.kind).name);
        settings_.drop = op.id;
        settings_.discard_damaged = true;
        const RunResult result = run_all(alone);
        if (result.ops_by_kind[static_cast<std::size_t>(op.kind)] == 0) {
            continue; // left out
        }
        ++found;
        EXPECT_EQ(wrong_bytes(result.damage, Stage::evicted),
                  (std::vector<DamagedBytes>{{op.file, op.range()}}));
        for (const DamagedRange& range : result.damage) {
            EXPECT_EQ(range.lost, op.id);
        }
    }
    EXPECT_GE(found, 2U) << "read(2) and recvmsg(2) there are everywhere";
}

TEST_F(YoungerOperations, UnwantedOnesAreLeftOutAndNamed) {
    settings_.unwanted = {{"read-store", "not asked for"},
                          {std::string(LeftOut::kSizeChanges), "not asked for"}};
    const RunResult result = run_all(parsed("file 0 size=8192 start=sparse\n"
                                            "1 store file=0 off=0 len=10\n"
                                            "2 read-store file=0 off=100 len=10\n"
                                            "3 truncate file=0 size=100000\n"
                                            "4 store file=0 off=90000 len=10\n"));
    EXPECT_EQ(result.verdict(), Verdict::clean) << problems_of(result);
    EXPECT_EQ(result.ops, 1U);
    EXPECT_EQ(result.sizes, (std::vector<ByteCount>{ByteCount{8192}}));
    EXPECT_THAT(left_out(result), testing::ElementsAre("read-store", "size-changes"));
    EXPECT_THAT(result.schedule, testing::Not(testing::HasSubstr("read-store")))
        << "what is replayed is what was carried out";
}

TEST_F(YoungerOperations, ADirectoryForHelpersThatIsNotThereIsAnError) {
    settings_.helper_directory = directory_.path() / "none";
    const Schedule schedule = parsed("file 0 size=8192 start=sparse\n"
                                     "1 read-store file=0 off=0 len=10\n");
    settings_.may_have = kinds_in(schedule);
    const auto result = run(settings_, source_of(schedule));
    ASSERT_FALSE(result) << "the directory is missing, not the operation";
    EXPECT_EQ(result.error().verdict, Verdict::unknown);
    EXPECT_THAT(result.error().message, testing::HasSubstr("No such file or directory"));
    EXPECT_EQ(left_behind(), 0U);
}

TEST(Operations, OffsetsOfODirectAreMultiplesOfASector) {
    for (const std::string wrong : {"off=100 len=512", "off=512 len=100"}) {
        const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 3\n"
                                             "file 0 size=8192 start=sparse\n"
                                             "1 direct-read-store file=0 " +
                                             wrong + "\n");
        ASSERT_FALSE(schedule);
        EXPECT_EQ(schedule.error().message(), "line 4: offset and length must be multiples of 512");
    }
}

} // namespace
} // namespace mmapstress
