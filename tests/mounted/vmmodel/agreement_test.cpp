// Random schedules on a mounted partialfs: the damage on disk is exactly what vmmodel predicts for
// a FUSE daemon, under each contract, flush policy and two block sizes.
#include "tests/mounted/mount.hpp"
#include "tests/mounted/vmmodel/random_schedule.hpp"
#include "tools/vmmodel/predict/fuse_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <tuple>

namespace vmmodel::testing {
namespace {

using partialfs::model::BlockSize;
using partialfs::model::Contract;
using partialfs::model::FlushPolicy;
/// The number of schedules for each contract and flush policy, half of them for each block size.
std::uint64_t schedules() {
    const char* asked = std::getenv("PARTIALFS_SCHEDULES");
    return asked == nullptr ? 50 : std::stoull(asked);
}

using Range = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>; // file, begin, end

/// The ranges sorted; those that touch are joined.
std::vector<Range> joined(std::vector<Range> ranges) {
    std::ranges::sort(ranges);
    std::vector<Range> all;
    for (const auto& [file, begin, end] : ranges) {
        if (!all.empty() && std::get<0>(all.back()) == file && std::get<2>(all.back()) >= begin) {
            std::get<2>(all.back()) = std::max(std::get<2>(all.back()), end);
        } else {
            all.emplace_back(file, begin, end);
        }
    }
    return all;
}

/// Damage that mmapstress found on the disk itself. Damage seen during the run and healed since
/// does not count.
std::vector<Range> damaged_on_disk(const std::filesystem::path& report) {
    std::ifstream file(report);
    const nlohmann::json json = nlohmann::json::parse(file);
    std::vector<Range> ranges;
    for (const auto& damage : json.at("damage")) {
        const auto& stages = damage.at("stages");
        if (std::ranges::find(stages, "disk") != stages.end()) {
            const auto offset = damage.at("offset").get<std::uint64_t>();
            ranges.emplace_back(damage.at("file").get<std::uint64_t>(), offset,
                                offset + damage.at("length").get<std::uint64_t>());
        }
    }
    return joined(std::move(ranges));
}

std::vector<Range> predicted(const mmapstress::Schedule& schedule, Contract contract,
                             FlushPolicy policy, std::uint32_t block_size) {
    FusePredictor predictor(contract, policy, *BlockSize::from_bytes(block_size));
    const auto prediction = predict(schedule, predictor);
    EXPECT_TRUE(prediction) << prediction.error();
    EXPECT_TRUE(prediction->doubts.empty()) << prediction->doubts.front();
    std::vector<Range> ranges;
    for (const Damage& damage : prediction->damage) {
        ranges.emplace_back(damage.file.value, damage.range.begin.value, damage.range.end.value);
    }
    return joined(std::move(ranges));
}

using Setting = std::tuple<Contract, FlushPolicy, std::uint32_t>;

class Agreement : public ::testing::TestWithParam<Setting> {};

TEST_P(Agreement, OfRandomSchedules) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    const auto [contract, policy, block_size] = GetParam();
    partialfs::testing::Mount mount;
    mount.start({"--contract", std::string{name_of(contract)}, "--flush-policy",
                 std::string{name_of(policy)}, "--block-size", std::to_string(block_size),
                 "--commit-interval", "0"});
    const std::filesystem::path schedule_file = mount.temporary() / "schedule";
    const std::filesystem::path report = mount.temporary() / "report";
    std::size_t damaged = 0;
    for (std::uint64_t seed = 0; seed < schedules() / 2; ++seed) {
        const mmapstress::Schedule schedule = random_schedule(seed, block_size);
        std::ofstream(schedule_file) << print_schedule(schedule);
        const partialfs::testing::Ended ended = partialfs::testing::run_program(
            {"sh", "-c", R"(exec "$0" replay "$1" "$2" --report "$3" >"$3.out")", MMAPSTRESS_BINARY,
             mount.path(), schedule_file, report});
        ASSERT_TRUE(ended.code == 0 || ended.code == 1)
            << "seed " << seed << ": " << ended.errors << print_schedule(schedule);
        const std::vector<Range> found = damaged_on_disk(report);
        ASSERT_EQ(found, predicted(schedule, contract, policy, block_size))
            << "seed " << seed << "\n"
            << print_schedule(schedule);
        damaged += found.empty() ? 0U : 1U;
    }
    const BlockSize size = *BlockSize::from_bytes(block_size);
    if (may_lose_mapped_stores(contract, policy, size.per_page())) {
        EXPECT_GT(damaged, 0U);
    } else {
        EXPECT_EQ(damaged, 0U);
    }
    EXPECT_EQ(mount.stop().code, 0);
}

std::string name_of_setting(const ::testing::TestParamInfo<Setting>& setting) {
    std::string name = std::string{name_of(std::get<0>(setting.param))} + "_" +
                       std::string{name_of(std::get<1>(setting.param))} + "_" +
                       std::to_string(std::get<2>(setting.param));
    std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.'; }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Mounted, Agreement,
                         ::testing::Combine(::testing::Values(Contract::linux_2_6_19,
                                                              Contract::linux_2_6_20),
                                            ::testing::Values(FlushPolicy::eager, FlushPolicy::ext3,
                                                              FlushPolicy::writeback),
                                            ::testing::Values(1024U, 4096U)),
                         name_of_setting);

INSTANTIATE_TEST_SUITE_P(BlockDevice, Agreement,
                         ::testing::Combine(::testing::Values(Contract::linux_6_12_blockdev),
                                            ::testing::Values(FlushPolicy::writeback),
                                            ::testing::Values(1024U, 4096U)),
                         name_of_setting);

} // namespace
} // namespace vmmodel::testing
