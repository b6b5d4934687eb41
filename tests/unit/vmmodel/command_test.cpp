// The program's command line: exit codes, and messages about bad input.
#include "tests/shell_command.hpp"
#include "tests/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace {

using partialfs::testing::Said;
using ::testing::HasSubstr;

Said vmmodel(const std::string& arguments) {
    return partialfs::testing::said_by(VMMODEL_BINARY " " + arguments);
}

const std::string kGolden = VMMODEL_GOLDEN_DIR "/ext3-ordered-2.6.19.jsonl.zst";
const std::string kSmall = "--stores 2 --writes 0 --commits 1 --writepages 1 --msyncs 0";

TEST(Command, ExitCodesTellWhatWasFound) {
    EXPECT_EQ(vmmodel("explore --filesystem eager " + kSmall).code, 1);
    EXPECT_EQ(vmmodel("explore --filesystem ordered-eager " + kSmall).code, 1) << "its old name";
    EXPECT_EQ(vmmodel("explore --era linux-2.6.23 " + kSmall).code, 0);
    const Said full = vmmodel("explore --era linux-2.6.23 --memory 1M");
    EXPECT_EQ(full.code, 3);
    EXPECT_THAT(full.text, HasSubstr("incomplete"));
    EXPECT_THAT(full.text, ::testing::Not(HasSubstr("no store can be lost")));
    EXPECT_EQ(vmmodel("table --blocks 1 " + kSmall).code, 0);
    EXPECT_EQ(vmmodel("simulate --ops 200000").code, 1);
    EXPECT_EQ(vmmodel("simulate --ops 200000 --era linux-2.6.23").code, 0);
    EXPECT_EQ(vmmodel("explore --era linux-6.12-blockdev " + kSmall).code, 1);
    EXPECT_EQ(vmmodel("explore --filesystem blockdev --blocks 1 " + kSmall).code, 0);
    EXPECT_EQ(vmmodel("simulate --ops 9999 --filesystem linux-6.12-blockdev").code, 1);
}

TEST(Command, PredictTakesTheContractThatAScheduleRanUnder) {
    const partialfs::testing::TemporaryDirectory directory;
    const std::string schedule = (directory / "schedule").string();
    // A daemon gets no request for sync_file_range.
    std::ofstream(schedule) << "mmapstress-schedule 1\nseed 1\nblock 1024\n"
                               "contract linux-6.12-blockdev\npolicy writeback\n"
                               "file 0 size=4096 start=written+fsync\n"
                               "1 write file=0 off=0 len=1\n"
                               "2 sync_file_range file=0 off=0 len=4096\n"
                               "3 store file=0 off=9 len=9\n";
    EXPECT_EQ(vmmodel("predict " + schedule).code, 0);
    EXPECT_THAT(vmmodel("predict --format json " + schedule).text,
                HasSubstr(R"("era":"linux-6.12-blockdev","filesystem":"blockdev")"));
    const Said lost = vmmodel("predict --filesystem blockdev " + schedule);
    EXPECT_EQ(lost.code, 1);
    EXPECT_THAT(lost.text, HasSubstr("block 0 of page 0 was not marked dirty: no write(2) has"));
    EXPECT_THAT(lost.text, HasSubstr("passed over by the writeback of the end of the schedule"));
    EXPECT_EQ(vmmodel("predict --through kernel " + schedule).code, 1);
    EXPECT_EQ(vmmodel("predict --era linux-2.6.19 " + schedule).code, 0);
    EXPECT_THAT(vmmodel("play --filesystem blockdev " + schedule).text,
                HasSubstr("the page is marked dirty, the block is not"));
}

TEST(Command, PredictChecksRecordedSchedules) {
    const Said equal = vmmodel("predict --check " + kGolden);
    EXPECT_EQ(equal.code, 0);
    EXPECT_THAT(equal.text, HasSubstr("1108 of 1108 equal"));
    EXPECT_EQ(vmmodel("predict --check --filesystem writeback " + kGolden).code, 1);
    EXPECT_EQ(vmmodel("predict --era linux-2.6.20 " + kGolden).code, 0);
}

TEST(Command, PlayWithoutATerminalPrintsTheRun) {
    const Said printed = vmmodel("play --filesystem eager");
    EXPECT_EQ(printed.code, 0);
    EXPECT_THAT(printed.text, HasSubstr("try_to_free_buffers, page freed"));
    EXPECT_THAT(printed.text, ::testing::Not(HasSubstr("\x1b")));
    EXPECT_THAT(vmmodel("play --id 1024-100068 " + kGolden).text, HasSubstr("gone for good"));
}

