#include "tools/mmapstress/report/campaign_report.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/result/campaign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mmapstress {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Part = Campaign::Part;

/// A clean run: everything stored was verified.
Part clean(std::optional<Shard> shard, const std::string& path) {
    Part part;
    part.path = path;
    RunResult& result = part.result;
    result.shard = shard;
    result.header.workload = "wild";
    result.synced = true;
    result.ops = 10;
    result.ops_by_kind[static_cast<std::size_t>(OpKind::store)] = 10;
    for (StageResult& stage : result.stages) {
        stage.state = StageResult::State::checked;
        stage.bytes = 100;
        stage.stored = 100;
    }
    result.totals.add(result);
    return part;
}
Part damaged(std::optional<Shard> shard, const std::string& path) {
    Part part = clean(shard, path);
    DamagedRange range;
    range.lost = OpId{7};
    part.result.damage.push_back(range);
    part.result.files.emplace_back("/mnt/file0");
    part.result.sizes.emplace_back(4096);
    part.result.stages[static_cast<std::size_t>(Stage::evicted)].wrong = 1;
    return part;
}
Shard shard(std::uint32_t number, std::uint32_t of = 3, std::uint64_t seed = 50) {
    return {number, of, seed};
}

TEST(ShardSeeds, TogetherAreThoseOfOneRun) {
    std::vector<std::uint64_t> seeds;
    for (std::uint32_t number = 1; number <= 3; ++number) {
        for (std::uint64_t round = 0; round != 2; ++round) {
            seeds.push_back(shard(number).first_seed() + round * shard(number).of);
        }
    }
    std::ranges::sort(seeds);
    EXPECT_THAT(seeds, ElementsAre(50, 51, 52, 53, 54, 55));
}

TEST(Merge, AllCleanIsClean) {
    const auto campaign = merge({clean(shard(3), "c"), clean(shard(1), "a"), clean(shard(2), "b")});
    ASSERT_TRUE(campaign) << campaign.error();
    EXPECT_EQ(campaign->verdict(), Verdict::clean);
    EXPECT_THAT(campaign->problems, IsEmpty());
    EXPECT_EQ(campaign->parts[0].path, "a") << "in the order of the shards";
    EXPECT_EQ(campaign->totals.rounds, 3U);
    EXPECT_EQ(campaign->totals.ops, 30U);
    EXPECT_EQ(campaign->totals.workload(), "wild");
    EXPECT_TRUE(suite_of(*campaign, 10).passed);
}

TEST(Merge, AMissingShardCannotBeTold) {
    const auto campaign = merge({clean(shard(2, 6), "b"), clean(shard(4, 6), "d")});
    ASSERT_TRUE(campaign) << campaign.error();
    EXPECT_EQ(campaign->verdict(), Verdict::unknown);
    EXPECT_THAT(campaign->problems,
                ElementsAre("no report of shard 1 of 6", "no report of shard 3 of 6",
                            "no report of shard 5 to 6 of 6"));
    EXPECT_FALSE(suite_of(*campaign, 10).passed);
}

TEST(Merge, DamageIsDamageWhateverIsMissing) {
    const auto campaign = merge({damaged(shard(1), "bad"), clean(shard(3), "c")});
    ASSERT_TRUE(campaign) << campaign.error();
    EXPECT_EQ(campaign->verdict(), Verdict::damaged);
    const TestSuite suite = suite_of(*campaign, 10);
    EXPECT_EQ(suite.tests[0].name, "shard 1/3");
    EXPECT_EQ(suite.tests[0].state, TestCase::State::failed);
    EXPECT_THAT(suite.tests[0].message, HasSubstr("see bad"));
    EXPECT_EQ(suite.tests[1].state, TestCase::State::passed);
    EXPECT_EQ(suite.tests[2].state, TestCase::State::error) << "shard 2 is missing";
}

TEST(Merge, ARunThatWasKilledCannotBeTold) {
    Part killed = clean(std::nullopt, "killed");
    killed.came_to_its_end = false;
    const auto campaign = merge({clean(std::nullopt, "whole"), killed});
    ASSERT_TRUE(campaign) << campaign.error();
    EXPECT_EQ(campaign->verdict(), Verdict::unknown);
}

TEST(Merge, WhatDoesNotBelongTogetherIsRefused) {
    const auto refused = [](Part one, Part other) {
        const auto campaign = merge({std::move(one), std::move(other)});
        return campaign ? "merged" : campaign.error();
    };
    EXPECT_EQ(merge({}).error(), "no report");
    EXPECT_EQ(refused(clean(shard(2), "a"), clean(shard(2), "b")),
              "a and b are both shard 2/3 of the campaign with seed 50");
    EXPECT_THAT(refused(clean(shard(1), "a"), clean(shard(2, 3, 51), "b")),
                HasSubstr("b is shard 2/3 of the campaign with seed 51"));
    EXPECT_THAT(refused(clean(shard(1), "a"), clean(shard(2, 4), "b")), HasSubstr("shard 2/4"));
    EXPECT_THAT(refused(clean(shard(1), "a"), clean(std::nullopt, "b")),
                HasSubstr("b is of no shard"));
    EXPECT_EQ(refused(clean(std::nullopt, "a"), clean(std::nullopt, "b")), "merged");
}

TEST(CampaignReport, KeepsWhatIsNotCleanWhole) {
    const auto campaign =
        merge({clean(shard(1), "a"), damaged(shard(2), "b"), clean(shard(3), "c")});
    ASSERT_TRUE(campaign) << campaign.error();
    const auto json = nlohmann::json::parse(campaign_json(*campaign));
    EXPECT_EQ(json.at("verdict"), "damaged");
    EXPECT_EQ(json.at("seed"), 50);
    EXPECT_EQ(json.at("shards"), 3);
    EXPECT_EQ(json.at("reports").size(), 3U);
    EXPECT_EQ(json.at("totals").at("operations"), 30);
    ASSERT_EQ(json.at("not_clean").size(), 1U);
    const auto kept = parse_report(json.at("not_clean").at(0).dump());
    ASSERT_TRUE(kept) << kept.error();
    EXPECT_EQ(kept->result.damage.size(), 1U);
    EXPECT_EQ(kept->result.shard, shard(2));
}

TEST(CampaignReport, AShardThatCannotBeIsNoReport) {
    RunResult result = clean(shard(1), "a").result;
    result.shard = Shard{4, 3, 50};
    const auto parsed = parse_report(report_json(result, ReportState::finished));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), "there is no shard 4 of 3");
}

} // namespace
} // namespace mmapstress
