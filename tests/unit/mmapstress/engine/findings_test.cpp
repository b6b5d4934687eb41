// Which of many rounds is reported, and what is reported about all of them.
#include "tools/mmapstress/engine/findings.hpp"

#include <gtest/gtest.h>

namespace mmapstress {
namespace {

RoundsResult clean(std::uint64_t seed) {
    RoundsResult round;
    round.result.header.seed = seed;
    round.result.header.workload = "wild";
    round.result.filesystem = "fuse.bindfs";
    round.result.synced = true;
    StageResult& cold = round.result.stages[static_cast<std::size_t>(Stage::evicted)];
    cold.state = StageResult::State::checked;
    cold.bytes = 4096;
    return round;
}

RoundsResult damaged(std::uint64_t seed, const std::string& lost, DamageKind kind) {
    RoundsResult round = clean(seed);
    DamagedRange range;
    range.lost = OpId{7};
    range.kind = kind;
    round.result.damage.push_back(range);
    round.result.named_ops[OpId{7}] = "7 " + lost;
    return round;
}

RoundsResult with_k1(std::uint64_t seed) {
    return damaged(seed, "direct-read-store file=0 off=0 len=512", DamageKind::stale);
}

RoundsResult with_k4(std::uint64_t seed) {
    return damaged(seed, "append file=0 len=512", DamageKind::zeros);
}

RoundsResult with_unknown_damage(std::uint64_t seed) {
    return damaged(seed, "store file=0 off=0 len=512", DamageKind::stale);
}

/// The report after these rounds.
RunResult reported(std::vector<RoundsResult> rounds) {
    Findings findings;
    for (RoundsResult& round : rounds) {
        findings.add(round);
    }
    return std::move(findings).reported(std::move(rounds.back())).result;
}

TEST(Findings, OfCleanRoundsTheLastIsReported) {
    const RunResult result = reported({clean(1), clean(2)});
    EXPECT_EQ(result.verdict(), Verdict::clean);
    EXPECT_EQ(result.header.seed, 2U);
    EXPECT_EQ(result.rounds, 2U);
}

TEST(Findings, TheFirstOfRoundsDamagedByKnownFaultsIsReportedWithTheSumsOfAll) {
    const RunResult result = reported({clean(1), with_k4(2), with_k1(3), with_k4(4), clean(5)});
    EXPECT_EQ(result.verdict(), Verdict::damaged);
    EXPECT_EQ(result.header.seed, 2U);
    EXPECT_EQ(result.rounds, 5U);
    const std::vector<Totals::OfFault> met{{"K4", 2, "wild", 2}, {"K1", 1, "wild", 3}};
    EXPECT_EQ(result.totals.known_faults, met);
}

TEST(Findings, WhatIsNotKnownIsReportedBeforeWhatIs) {
    EXPECT_EQ(reported({with_k4(1), with_unknown_damage(2)}).header.seed, 2U);
    RoundsResult hung = clean(2);
    hung.result.hung = true;
    EXPECT_EQ(reported({with_k4(1), std::move(hung)}).verdict(), Verdict::hung);
}

TEST(Findings, AProblemAfterDamageIsReportedWithTheDamage) {
    RoundsResult stopped = clean(2);
    stopped.result.problems.push_back({"the disk is full", OpId{3}});
    const RunResult result = reported({with_k4(1), std::move(stopped)});
    EXPECT_EQ(result.header.seed, 1U);
    EXPECT_EQ(result.verdict(), Verdict::damaged);
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_EQ(result.problems.front().message, "the disk is full");
}

TEST(Findings, AFaultIsNewOnce) {
    Findings findings;
    EXPECT_FALSE(findings.is_new(clean(1).result));
    RoundsResult first = with_k4(2);
    EXPECT_TRUE(findings.is_new(first.result));
    EXPECT_FALSE(findings.has_damage());
    findings.add(first);
    EXPECT_TRUE(findings.has_damage());
    EXPECT_FALSE(findings.is_new(with_k4(3).result));
    EXPECT_TRUE(findings.is_new(with_k1(3).result));
}

} // namespace
} // namespace mmapstress
