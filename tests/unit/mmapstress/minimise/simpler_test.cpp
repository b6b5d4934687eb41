// What remains of a schedule when a part of it is left out.
#include "tools/mmapstress/minimise/simpler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mmapstress {
namespace {

using ::testing::ElementsAre;

Schedule parsed(const std::string& body) {
    return parse_schedule("mmapstress-schedule 1\nseed 1\n" + body).value();
}

TEST(Simpler, OneWorkerDoesAll) {
    Schedule schedule = parsed("workers threads=2 processes=2\nfile 0 size=4096 start=sparse\n"
                               "1 store file=0 off=0 len=1 by=3\n");
    use_one_worker(schedule);
    EXPECT_EQ(schedule, parsed("file 0 size=4096 start=sparse\n1 store file=0 off=0 len=1\n"));
}

TEST(Simpler, FilesThatAreNamedStayAndAreNumberedAnew) {
    const std::string files = "file 0 size=4096 start=sparse\nfile 1 size=8192 start=sparse\n"
                              "file 2 size=12288 start=sparse\n";
    Schedule schedule = parsed(files + "1 store file=1 off=0 len=1\n");
    leave_out_unused_files(schedule);
    EXPECT_EQ(schedule, parsed("file 0 size=8192 start=sparse\n1 store file=0 off=0 len=1\n"));
    schedule = parsed(files + "1 copy file=2 off=0 len=10 source=1 from=0\n");
    leave_out_unused_files(schedule);
    EXPECT_EQ(schedule.header.files.size(), 2U) << "what is copied from is named, too";
    EXPECT_EQ(schedule.ops.front().source, FileIndex{0});
    const Schedule none = parsed(files + "1 commit\n");
    schedule = none;
    leave_out_unused_files(schedule);
    EXPECT_EQ(schedule, none);
}

TEST(Simpler, AFileHasThePagesThatItsOperationsNeed) {
    Schedule schedule = parsed("file 0 size=100000 start=sparse\n1 store file=0 off=4096 len=1\n");
    shrink_file(schedule, FileIndex{0});
    EXPECT_EQ(schedule.header.files.front().size, ByteCount{8192});
    schedule = parsed("file 0 size=100 start=sparse\n1 write file=0 off=4096 len=1\n");
    shrink_file(schedule, FileIndex{0});
    EXPECT_EQ(schedule.header.files.front().size, ByteCount{100}) << "never larger";
}

TEST(Simpler, APartOfAnOperationHasItsBytes) {
    const Op op =
        parsed("file 0 size=4096 start=sparse\n1 store file=0 off=10 len=4 data=aabbccdd\n")
            .ops.front();
    const Op part = cut(op, {ByteOffset{11}, ByteOffset{13}});
    EXPECT_EQ(part.range(), (ByteRange{ByteOffset{11}, ByteOffset{13}}));
    EXPECT_THAT(part.content.data, ElementsAre(std::byte{0xbb}, std::byte{0xcc}));
}

TEST(Simpler, APagesPastHasItsStoresAndWhatSizesTheFile) {
    const Schedule schedule =
        parsed("file 0 size=8192 start=sparse\n1 store file=0 off=0 len=1\n"
               "2 store file=0 off=4096 len=1\n3 truncate file=0 size=9000\n");
    const auto past = past_of(schedule, FileIndex{0}, PageIndex{1});
    EXPECT_THAT(past, ElementsAre(1, 2));
    EXPECT_EQ(with_ops(schedule, past).ops.front().id, OpId{2});
}

} // namespace
} // namespace mmapstress
