#include "tools/mmapstress/report/progress_file.hpp"

#include <gtest/gtest.h>

namespace mmapstress {
namespace {

const std::string kHead = progress_head("mmapstress.a");

RunProgress read(const std::string& lines) {
    const auto progress = parse_progress(kHead + lines, "mmapstress.a");
    EXPECT_TRUE(progress) << progress.error();
    return progress.value_or(RunProgress{});
}

TEST(ProgressFile, WhatIsWrittenIsRead) {
    const RunProgress progress = read(begun_line(OpId{4097}) + done_line(OpId{3}) +
                                      done_line(OpId{4097}) + begun_line(OpId{8194}));
    EXPECT_EQ(progress.begun, OpId{8194});
    EXPECT_EQ(progress.done, (std::vector{OpId{3}, OpId{4097}}));
    EXPECT_FALSE(progress.ended);
}

TEST(ProgressFile, AtTheEndNothingIsBegunThatIsNotDone) {
    const RunProgress progress = read(begun_line(OpId{4097}) + done_line(OpId{9}) + end_line());
    EXPECT_TRUE(progress.ended);
    EXPECT_EQ(progress.begun, OpId{9});
}

TEST(ProgressFile, ALineThatTheCrashCutShortDoesNotCount) {
    const std::string begun = begun_line(OpId{4097});
    EXPECT_EQ(read(begun + "done 12").done, std::vector<OpId>{}) << "12 may have been 120";
    EXPECT_EQ(read(begun + done_line(OpId{5}) + std::string(64, '\0')).last_done(), OpId{5});
    EXPECT_EQ(read(begun + done_line(OpId{5}) + "done x\n" + done_line(OpId{7})).last_done(),
              OpId{5});
    EXPECT_EQ(read(begun + done_line(OpId{5}) + done_line(OpId{4})).last_done(), OpId{5});
    EXPECT_EQ(read(begun + done_line(OpId{4098})).last_done(), OpId{0}) << "was never allowed";
}

TEST(ProgressFile, OneOfAnotherRunIsRefused) {
    EXPECT_EQ(parse_progress(kHead, "mmapstress.b").error(),
              "it is of another run than the report, in mmapstress.a");
    EXPECT_EQ(parse_progress("", "mmapstress.a").error(),
              "the first line should be 'mmapstress-progress 1 DIRECTORY'");
    EXPECT_EQ(parse_progress("mmapstress-progress 1 mmapstress.a", "mmapstress.a").error(),
              "the first line should be 'mmapstress-progress 1 DIRECTORY'");
}

} // namespace
} // namespace mmapstress
