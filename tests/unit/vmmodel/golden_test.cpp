// Compares the predictor with what genuine kernels did: every recorded schedule, to the byte.
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"
#include "tools/vmmodel/predict/schedule_file.hpp"

#include <gtest/gtest.h>

namespace vmmodel {
namespace {

using mmapstress::DamagedBytes;

std::vector<LoadedSchedule> golden(const std::string& file = "ext3-ordered-2.6.19") {
    auto loaded = load_schedules(VMMODEL_GOLDEN_DIR "/" + file + ".jsonl.zst");
    EXPECT_TRUE(loaded) << loaded.error();
    return loaded ? std::move(*loaded) : std::vector<LoadedSchedule>{};
}

std::vector<DamagedBytes> predicted(const LoadedSchedule& loaded, Era era, Filesystem filesystem) {
    const auto block_size =
        partialfs::model::BlockSize::from_bytes(loaded.schedule.header.block_size.value_or(0));
    KernelPredictor predictor(era, filesystem, *block_size);
    const auto prediction = predict(loaded.schedule, predictor);
    EXPECT_TRUE(prediction) << loaded.name << ": " << prediction.error();
    std::vector<DamagedBytes> damage;
    for (const Damage& one : prediction->damage) {
        damage.push_back({mmapstress::FileIndex{one.file.value}, one.range});
    }
    return damage;
}

TEST(Golden, LinuxTwoSixNineteenOnExt3DamagesTheSameBytes) {
    const auto schedules = golden();
    ASSERT_EQ(schedules.size(), 1108U);
    std::size_t damaged = 0;
    for (const LoadedSchedule& loaded : schedules) {
        EXPECT_EQ(predicted(loaded, Era::linux_2_6_19, Filesystem::ordered), loaded.damage)
            << loaded.name;
        damaged += loaded.damage.empty() ? 0U : 1U;
    }
    EXPECT_EQ(damaged, 306U);
}

// The genuine kernels before and after showed no damage on the same schedules.
TEST(Golden, TheErasBeforeAndAfterDamageNothing) {
    for (const LoadedSchedule& loaded : golden()) {
        for (const Era era : {Era::linux_2_6_18, Era::linux_2_6_20, Era::linux_2_6_23}) {
            EXPECT_TRUE(predicted(loaded, era, Filesystem::ordered).empty()) << loaded.name;
        }
    }
}

TEST(Golden, AFilesystemThatNeverFlushesOnItsOwnLosesNothing) {
    for (const LoadedSchedule& loaded : golden()) {
        EXPECT_TRUE(predicted(loaded, Era::linux_2_6_19, Filesystem::writeback).empty())
            << loaded.name;
    }
}

// Debian's linux-source 6.12 built without buffer heads, on disks of 64 MiB and 512, 1024 and 2048
// bytes (scripts/kernels/compare.sh --record).
TEST(Golden, ABlockDeviceOfLinuxSixTwelveDamagesTheSameBytes) {
    const auto schedules = golden("blockdev-6.12");
    ASSERT_EQ(schedules.size(), 1046U);
    std::size_t damaged = 0;
    for (const LoadedSchedule& loaded : schedules) {
        EXPECT_EQ(predicted(loaded, Era::linux_6_12_blockdev, Filesystem::blockdev), loaded.damage)
            << loaded.name;
        damaged += loaded.damage.empty() ? 0U : 1U;
    }
    EXPECT_GT(damaged, 800U);
    EXPECT_LT(damaged, schedules.size());
}

} // namespace
} // namespace vmmodel
