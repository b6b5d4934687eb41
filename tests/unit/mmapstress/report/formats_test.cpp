#include "tools/mmapstress/report/formats.hpp"

#include <gmock/gmock.h>

namespace mmapstress {
namespace {

using State = TestCase::State;
using testing::HasSubstr;
using testing::Not;

StageResult& stage(RunResult& result, Stage which) {
    return result.stages[static_cast<std::size_t>(which)];
}

RunResult clean() {
    RunResult result;
    result.header.seed = 42;
    result.header.workload = "mix";
    result.kernel = "6.1 <&\">";
    result.ops = 10;
    for (StageResult& each : result.stages) {
        each.state = StageResult::State::checked;
        each.bytes = 8192;
    }
    stage(result, Stage::direct) = {};
    stage(result, Stage::direct).reason = "no O_DIRECT here";
    return result;
}

RunResult damaged(std::size_t ranges) {
    RunResult result = clean();
    for (std::size_t i = 0; i < ranges; ++i) {
        DamagedRange damage;
        damage.range = {ByteOffset{i * 4096}, ByteOffset{i * 4096 + 100}};
        damage.kind = DamageKind::stale;
        damage.lost = OpId{i + 1};
        damage.stages = 1U << static_cast<unsigned>(Stage::evicted);
        result.damage.push_back(damage);
    }
    stage(result, Stage::evicted).wrong = ranges * 100;
    stage(result, Stage::evicted).ranges = ranges;
    return result;
}

std::vector<std::string> lines_with(const std::string& text, const std::string& part) {
    std::vector<std::string> found;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at);
        if (line.find(part) != std::string::npos) {
            found.push_back(line);
        }
        at = end + 1;
    }
    return found;
}

TEST(Formats, CleanRunPasses) {
    const std::string text = ktap(suite_of(clean(), 10));
    EXPECT_THAT(text, testing::StartsWith("KTAP version 1\n1..1\n  KTAP version 1\n"));
    EXPECT_TRUE(lines_with(text, "not ok").empty()) << text;
    EXPECT_THAT(text, HasSubstr("ok 1 mmapstress.mix"));
    EXPECT_THAT(text, HasSubstr("direct # SKIP no O_DIRECT here"));
    const std::string xml = junit(suite_of(clean(), 10));
    EXPECT_THAT(xml, HasSubstr("failures=\"0\" errors=\"0\" skipped=\"1\""));
    EXPECT_THAT(xml, HasSubstr("6.1 &lt;&amp;&quot;&gt;"));
}

TEST(Formats, DamageFailsItsStageAndNoOther) {
    const RunResult result = damaged(3);
    for (const TestCase& test : suite_of(result, 10).tests) {
        EXPECT_EQ(test.state == State::failed, test.name == name_of(Stage::evicted)) << test.name;
    }
    const std::string text = ktap(suite_of(result, 2));
    EXPECT_EQ(lines_with(text, "not ok").size(), 2U) << "the stage, and the whole";
    EXPECT_EQ(lines_with(text, "# file 0 offset").size(), 2U);
    EXPECT_THAT(text, HasSubstr("# and 1 more ranges"));
    const std::string xml = junit(suite_of(result, 10));
    EXPECT_THAT(xml, HasSubstr("failures=\"1\" errors=\"0\""));
    EXPECT_THAT(xml, HasSubstr("file 0 offset 8192 length 100 stale"));
}

TEST(Formats, CouldNotTellIsNeverAPass) {
    RunResult result = clean();
    result.problems.push_back({"fsync: Input/output error\nsecond line", OpId{7}});
    EXPECT_THAT(ktap(suite_of(result, 10)),
                HasSubstr("not ok 1 operations # could not tell: operation 7: fsync"));
    EXPECT_THAT(junit(suite_of(result, 10)), HasSubstr("errors=\"1\""));

    RunResult nothing = clean();
    for (StageResult& each : nothing.stages) {
        each = {};
    }
    EXPECT_FALSE(lines_with(ktap(suite_of(nothing, 10)), "not ok").empty());
    EXPECT_THAT(junit(suite_of(nothing, 10)), Not(HasSubstr("failures=\"0\" errors=\"0\"")));

    RunResult no_ops = clean();
    no_ops.ops = 0;
    EXPECT_FALSE(lines_with(ktap(suite_of(no_ops, 10)), "not ok").empty());
}

TEST(Formats, TheProgramsOwnCheckerIsACase) {
    RunResult result = damaged(1);
    result.judgement = {"file 0, piece at 0: hash check failed", "another"};
    const auto tests = suite_of(result, 1).tests;
    EXPECT_EQ(tests.back().name, "checker");
    EXPECT_EQ(tests.back().state, State::failed);
    EXPECT_THAT(tests.back().details, testing::ElementsAre(result.judgement[0], "and 1 more"));
}

} // namespace
} // namespace mmapstress
