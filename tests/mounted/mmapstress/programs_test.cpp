// What torrent and apt find on partialfs, and the results of minimise and explain for a loss there.
#include "tests/mounted/mmapstress/told_ranges.hpp"
#include "tests/mounted/mount.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/engine/rounds.hpp"
#include "tools/mmapstress/explain/explain.hpp"
#include "tools/mmapstress/minimise/minimise.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

namespace mmapstress {
namespace {

using partialfs::testing::Mount;
using testing::HasSubstr;

struct Program {
    const char* workload;
    const char* commit_interval;
    std::uint64_t size;
};

void PrintTo(const Program& program, std::ostream* out) {
    *out << program.workload;
}

/// One run of a workload on a mount.
RunResult run_on(const Mount& mount, const std::string& workload, std::uint64_t size) {
    WorkloadSettings settings;
    settings.size = ByteCount{size};
    RunSettings run;
    run.directory = mount.path();
    auto done = run_rounds(run, {.workloads = {workload_named(workload)}, .settings = settings});
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_TRUE(done->result.problems.empty()) << done->result.problems.front().message;
    return std::move(done->result);
}

/// The ledger's entries that are lost and not healed.
std::vector<DamagedBytes> open_losses(const Mount& mount, const RunResult& result) {
    auto entries = json_lines(text_of(mount.path() / ".partialfs" / "ledger"));
    std::erase_if(entries, [](const nlohmann::json& entry) {
        return entry.contains("healed_at") && !entry.at("healed_at").is_null();
    });
    return joined(ranges_told(entries, result, mount.path()));
}

class OnPartialfs : public testing::TestWithParam<Program> {
  protected:
    void SetUp() override { SKIP_IF_MOUNTING_IS_IMPOSSIBLE(); }
};

TEST_P(OnPartialfs, LosesWithoutTheFixJustWhatTheLedgerSays) {
    Mount mount;
    mount.start({"--contract", "linux-2.6.19", "--flush-policy", "eager", "--commit-interval",
                 GetParam().commit_interval});
    const RunResult result = run_on(mount, GetParam().workload, GetParam().size);
    EXPECT_EQ(result.verdict(), Verdict::damaged);
    EXPECT_FALSE(result.judgement.empty()) << "the program's own checker notices";
    const auto found = joined(wrong_bytes(result.damage, Stage::evicted));
    EXPECT_EQ(result.damage_not_kept, 0U);
    EXPECT_FALSE(found.empty());
    EXPECT_EQ(found, open_losses(mount, result));
    EXPECT_EQ(found, joined(wrong_bytes(result.damage, Stage::disk)))
        << "the directory behind the mount was found and compared";
}

TEST_P(OnPartialfs, IsCleanWithTheFix) {
    Mount mount;
    mount.start({"--contract", "linux-2.6.20", "--commit-interval", GetParam().commit_interval});
    const RunResult result = run_on(mount, GetParam().workload, GetParam().size);
    EXPECT_EQ(result.verdict(), Verdict::clean);
    EXPECT_TRUE(result.judgement.empty());
    EXPECT_TRUE(json_lines(text_of(mount.path() / ".partialfs" / "ledger")).empty());
}

INSTANTIATE_TEST_SUITE_P(Programs, OnPartialfs,
                         testing::Values(Program{"torrent", "50ms", 2U << 20U},
                                         Program{"apt", "10ms", 4U << 20U}),
                         [](const auto& program) { return program.param.workload; });

class Afterwards : public testing::Test {
  protected:
    void SetUp() override { SKIP_IF_MOUNTING_IS_IMPOSSIBLE(); }
};

TEST_F(Afterwards, TwoThousandOperationsComeDownToSix) {
    Mount mount;
    mount.start({"--contract", "linux-2.6.19", "--commit-interval", "0"});
    WorkloadSettings settings;
    settings.ops = 2000;
    const auto source = workload_named("mix")->make(settings);
    ASSERT_TRUE(source) << source.error();
    const Schedule schedule = schedule_of(**source);
    MinimiseSettings minimise_settings;
    minimise_settings.run.directory = mount.path();
    const auto found = minimise(minimise_settings, schedule);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_LE(found->schedule.ops.size(), 6U) << print_schedule(found->schedule);
    EXPECT_GT(found->confirmed, 0U);
    EXPECT_FALSE(check_schedule(found->schedule).has_value());
    for (const Op& op : found->schedule.ops) {
        EXPECT_EQ(std::ranges::count(schedule.ops, op.id, &Op::id), 1)
            << "operations keep their numbers";
    }
    std::size_t left = 0;
    for (const auto& entry : std::filesystem::directory_iterator(mount.path())) {
        left += entry.path().filename() == ".partialfs" ? 0U : 1U;
    }
    EXPECT_EQ(left, 0U) << "candidates' files are removed";
}

TEST_F(Afterwards, ALossThatIsRareIsMinimisedWithMoreTries) {
    Mount mount;
    mount.start({"--contract", "linux-2.6.20", "--commit-interval", "0"});
    WorkloadSettings settings;
    settings.ops = 2000;
    const Schedule schedule = schedule_of(**workload_named("mix")->make(settings));
    MinimiseSettings minimise_settings;
    minimise_settings.run.directory = mount.path();
    minimise_settings.tries = 3;
    // Only one run in three is under the contract that loses data.
    minimise_settings.progress = [&](std::uint64_t candidates, std::size_t) {
        EXPECT_EQ(
            mount.write_control("contract", candidates % 3 == 2 ? "linux-2.6.19" : "linux-2.6.20"),
            0);
    };
    const auto found = minimise(minimise_settings, schedule);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_LE(found->schedule.ops.size(), 6U) << print_schedule(found->schedule);
    EXPECT_EQ(found->confirmed, found->confirmations);
}

TEST_F(Afterwards, MinimiseSaysSoWhereNothingIsLost) {
    Mount mount;
    mount.start({"--contract", "linux-2.6.20"});
    WorkloadSettings settings;
    settings.ops = 200;
    const Schedule schedule = schedule_of(**workload_named("mix")->make(settings));
    MinimiseSettings minimise_settings;
    minimise_settings.run.directory = mount.path();
    const auto found = minimise(minimise_settings, schedule);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().verdict, Verdict::unknown);
}

TEST_F(Afterwards, DamageInOneRecordedScheduleCountsMoreThanAnotherThatCouldNotBeTold) {
    Mount mount;
    mount.start({"--contract", "linux-2.6.19", "--commit-interval", "0"});
    const auto recorded = [](const std::string& id, const std::string& ops) {
        return R"({"id":")" + id +
               R"(","kernel":"2.6.19","block":1024,"files":1,"size":4096,"start":"written",)"
               R"("end":"fsync,munmap,fsync","ops":[)" +
               ops + R"({"op":"commit"}],"damage":[]})" + "\n";
    };
    const std::string lost = recorded(
        "lost", R"({"op":"pwrite","v":1,"file":0,"off":0,"len":4096},)"
                R"({"op":"store","v":2,"file":0,"map":0,"off":3072,"len":1024},{"op":"commit"},)"
                R"({"op":"store","v":4,"file":0,"map":0,"off":1883,"len":598},)");
    const std::string nothing = recorded("nothing", "");
    const partialfs::testing::TemporaryDirectory directory;
    const std::string file = directory.path() / "recorded";
    for (const std::string& both : {lost + nothing, nothing + lost}) {
        std::ofstream(file) << both;
        const auto said = partialfs::testing::run_program(
            {"sh", "-c", R"(exec "$0" replay "$1" "$2" >&2)", MMAPSTRESS, mount.path(), file});
        EXPECT_EQ(said.code, 1) << said.errors;
        EXPECT_THAT(said.errors, HasSubstr("lost: damaged, 1 damaged ranges"));
        EXPECT_THAT(said.errors, HasSubstr("nothing: could not tell, 0 damaged ranges"));
        EXPECT_THAT(said.errors, HasSubstr("\n2 of 2 schedules run: 1 damaged, 1 as recorded\n"));
    }
}

