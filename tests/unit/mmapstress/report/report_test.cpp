#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace mmapstress {
namespace {

TEST(WhatItHolds, DoesNotDependOnHowAFileIsFormatted) {
    const std::string report = R"({"format": "mmapstress-report", "version": 1})";
    const std::string recorded = R"({"id": "one", "ops": []})";
    EXPECT_EQ(what_it_holds(report), Holds::report);
    EXPECT_EQ(what_it_holds("{\n" + report.substr(1)), Holds::report);
    EXPECT_EQ(what_it_holds("\n " + report + "\n"), Holds::report);
    EXPECT_EQ(what_it_holds(recorded), Holds::recorded);
    EXPECT_EQ(what_it_holds("{\n" + recorded.substr(1)), Holds::recorded);
    EXPECT_EQ(what_it_holds(recorded + "\n" + recorded + "\n"), Holds::recorded);
    EXPECT_EQ(what_it_holds("{\n\"format\": "), Holds::report) << "a report cut short";
    EXPECT_EQ(what_it_holds("mmapstress-schedule 1\n"), Holds::schedule);
    EXPECT_EQ(what_it_holds(""), Holds::schedule);
}

RunResult everything() {
    RunResult result;
    result.header.seed = 18446744073709551615U;
    result.header.workload = "mix";
    result.directory = "/mnt/x/mmapstress.abc";
    result.kept = true;
    result.files = {"/mnt/x/mmapstress.abc/file0", "/mnt/x/mmapstress.abc/file1"};
    result.sizes = {ByteCount{8192}, ByteCount{1}};
    result.disk = "/back";
    result.partialfs = "/mnt/x";
    result.filesystem = "fuse.partialfs";
    result.kernel = "6.1";
    result.rounds = 3;
    result.ops = 17;
    result.ops_by_kind[static_cast<std::size_t>(OpKind::store)] = 12;
    result.commits = {7, 2};
    result.last_op = OpId{40};
    result.seconds = 1.5;
    StageResult& cold = result.stages[static_cast<std::size_t>(Stage::evicted)];
    cold = {StageResult::State::checked, "", 8193, 700, 64, 5, 1, 0.25};
    result.stages[static_cast<std::size_t>(Stage::direct)].reason = "not \"here\"";
    DamagedRange stale;
    stale.file = FileIndex{1};
    stale.range = {ByteOffset{4100}, ByteOffset{4105}};
    stale.stages = 8;
    stale.kind = DamageKind::stale;
    stale.lost = OpId{9};
    stale.origin = OpId{4};
    stale.ops = {OpId{4}, OpId{9}};
    DamagedRange misplaced = stale;
    misplaced.kind = DamageKind::misplaced;
    misplaced.origin_file = FileIndex{1};
    misplaced.origin_offset = ByteOffset{77};
    result.damage = {stale, misplaced};
    result.damage_not_kept = 2;
    result.past_eof = {{FileIndex{1}, {ByteOffset{4106}, ByteOffset{4107}}, OpId{4}}};
    result.left_out = {{"clone", "Operation not supported"}, {"size-changes", "not wanted"}};
    result.totals.rounds = 3;
    result.totals.ops = 51;
    result.totals.ops_by_kind[static_cast<std::size_t>(OpKind::append)] = 3;
    result.totals.seconds = 4.5;
    result.totals.past_eof = 2;
    result.totals.stages[static_cast<std::size_t>(Stage::disk)] = {100, 50, 1, 0.5};
    result.totals.workloads = {{"mix", 2, 34}, {"gup", 1, 17}};
    result.totals.known_faults = {{"K4", 2, "mix", 5}, {"K1", 1, "gup", 6}};
    result.problems = {{"no good", OpId{3}}, {"nor this", OpId{0}}};
    result.judgement = {"broken"};
    result.named_ops[OpId{9}] = "9 store file=1 off=4100 len=5";
    result.named_times[OpId{9}].value = 123456789012U;
    result.schedule = "mmapstress-schedule 1\n";
    return result;
}

TEST(Verdicts, DamageCountsMostThenWhatCouldNotBeTold) {
    const std::array order{Verdict::clean, Verdict::usage, Verdict::unknown, Verdict::damaged};
    for (std::size_t i = 0; i < order.size(); ++i) {
        for (std::size_t j = 0; j < order.size(); ++j) {
            EXPECT_EQ(worse_of(order[i], order[j]), order[std::max(i, j)]) << i << ", " << j;
        }
    }
}

TEST(Report, ComesBackAsItWas) {
    const RunResult result = everything();
    const std::string text = report_json(result, ReportState::interrupted);
    const auto report = parse_report(text);
    ASSERT_TRUE(report) << report.error();
    EXPECT_EQ(report->state, ReportState::interrupted);
    EXPECT_EQ(report_json(report->result, report->state), text);
    EXPECT_EQ(report->result.commits, result.commits);
    EXPECT_EQ(report->result.damage, result.damage);
    EXPECT_EQ(report->result.stages, result.stages);
    EXPECT_EQ(report->result.problems, result.problems);
    EXPECT_EQ(report->result.named_ops, result.named_ops);
    EXPECT_EQ(report->result.named_times, result.named_times);
    EXPECT_EQ(report->result.verdict(), Verdict::damaged);
}

TEST(Report, SaysWhatIsWrongWithIt) {
    const auto error_of = [](const std::string& text) {
        const auto report = parse_report(text);
        return report ? std::string("accepted") : report.error();
    };
    EXPECT_EQ(error_of("[]"), "not a report of mmapstress");
    EXPECT_EQ(error_of("{\"format\": \"mmapstress-report\", \"version\": 7}"),
              "version 7; this program knows version 1");
    EXPECT_TRUE(error_of("{\n\"format\": nonsense").starts_with("not JSON: line 2, column"));
    const std::string good = report_json(everything(), ReportState::finished);
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        const std::size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return error_of(text.replace(at, from.size(), to));
    };
    EXPECT_EQ(with("\"seed\"", "\"sead\""), "no \"seed\"");
    EXPECT_EQ(with("\"kept\": true", "\"kept\": 1"), "\"kept\" is not true or false");
    EXPECT_EQ(with("\"stale\"", "\"mouldy\""), "no such word: 'mouldy'");
    EXPECT_EQ(with("\"file\": 1", "\"file\": 2"), "damage of a file that is not listed");
    EXPECT_EQ(with("\"store\": 12", "\"stoer\": 12"), "no such operation: 'stoer'");
    EXPECT_EQ(with("\"lost\": 9", "\"lost\": -9"), "\"lost\" is not a number");
    EXPECT_EQ(error_of(good.substr(0, good.size() / 2)).substr(0, 8), "not JSON");
}

TEST(WriteFile, ReplacesTheFileOrLeavesItAlone) {
    const partialfs::testing::TemporaryDirectory directory;
    const std::string path = directory / "report";
    EXPECT_TRUE(write_file_atomically(path, "one"));
    EXPECT_TRUE(write_file_atomically(path, "two"));
    EXPECT_EQ(read_file(path), "two");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()),
                            std::filesystem::directory_iterator()),
              1)
        << "no temporary file is left";
    const auto refused = write_file_atomically(directory / "none" / "report", "x");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find("No such file or directory"), std::string::npos);
    EXPECT_FALSE(read_file(directory / "none"));
}

} // namespace
} // namespace mmapstress
