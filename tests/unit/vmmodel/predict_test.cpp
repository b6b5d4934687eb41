// The effects of single operations, tested with schedules in mmapstress's format.
#include "tools/vmmodel/predict/fuse_predictor.hpp"
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"

#include <gtest/gtest.h>

namespace vmmodel {
namespace {

using partialfs::model::BlockSize;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;
using partialfs::model::Contract;
using partialfs::model::FlushPolicy;

const BlockSize kKiB = *BlockSize::from_bytes(1024);

/// The operations as a schedule on a file of one page, written before.
mmapstress::Schedule schedule_of(const std::string& operations,
                                 const std::string& file = "size=4096 start=written fill=1") {
    const std::string text =
        "mmapstress-schedule 1\nseed 1\nend munmap,fsync\nfile 0 " + file + "\n" + operations;
    auto schedule = mmapstress::parse_schedule(text);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return schedule ? std::move(*schedule) : mmapstress::Schedule{};
}

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Ranges damage(const mmapstress::Schedule& schedule, Predictor& predictor) {
    const auto prediction = predict(schedule, predictor);
    EXPECT_TRUE(prediction) << prediction.error();
    Ranges ranges;
    for (const Damage& one : prediction->damage) {
        ranges.emplace_back(one.range.begin.value, one.range.size().value);
    }
    return ranges;
}

Ranges kernel(const std::string& operations, Era era = Era::linux_2_6_19,
              Filesystem filesystem = Filesystem::ordered) {
    KernelPredictor predictor(era, filesystem, kKiB);
    return damage(schedule_of(operations), predictor);
}

Ranges fuse(const std::string& operations, Contract contract = Contract::linux_2_6_19,
            FlushPolicy policy = FlushPolicy::ext3) {
    FusePredictor predictor(contract, policy, kKiB);
    return damage(schedule_of(operations), predictor);
}

const std::string kRecipe = "1 store file=0 off=100 len=50 fill=2\n"
                            "2 commit\n"
                            "3 store file=0 off=200 len=300 fill=3\n"
                            "4 fsync file=0\n";
const Ranges kLost{{200, 300}};

TEST(Predict, TheRecipeLosesTheStoreAfterTheCommit) {
    EXPECT_EQ(kernel(kRecipe), kLost);
    EXPECT_EQ(kernel(kRecipe, Era::linux_2_6_19, Filesystem::ordered_eager), kLost);
    EXPECT_TRUE(kernel(kRecipe, Era::linux_2_6_19, Filesystem::writeback).empty());
    for (const Era era : {Era::linux_2_6_18, Era::linux_2_6_20, Era::linux_2_6_23}) {
        EXPECT_TRUE(kernel(kRecipe, era).empty()) << rules_of(era).name;
    }
    EXPECT_EQ(fuse(kRecipe), kLost);
    EXPECT_EQ(fuse(kRecipe, Contract::linux_2_6_19, FlushPolicy::eager), kLost);
    EXPECT_TRUE(fuse(kRecipe, Contract::linux_2_6_20).empty());
}

TEST(Predict, TheDamageNamesTheCommitAndTheWritepage) {
    KernelPredictor predictor(Era::linux_2_6_19, Filesystem::ordered, kKiB);
    const auto prediction = predict(schedule_of(kRecipe), predictor);
    ASSERT_TRUE(prediction);
    ASSERT_EQ(prediction->damage.size(), 1U);
    EXPECT_EQ(prediction->damage[0].cleaned_by, OpNumber{2});
    EXPECT_EQ(prediction->damage[0].lost_by, OpNumber{4});
}

const std::string kBeforeTheEnd = "1 store file=0 off=100 len=50 fill=2\n"
                                  "2 commit\n"
                                  "3 store file=0 off=200 len=300 fill=3\n";

// munmap moves the PTE's dirty bit to the page. On FUSE the page is then written back as usual.
TEST(Predict, UnmapRescuesOnTheOldKernelOnly) {
    EXPECT_TRUE(kernel(kBeforeTheEnd + "4 unmap file=0\n5 fsync file=0\n").empty());
    EXPECT_EQ(fuse(kBeforeTheEnd + "4 unmap file=0\n5 fsync file=0\n"), kLost);
}

TEST(Predict, MadviseRescuesWhereItDropsThePte) {
    EXPECT_TRUE(
        kernel(kBeforeTheEnd + "4 madvise-dontneed file=0 off=0 len=1\n5 fsync file=0\n").empty());
    EXPECT_EQ(fuse(kBeforeTheEnd + "4 madvise-dontneed file=0 off=0 len=1\n5 fsync file=0\n"),
              kLost);
}

TEST(Predict, AnotherMappingsFirstFaultRescues) {
    const std::string other = "4 store file=0 map=1 off=4000 len=1 fill=4\n5 fsync file=0\n";
    EXPECT_TRUE(kernel(kBeforeTheEnd + other).empty());
    EXPECT_EQ(fuse(kBeforeTheEnd + other), (Ranges{{200, 300}, {4000, 1}}));
}

TEST(Predict, AForkedChildsFaultRescues) {
    EXPECT_TRUE(
        kernel(kBeforeTheEnd + "4 fork-store file=0 off=4000 len=1 fill=4\n5 fsync file=0\n")
            .empty());
}

TEST(Predict, SyncFileRangeWritesPagesAndCommitsNothing) {
    EXPECT_EQ(kernel(kBeforeTheEnd + "4 sync_file_range file=0 off=0 len=1\n"), kLost);
    EXPECT_TRUE(kernel(kBeforeTheEnd + "4 sync_file_range file=0 off=4096 len=1\n").empty());
}

// Not expressible in schedules, but part of the rules: mlock's fault, sync_file_range's flags.
TEST(Predict, MlockFaultsAndFlagsOfSyncFileRange) {
    const auto run = [](bool locks, SyncRangeFlags flags) {
        KernelPredictor kernel(Era::linux_2_6_19, Filesystem::ordered, kKiB);
        const FileNumber file = kernel.create(ByteOffset{0});
        const std::vector<std::byte> bytes(4096, std::byte{1});
        const ByteRange page{ByteOffset{0}, ByteOffset{4096}};
        kernel.write(file, ByteOffset{0}, bytes);
        kernel.store(file, MapNumber{0}, ByteOffset{0}, std::span(bytes).first(9));
        kernel.commit();
        kernel.store(file, MapNumber{0}, ByteOffset{9}, std::vector<std::byte>(9, std::byte{7}));
        if (locks) {
            kernel.write_fault(file, MapNumber{1}, page);
        }
        kernel.sync_file_range(file, page, flags);
        kernel.sync_file_range(file, page, flags);
        kernel.unmap(file, MapNumber{0});
        kernel.unmap(file, MapNumber{1});
        kernel.evict(file);
        return std::pair{kernel.damage().size(), kernel.doubts().size()};
    };
    EXPECT_EQ(run(false, {}), (std::pair<std::size_t, std::size_t>{1, 0}));
    EXPECT_EQ(run(true, {}), (std::pair<std::size_t, std::size_t>{0, 0}));
    EXPECT_EQ(run(false, {.write = false}), (std::pair<std::size_t, std::size_t>{0, 0}));
    EXPECT_EQ(run(false, {.wait_before = false, .wait_after = false}),
              (std::pair<std::size_t, std::size_t>{1, 0}));
}

TEST(Predict, SyncWritesBackAndCommits) {
    EXPECT_EQ(kernel(kBeforeTheEnd + "4 sync\n"), kLost);
    EXPECT_EQ(fuse(kBeforeTheEnd + "4 sync\n"), kLost);
}

TEST(Predict, AWriteBetweenSavesItsOwnBlocksOnly) {
    EXPECT_EQ(kernel(kBeforeTheEnd + "4 write file=0 off=400 len=2000 fill=5\n5 fsync file=0\n"),
              Ranges{});
    EXPECT_EQ(kernel(kBeforeTheEnd + "4 write file=0 off=1024 len=10 fill=5\n5 fsync file=0\n"),
              kLost);
}

TEST(Predict, RewritingThePageLaterHealsIt) {
    EXPECT_TRUE(kernel(kRecipe + "5 store file=0 off=0 len=4096 fill=9\n").empty());
    // A store elsewhere in the page makes the VM mark the whole page dirty, the right bytes
    // included.
    EXPECT_TRUE(kernel(kRecipe + "5 store file=0 off=4000 len=1 fill=9\n").empty());
    // Not if the page has left memory before.
    EXPECT_EQ(kernel(kRecipe + "5 evict file=0\n6 store file=0 off=4000 len=1 fill=9\n"), kLost);
}

// The second way to lose stores, without any commit.
TEST(Predict, TruncationInsideAPageDropsBlocksState) {
    const std::string cut = "1 store file=0 off=0 len=1 fill=2\n"
                            "2 truncate file=0 size=1024\n"
                            "3 truncate file=0 size=4096\n"
                            "4 store file=0 off=3000 len=10 fill=3\n"
                            "5 fsync file=0\n";
    EXPECT_EQ(kernel(cut), (Ranges{{3000, 10}}));
    EXPECT_EQ(kernel(cut, Era::linux_2_6_19, Filesystem::writeback), (Ranges{{3000, 10}}));
    EXPECT_TRUE(kernel(cut, Era::linux_2_6_20).empty());
    EXPECT_TRUE(fuse(cut).empty()) << "a truncation drops FUSE's page cache";
}

TEST(Predict, AMappingOfAPartIsMadeAnewWhereMoreIsNeeded) {
    // The store outside the mapping first unmaps it, which saves the earlier store.
    const std::string part = "1 map file=0 off=0 len=4096\n"
                             "2 store file=0 off=100 len=50 fill=2\n"
                             "3 commit\n"
                             "4 store file=0 off=200 len=300 fill=3\n"
                             "5 store file=0 off=5000 len=1 fill=4\n"
                             "6 fsync file=0\n";
    KernelPredictor predictor(Era::linux_2_6_19, Filesystem::ordered, kKiB);
    EXPECT_TRUE(damage(schedule_of(part, "size=8192 start=written fill=1"), predictor).empty());
}

TEST(Predict, SaysWhatTheClockDecides) {
    const auto doubts = [](const std::string& operations) {
        KernelPredictor predictor(Era::linux_2_6_19, Filesystem::ordered, kKiB);
        return predict(schedule_of(operations, "size=4096 start=written+fsync"), predictor)
            ->doubts.size();
    };
    EXPECT_EQ(doubts("1 write file=0 off=0 len=1\n2 fsync file=0\n"), 1U);
    EXPECT_EQ(doubts("1 write file=0 off=0 len=1\n2 fchmod file=0\n3 fsync file=0\n"), 0U);
    EXPECT_EQ(doubts("1 write file=0 off=0 len=1\n2 fsync file=0 commits=no\n"), 0U);
    EXPECT_EQ(doubts("1 append file=0 len=1\n2 fsync file=0\n"), 0U);
}

TEST(Predict, RefusesMoreProcessesThanItKnows) {
    mmapstress::Schedule schedule = schedule_of(kRecipe);
    schedule.header.processes = 40;
    KernelPredictor predictor(Era::linux_2_6_19, Filesystem::ordered, kKiB);
    EXPECT_FALSE(predict(schedule, predictor));
}

} // namespace
} // namespace vmmodel
