// reiserfs' ordered list: which schedules lose a store on reiserfs, compared with ext3.
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"
#include "tools/vmmodel/predict/reiserfs_list.hpp"

#include <gtest/gtest.h>

namespace vmmodel {
namespace {

using partialfs::model::BlockMask;
using partialfs::model::BlockSize;
using partialfs::model::ByteOffset;
using partialfs::model::PageIndex;
using partialfs::model::PageState;

const BlockSize kKiB = *BlockSize::from_bytes(1024);

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Ranges lost(Filesystem filesystem, const std::string& file, const std::string& operations) {
    const auto schedule = mmapstress::parse_schedule("mmapstress-schedule 1\nseed 1\n"
                                                     "end munmap,fsync\nfile 0 " +
                                                     file + "\n" + operations);
    EXPECT_TRUE(schedule) << schedule.error().message();
    KernelPredictor predictor(Era::linux_2_6_19, filesystem, kKiB);
    const auto prediction = predict(*schedule, predictor);
    EXPECT_TRUE(prediction) << prediction.error();
    Ranges ranges;
    for (const Damage& one : prediction->damage) {
        ranges.emplace_back(one.range.begin.value, one.range.size().value);
    }
    return ranges;
}

const std::string kCommitAndStore = "7 commit\n8 store file=0 off=200 len=300 fill=3\n"
                                    "9 fsync file=0\n";
const std::string kWriteFirst = "1 write file=0 off=0 len=1024 fill=2\n"
                                "2 store file=0 off=100 len=50 fill=4\n" +
                                kCommitAndStore;
const Ranges kTheStore{{200, 300}};

TEST(ReiserfsList, ABlockThatWriteAllocatesJoins) {
    const std::string hole = "size=8192 start=sparse";
    EXPECT_EQ(lost(Filesystem::ordered, hole, kWriteFirst), kTheStore);
    EXPECT_EQ(lost(Filesystem::reiserfs, hole, kWriteFirst), kTheStore);
}

TEST(ReiserfsList, ABlockThatHasItsPlaceDoesNot) {
    const std::string on_disk = "size=8192 start=written+fsync fill=1";
    EXPECT_EQ(lost(Filesystem::ordered, on_disk, kWriteFirst), kTheStore);
    EXPECT_EQ(lost(Filesystem::reiserfs, on_disk, kWriteFirst), Ranges{});
}

TEST(ReiserfsList, ABlockInTheFilesLastPageDoes) {
    const std::string one_page = "size=4000 start=written+fsync fill=1";
    EXPECT_EQ(lost(Filesystem::reiserfs, one_page, kWriteFirst), kTheStore);
    // The file does not end inside a whole page.
    EXPECT_EQ(lost(Filesystem::reiserfs, "size=4096 start=written+fsync fill=1", kWriteFirst),
              Ranges{});
}

TEST(ReiserfsList, WritepageJoinsTheHolesThatItFillsOnly) {
    const std::string written_back = "1 store file=0 off=100 len=50 fill=4\n"
                                     "2 sync_file_range file=0 off=0 len=4096\n"
                                     "3 store file=0 off=100 len=50 fill=5\n" +
                                     kCommitAndStore;
    EXPECT_EQ(lost(Filesystem::ordered, "size=8192 start=sparse", written_back), kTheStore);
    EXPECT_EQ(lost(Filesystem::reiserfs, "size=8192 start=sparse", written_back), kTheStore);
    const std::string on_disk = "size=8192 start=written+fsync fill=1";
    EXPECT_EQ(lost(Filesystem::ordered, on_disk, written_back), kTheStore);
    EXPECT_EQ(lost(Filesystem::reiserfs, on_disk, written_back), Ranges{});
}

TEST(ReiserfsList, InAPageReadInANewBlockIsNoLongerNew) {
    const BlockMask first = BlockMask{1};
    const WrittenPage page{PageIndex{0}, ByteOffset{8192}, kKiB};
    PageState hole;
    EXPECT_EQ(joined_by_write(hole, BlockMask{}, first, page), first);
    EXPECT_EQ(joined_by_write(hole, kKiB.all(), first, page), BlockMask{});
    hole.dirty = first; // a store was made: write(2) fills the hole under a dirty buffer
    EXPECT_EQ(joined_by_write(hole, kKiB.all(), first, page), first);
    // Appended, not filling a hole.
    EXPECT_EQ(joined_by_write(hole, kKiB.all(), first, {PageIndex{2}, ByteOffset{8192}, kKiB}),
              BlockMask{});
}

TEST(ReiserfsList, AFileMadeLongerEndsInABlockOfItsOwn) {
    const std::string store = "1 store file=0 off=4100 len=50 fill=4\n2 commit\n"
                              "3 store file=0 off=4200 len=60 fill=3\n4 fsync file=0\n";
    EXPECT_EQ(lost(Filesystem::reiserfs, "size=4500 start=sparse", store), (Ranges{{4200, 60}}));
    EXPECT_EQ(lost(Filesystem::ordered, "size=4500 start=sparse", store), Ranges{});
    EXPECT_EQ(lost(Filesystem::reiserfs, "size=8192 start=sparse", store), Ranges{});
}

} // namespace
} // namespace vmmodel
