// A block device without buffer heads: which mapped stores survive, tested with schedules.
#include "tools/vmmodel/explore/search.hpp"
#include "tools/vmmodel/predict/fuse_predictor.hpp"
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"
#include "tools/vmmodel/show/describe.hpp"
#include "tools/vmmodel/simulate/simulate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string_view>

namespace vmmodel {
namespace {

using partialfs::model::BlockSize;
using partialfs::model::Contract;
using partialfs::model::FlushPolicy;
using ::testing::HasSubstr;

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

/// The operations as a schedule on two pages, which are written completely at the start, or as
/// `start` says.
mmapstress::Schedule schedule_of(const std::string& operations,
                                 const std::string& start = "written fill=1") {
    auto schedule = mmapstress::parse_schedule("mmapstress-schedule 1\nseed 1\nend munmap,fsync\n"
                                               "file 0 size=8192 start=" +
                                               start + "\n" + operations);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return schedule ? std::move(*schedule) : mmapstress::Schedule{};
}

Ranges damage(const mmapstress::Schedule& schedule, Predictor& predictor) {
    const auto prediction = predict(schedule, predictor);
    EXPECT_TRUE(prediction) << prediction.error();
    EXPECT_TRUE(prediction->doubts.empty());
    Ranges ranges;
    for (const Damage& one : prediction->damage) {
        ranges.emplace_back(one.range.begin.value, one.range.size().value);
    }
    return ranges;
}

Ranges kernel(const mmapstress::Schedule& schedule, std::uint64_t block_size = 1024) {
    KernelPredictor predictor(Era::linux_6_12_blockdev, Filesystem::blockdev,
                              *BlockSize::from_bytes(block_size));
    return damage(schedule, predictor);
}
Ranges kernel(const std::string& operations) {
    return kernel(schedule_of(operations));
}

Ranges fuse(const mmapstress::Schedule& schedule, std::uint64_t block_size = 1024) {
    FusePredictor predictor(Contract::linux_6_12_blockdev, FlushPolicy::writeback,
                            *BlockSize::from_bytes(block_size));
    return damage(schedule, predictor);
}
Ranges fuse(const std::string& operations) {
    return fuse(schedule_of(operations));
}

using Lines = std::initializer_list<std::string_view>;

std::string text_of(Lines lines) {
    std::string text;
    for (const std::string_view line : lines) {
        text += line;
    }
    return text;
}

/// The data is on disk, and not in the page cache.
const std::string kOnDisk = "1 evict file=0\n";
const std::string kStore = "10 store file=0 off=1100 len=50 fill=2\n"; // block 1 of page 0
const Ranges kLost{{1100, 50}};

TEST(BlockDevice, AStoreIntoAPageThatWasReadIsLostAtMsync) {
    for (const std::string read :
         {"", "2 read-check file=0 off=0 len=10\n", "2 read-fault file=0 off=9\n"}) {
        const std::string lost = text_of({kOnDisk, read, kStore, "11 msync file=0\n"});
        EXPECT_EQ(kernel(lost), kLost);
        EXPECT_EQ(fuse(lost), kLost);
    }
}

TEST(BlockDevice, AWriteSavesStoresIntoItsOwnBlockBeforeAndAfterIt) {
    const std::string own = " write file=0 off=2040 len=8 fill=3\n";   // block 1
    const std::string other = " write file=0 off=2048 len=8 fill=3\n"; // block 2
    const std::string sync = "12 fsync file=0\n";
    for (const auto& run : {+[](Lines lines) { return kernel(text_of(lines)); },
                            +[](Lines lines) { return fuse(text_of(lines)); }}) {
        EXPECT_EQ(run({kOnDisk, "9", own, kStore, sync}), Ranges{});
        EXPECT_EQ(run({kOnDisk, kStore, "11", own, sync}), Ranges{});
        EXPECT_EQ(run({kOnDisk, "9", other, kStore, sync}), kLost);
        EXPECT_EQ(run({kOnDisk, kStore, "11", other, sync}), kLost);
        EXPECT_EQ(run({kOnDisk, "8", own, "9 fsync file=0\n", kStore, sync}), kLost)
            << "every writeback clears the marks";
    }
}

TEST(BlockDevice, APageWrittenAsAWholeKeepsStoresUntilItIsWrittenBack) {
    EXPECT_EQ(kernel(kStore), Ranges{});
    EXPECT_EQ(fuse(kStore), Ranges{});
    EXPECT_EQ(kernel("1 fsync file=0\n" + kStore), kLost);
    EXPECT_EQ(fuse("1 fsync file=0\n" + kStore), kLost);
    const std::string again = "2 write file=0 off=0 len=4096 fill=4\n";
    EXPECT_EQ(kernel(kOnDisk + again + kStore), Ranges{});
    EXPECT_EQ(fuse(kOnDisk + again + kStore), Ranges{});
    const std::string nearly = "2 write file=0 off=0 len=1024 fill=4\n";
    EXPECT_EQ(kernel(kOnDisk + nearly + kStore), kLost);
    EXPECT_EQ(fuse(kOnDisk + nearly + kStore), kLost);
}

// A device cannot be made sparse: it is overwritten with zeros, which marks every block.
TEST(BlockDevice, ItStartsWrittenEvenWhereAFileIsSparse) {
    EXPECT_EQ(kernel(schedule_of(kStore, "sparse")), Ranges{});
    EXPECT_EQ(kernel(schedule_of("1 fsync file=0\n" + kStore, "sparse")), kLost);
}

// The operation `sync` is a syncfs(2) of the filesystem that has the device's node.
TEST(BlockDevice, SyncfsWritesNoDeviceBack) {
    EXPECT_EQ(kernel("1 sync\n" + kStore), Ranges{});
    const auto commit_by = [](const std::string& way) {
        auto schedule =
            mmapstress::parse_schedule("mmapstress-schedule 1\nseed 1\ncommit-by " + way +
                                       "\nfile 0 size=8192 start=written fill=1\n"
                                       "1 commit\n" +
                                       kStore);
        EXPECT_TRUE(schedule) << schedule.error().message();
        return schedule ? kernel(*schedule) : Ranges{};
    };
    EXPECT_EQ(commit_by("sibling"), Ranges{});
    EXPECT_EQ(commit_by("syncfs"), Ranges{});
    EXPECT_EQ(commit_by("sync"), kLost);
}

TEST(BlockDevice, WithOneBlockAPageNothingIsLost) {
    const mmapstress::Schedule schedule =
        schedule_of(kOnDisk + kStore + "11 fsync file=0\n12 store file=0 off=9 len=9 fill=3\n");
    EXPECT_EQ(kernel(schedule, 4096), Ranges{});
    EXPECT_EQ(fuse(schedule, 4096), Ranges{});
    EXPECT_EQ(kernel(schedule, 2048), (Ranges{{9, 9}, {1100, 50}}));
    EXPECT_EQ(kernel(schedule, 512), (Ranges{{9, 9}, {1100, 50}}));
}

TEST(BlockDevice, WhatWasLostIsReadAgainFromTheDisk) {
    const std::string twice = kOnDisk + kStore + "11 evict file=0\n" +
                              "12 store file=0 off=1200 len=50 fill=5\n" +
                              "13 write file=0 off=1024 len=1 fill=6\n14 evict file=0\n";
    EXPECT_EQ(kernel(twice), kLost) << "the second is saved, the first gone";
    EXPECT_EQ(fuse(twice), kLost);
}

TEST(BlockDevice, AWriteAfterTheLossSavesWhatTheCacheStillHas) {
    const std::string late = kOnDisk + kStore + "11 fsync file=0\n" +
                             "12 write file=0 off=1024 len=1 fill=6\n13 fsync file=0\n";
    EXPECT_EQ(kernel(late), Ranges{});
    // The daemon has only the bytes of write(2): the page is clean in the kernel.
    EXPECT_EQ(fuse(late), kLost);
}

TEST(BlockDevice, MunmapSavesNothing) {
    EXPECT_EQ(kernel(kOnDisk + kStore + "11 unmap file=0\n12 fsync file=0\n"), kLost);
    // On FUSE munmap causes a writeback.
    const std::string saved = kOnDisk + kStore + "11 unmap file=0\n" +
                              "12 write file=0 off=1024 len=1 fill=6\n13 fsync file=0\n";
    EXPECT_EQ(kernel(saved), Ranges{});
    EXPECT_EQ(fuse(saved), kLost);
}

// A daemon gets no request for it.
TEST(BlockDevice, SyncFileRangeClearsTheMarksOfWritesInTheKernelOnly) {
    const std::string cleared = kOnDisk + "2 write file=0 off=1024 len=1 fill=6\n" +
                                "3 sync_file_range file=0 off=0 len=4096\n" + kStore;
    EXPECT_EQ(kernel(cleared), kLost);
    EXPECT_EQ(fuse(cleared), Ranges{});
}

// On partialfs an fsync of another file writes only that file, and a device has no other.
TEST(BlockDevice, ACommitClearsNoMarks) {
    EXPECT_EQ(kernel("1 commit\n" + kStore), Ranges{});
    EXPECT_EQ(fuse("1 commit\n" + kStore), Ranges{});
}

TEST(BlockDevice, MsyncAndDirectReadsWriteTheirRangeAlone) {
    const std::string mark = kOnDisk + "2 write file=0 off=1024 len=1 fill=6\n";
    for (const std::string call : {"3 msync file=0", "3 direct-read-check file=0"}) {
        EXPECT_EQ(kernel(text_of({mark, call, " off=4096 len=4096\n", kStore})), Ranges{}) << call;
        EXPECT_EQ(kernel(text_of({mark, call, " off=0 len=4096\n", kStore})), kLost) << call;
    }
}

TEST(BlockDevice, TheDamageNamesTheWritebackThatPassedOverIt) {
    KernelPredictor predictor(Era::linux_6_12_blockdev, Filesystem::blockdev,
                              *BlockSize::from_bytes(1024));
    const auto prediction = predict(schedule_of(kOnDisk + kStore + "11 fsync file=0\n"), predictor);
    ASSERT_TRUE(prediction);
    ASSERT_EQ(prediction->damage.size(), 1U);
    EXPECT_EQ(prediction->damage[0].lost_by, OpNumber{11});
    EXPECT_EQ(prediction->damage[0].cleaned_by, OpNumber{0});
}

TEST(BlockDevice, ADaemonWritesWhatItWasSentAndNotWhatWasStoredSince) {
    // An msync of another page makes the daemon write back the bytes of write(2) and clear its
    // block's mark, while the kernel's page, which has the store, is still dirty.
    const std::string written = kOnDisk + "2 write file=0 off=1024 len=1024 fill=3\n" + kStore;
    EXPECT_EQ(fuse(written), Ranges{});
    EXPECT_EQ(fuse(written + "11 msync file=0 off=4096 len=4096\n"), kLost);
    EXPECT_EQ(kernel(written + "11 msync file=0 off=4096 len=4096\n"), Ranges{});
}

TEST(BlockDevice, WhatChangesItsSizeIsRefusedByName) {
    const auto refusal = [](const std::string& operation) {
        KernelPredictor predictor(Era::linux_6_12_blockdev, Filesystem::blockdev,
                                  *BlockSize::from_bytes(1024));
        const auto prediction = predict(schedule_of(operation), predictor);
        return prediction ? std::string{} : prediction.error();
    };
    EXPECT_THAT(refusal("7 truncate file=0 size=1\n"), HasSubstr("truncate, which is number 7"));
    EXPECT_THAT(refusal("7 append file=0 len=1\n"), HasSubstr("append, which is number 7"));
    EXPECT_THAT(refusal("7 punch file=0 off=0 len=4096\n"), HasSubstr("punch, which is number 7"));
    EXPECT_THAT(refusal("7 write file=0 off=8000 len=193\n"), HasSubstr("write, which is"));
    EXPECT_EQ(refusal("7 write file=0 off=8000 len=192\n"), "");
}

TEST(BlockDevice, TwoEventsLoseAStoreAndOneBlockAPageLosesNone) {
    Bounds bounds = default_bounds();
    const Search found =
        search(Era::linux_6_12_blockdev, Filesystem::blockdev, bounds, Races::automatic, {});
    const auto how = [&](Harm harm) {
        const Found* one = found.of(harm);
        return one != nullptr && !one->needs_race ? list_of(events_of(one->run)) : "never";
    };
    EXPECT_EQ(how(Harm::lost), "store, writepage");
    EXPECT_EQ(how(Harm::fsync_not_durable), "store, fsync");
    EXPECT_EQ(how(Harm::msync_not_durable), "store, msync");
    bounds.blocks = 1;
    const Search clean =
        search(Era::linux_6_12_blockdev, Filesystem::blockdev, bounds, Races::automatic, {});
    EXPECT_TRUE(clean.found.empty());
    EXPECT_TRUE(clean.complete);
}

TEST(BlockDevice, SimulationsLoseWithSeveralBlocksAPageOnly) {
    SimulationSettings settings;
    settings.era = Era::linux_6_12_blockdev;
    settings.filesystem = Filesystem::blockdev;
    settings.operations = 100'000;
    EXPECT_GT(simulate(settings, 0, nullptr).lost, 1000U);
    settings.block_size = *BlockSize::from_bytes(4096);
    const SimulationResult one_block = simulate(settings, 0, nullptr);
    EXPECT_EQ(one_block.lost, 0U);
    EXPECT_EQ(one_block.broken_syncs, 0U);
}

TEST(Setting, EraAndDeviceImplyEachOther) {
    const Setting device{Era::linux_6_12_blockdev, Filesystem::blockdev};
    EXPECT_EQ(setting_for({device.era, std::nullopt}), device);
    EXPECT_EQ(setting_for({std::nullopt, device.filesystem}), device);
    EXPECT_EQ(setting_for({std::nullopt, std::nullopt}), Setting{});
    EXPECT_EQ(setting_for({std::nullopt, std::nullopt}, device), device);
    EXPECT_EQ(setting_for({Era::linux_2_6_20, std::nullopt}, device),
              (Setting{Era::linux_2_6_20, Filesystem::ordered}));
    EXPECT_EQ(setting_for({std::nullopt, Filesystem::writeback}, device),
              (Setting{Era::linux_2_6_19, Filesystem::writeback}));
    EXPECT_FALSE(setting_for({device.era, Filesystem::ordered}));
    EXPECT_FALSE(setting_for({Era::linux_2_6_19, device.filesystem}));
    for (const Setting& setting : kSettings) {
        EXPECT_TRUE(go_together(setting));
        EXPECT_EQ(rules_of(setting.era).era, setting.era);
        EXPECT_EQ(rules_of(setting.filesystem).filesystem, setting.filesystem);
    }
}

} // namespace
} // namespace vmmodel