// For each damaged range, explain must name the commit that the ledger blames. It finds the trace
// by itself: in the control directory, or in the file of the mount's option --trace.
TEST_F(Afterwards, ExplainNamesTheCommitThatTheLedgerBlames) {
    for (const bool with_file : {false, true}) {
        Mount mount;
        std::vector<std::string> options{"--contract", "linux-2.6.19", "--commit-interval", "0"};
        if (with_file) {
            options.insert(options.end(), {"--trace", (mount.temporary() / "trace").string()});
        }
        mount.start(options);
        Report report;
        report.result = run_on(mount, "recipe", 64U << 10U);
        ASSERT_FALSE(report.result.damage.empty());
        Evidence evidence;
        evidence.schedule = parse_schedule(report.result.schedule).value();
        evidence.trace = trace_of_mount(report.result.partialfs).value();
        const auto ledger = json_lines(text_of(mount.path() / ".partialfs" / "ledger"));
        for (const DamagedRange& damage : report.result.damage) {
            Report one;
            one.result = report.result;
            one.result.damage = {damage};
            const std::string text = explain(one, evidence, {1, true, {}});
            const auto blamed = std::ranges::find_if(ledger, [&](const nlohmann::json& entry) {
                const auto offset = entry.at("offset").get<std::uint64_t>();
                return entry.at("healed_at").is_null() && offset < damage.range.end.value &&
                       offset + entry.at("length").get<std::uint64_t>() > damage.range.begin.value;
            });
            ASSERT_NE(blamed, ledger.end());
            EXPECT_THAT(text, HasSubstr("flushed by commit " +
                                        std::to_string(blamed->at("cleaned_by").get<int>())));
            EXPECT_THAT(text, HasSubstr("lost:    operation " + std::to_string(damage.lost.value)));
            EXPECT_THAT(text, HasSubstr("stored again"));
            EXPECT_THAT(text, HasSubstr("writepage passed over"));
            EXPECT_THAT(text, HasSubstr("<- lost"));
        }
    }
}

} // namespace
} // namespace mmapstress
