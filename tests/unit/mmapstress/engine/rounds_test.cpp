// Workloads, one round after another.
#include "tests/unit/mmapstress/engine/engine_fixture.hpp"
#include "tools/mmapstress/engine/rounds.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace mmapstress {
namespace {

using ManyRounds = Engine;

TEST_F(ManyRounds, NoTimeForAnythingIsNotClean) {
    const auto result = run_rounds(settings_, {.workloads = {workload_named("mix")},
                                               .duration = std::chrono::milliseconds(0)});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->result.ops, 0U);
    EXPECT_EQ(result->result.verdict(), Verdict::unknown);
}

TEST(ManyRoundsOf, EachOfManyWorkloadsHasItsTurnWithinAMinute) {
    Rounds rounds;
    for (const WorkloadInfo& workload : workloads()) {
        rounds.workloads.push_back(&workload);
    }
    // Half of the minute is for verification.
    EXPECT_EQ(rounds.turn() * 2 * rounds.workloads.size(), std::chrono::minutes(1));
}

TEST_F(ManyRounds, TheyTakeTurnsAndAreSummedUp) {
    WorkloadSettings settings;
    settings.ops = 40;
    settings.seed = 5;
    const auto result =
        run_rounds(settings_, {.workloads = {workload_named("recipe"), workload_named("mix")},
                               .settings = settings});
    ASSERT_TRUE(result) << result.error().message;
    const RunResult& last = result->result;
    EXPECT_EQ(last.verdict(), Verdict::clean) << problems_of(last);
    EXPECT_EQ(last.header.workload, "mix");
    EXPECT_EQ(last.header.seed, 6U);
    EXPECT_EQ(last.totals.rounds, 2U);
    EXPECT_GT(last.totals.ops, last.ops);
    EXPECT_GT(last.totals.bytes_after_eviction(),
              last.stages[static_cast<std::size_t>(Stage::evicted)].bytes);
    ASSERT_EQ(last.totals.workloads.size(), 2U);
    EXPECT_EQ(last.totals.workloads[0].workload, "recipe");
}

/// Stores into a file that is empty at the end if the seed is odd.
std::expected<std::unique_ptr<OpSource>, std::string>
make_empty_at_odd_seeds(const WorkloadSettings& settings) {
    constexpr auto kStore = "mmapstress-schedule 1\nseed 1\nfile 0 size=8192 start=sparse\n1 store "
                            "file=0 off=0 len=10\n";
    static const Schedule stores = parse_schedule(kStore).value();
    static const Schedule shrinks =
        parse_schedule(std::string(kStore) + "2 truncate file=0 size=0\n").value();
    return source_of(settings.seed % 2 == 1 ? shrinks : stores)();
}

TEST_F(ManyRounds, GoOnAfterOneThatLeftNothingToCheck) {
    const WorkloadInfo workload{"odd", "", make_empty_at_odd_seeds, nullptr};
    WorkloadSettings settings;
    settings.seed = 1;
    std::uint64_t begun = 0;
    settings_.stop = [&] { return begun > 3; };
    const auto result =
        run_rounds(settings_, {.workloads = {&workload},
                               .settings = settings,
                               .duration = std::chrono::hours(1),
                               .begin = [&](std::uint64_t number) { begun = number; }});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->result.rounds, 4U);
    EXPECT_EQ(result->result.verdict(), Verdict::clean) << "the second had something";
}

std::expected<std::unique_ptr<OpSource>, std::string>
make_one_that_waits(const WorkloadSettings& /*settings*/) {
    static const Schedule waits = parse_schedule("mmapstress-schedule 1\nseed 1\n"
                                                 "file 0 size=8192 start=sparse\n"
                                                 "1 pause us=50000\n"
                                                 "2 store file=0 off=0 len=10\n")
                                      .value();
    return source_of(waits)();
}

/// Turns of ten milliseconds, the first of workload `first`, until the third has begun.
std::expected<RoundsResult, StartError>
three_short_turns(RunSettings settings, const WorkloadInfo& first, const WorkloadInfo& others) {
    Rounds rounds;
    rounds.workloads.assign(3000, &others);
    rounds.workloads.front() = &first;
    rounds.duration = std::chrono::hours(1);
    rounds.settings.seed = 1;
    std::uint64_t begun = 0;
    rounds.begin = [&](std::uint64_t number) { begun = number; };
    settings.stop = [&] { return begun > 2; };
    EXPECT_LT(rounds.turn(), std::chrono::milliseconds(50));
    return run_rounds(settings, rounds);
}

TEST_F(ManyRounds, GoOnAfterOneWhoseTurnWasOverBeforeItsFirstStore) {
    const WorkloadInfo waits{"waits", "", make_one_that_waits, nullptr};
    const WorkloadInfo stores{"stores", "", make_empty_at_odd_seeds, nullptr};
    const auto result = three_short_turns(settings_, waits, stores);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->result.rounds, 3U);
    EXPECT_EQ(result->result.verdict(), Verdict::clean);
}

TEST_F(ManyRounds, OfWhichNoneCameToItsFirstStoreAreNotClean) {
    const WorkloadInfo waits{"waits", "", make_one_that_waits, nullptr};
    const auto result = three_short_turns(settings_, waits, waits);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->result.rounds, 3U);
    EXPECT_EQ(result->result.verdict(), Verdict::unknown);
}

TEST_F(ManyRounds, ThatAllLeftNothingToCheckAreNotClean) {
    const WorkloadInfo workload{"odd", "", make_empty_at_odd_seeds, nullptr};
    WorkloadSettings settings;
    settings.seed = 1;
    const auto result = run_rounds(settings_, {.workloads = {&workload}, .settings = settings});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->result.verdict(), Verdict::unknown);
}

} // namespace
} // namespace mmapstress