/// Expects one line with `said` in it, and exit code 2.
void expect_refused(const std::string& arguments, const std::string& said) {
    const Said outcome = vmmodel(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_THAT(outcome.text, HasSubstr(said)) << arguments;
    EXPECT_TRUE(outcome.text.starts_with("vmmodel: ")) << outcome.text;
    EXPECT_EQ(std::ranges::count(outcome.text, '\n'), 1) << outcome.text;
}

TEST(Command, BadInputIsRefusedInOneLine) {
    expect_refused("", "subcommand is required");
    expect_refused("explore --era linux-3", "'linux-3' is none of linux-2.6.18");
    expect_refused(
        "explore --filesystem ext9",
        "'ext9' is none of ext3, eager, writeback, blockdev; see vmmodel explore --help");
    for (const std::string& command : {std::string{"explore"}, std::string{"simulate"},
                                       std::string{"play"}, "predict " + kGolden}) {
        expect_refused(command + " --era linux-2.6.19 --filesystem blockdev",
                       "--era linux-2.6.19 does not go with --filesystem blockdev");
        expect_refused(command + " --era linux-6.12-blockdev --filesystem ordered",
                       "does not go with --filesystem ext3");
    }
    expect_refused("explore --pages 3", "--pages must be from 1 to 2, not 3");
    expect_refused("explore --blocks 5", "--blocks must be from 1 to 4");
    expect_refused("explore --stores 15 --writes 15", "together must be at most 15");
    expect_refused("explore --stores x", "--stores");
    expect_refused("explore --filesystem reiserfs", "only predict has it");
    expect_refused("play --filesystem reiserfs " + kGolden, "only predict has it");
    expect_refused("explor", "no such command: 'explor'; did you mean 'explore'?");
    expect_refused("explore --page 2", "no such option: '--page'; did you mean '--pages'?; see "
                                       "vmmodel explore --help");
    expect_refused("explore --xyzzy", "no such option: '--xyzzy'; see vmmodel explore --help");
    expect_refused("explore --memory -5", "'-5' is not a size");
    expect_refused("simulate --ops -5", "'-5' is not a whole number");
    expect_refused("simulate --ops 1e6", "'1e6' is not a whole number");
    expect_refused("simulate --seed 99999999999999999999", "is not a whole number");
    expect_refused("predict --through fuse --filesystem reiserfs " + kGolden, "not reiserfs");
    expect_refused("predict /nonexistent", "No such file or directory");
    expect_refused("predict --through fuse --era linux-2.6.18 " + kGolden, "--through fuse");
    expect_refused("play --era linux-2.6.23", "nothing to play");
    expect_refused("play --id nobody " + kGolden, "no schedule 'nobody'");
    const partialfs::testing::TemporaryDirectory directory;
    const auto schedule = directory / "schedule";
    std::ofstream(schedule) << "mmapstress-schedule 1\nseed 1\nfile 0 size=4096 start=sparse\n"
                               "1 store file=0 off=0 len=1\n2 explode file=0\n";
    expect_refused("predict " + schedule.string(), "line 5: no such operation: 'explode'");
    std::ofstream(schedule) << "mmapstress-schedule 1\nseed 1\nfile 0 size=4096 start=sparse\n"
                               "1 store file=0 off=0 len=1\n";
    expect_refused("predict " + schedule.string(), "--block-size");
    expect_refused("predict --block-size 3 " + schedule.string(), "none of 512, 1024, 2048, 4096");
}

TEST(Command, WhatTheModelDoesNotKnowIsRefusedByName) {
    const partialfs::testing::TemporaryDirectory directory;
    const auto schedule = directory / "schedule";
    std::ofstream(schedule) << "mmapstress-schedule 1\nseed 1\nblock 1024\n"
                               "file 0 size=4096 start=sparse\n1 store file=0 off=0 len=1\n"
                               "7 read-store file=0 off=0 len=1\n";
    for (const std::string through : {"kernel", "fuse"}) {
        const Said outcome = vmmodel("predict --through " + through + " " + schedule.string());
        EXPECT_EQ(outcome.code, 3);
        EXPECT_THAT(outcome.text,
                    HasSubstr("does not know the operation read-store, which is number 7"));
    }
}

TEST(Command, AFullDiskIsNotSilent) {
    const Said outcome = vmmodel("explore --era linux-2.6.23 " + kSmall + " >/dev/full");
    EXPECT_EQ(outcome.code, 3);
}

} // namespace
