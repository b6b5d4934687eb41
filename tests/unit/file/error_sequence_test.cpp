#include "fusefs/file/error_sequence.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace partialfs::file {
namespace {

TEST(ErrorSequence, TellsEveryDescriptionOnce) {
    ErrorSequence errors;
    ErrorSequence::Position one = errors.sample();
    ErrorSequence::Position two = errors.sample();
    errors.record(EIO);
    EXPECT_EQ(errors.check_and_advance(one), EIO);
    EXPECT_EQ(errors.check_and_advance(one), 0);
    EXPECT_EQ(errors.check_and_advance(two), EIO);
    errors.record(ENOSPC);
    EXPECT_EQ(errors.check_and_advance(one), ENOSPC);
}

TEST(ErrorSequence, AnErrorThatNobodyWasToldOfWaitsForTheNextOpen) {
    ErrorSequence errors;
    errors.record(EIO);
    ErrorSequence::Position late = errors.sample();
    EXPECT_EQ(errors.check_and_advance(late), EIO);
    ErrorSequence::Position later = errors.sample();
    EXPECT_EQ(errors.check_and_advance(later), 0) << "somebody has been told";
}

TEST(ErrorSequence, TheFlagOfAnInodeIsTakenByTheFirst) {
    ErrorSequence errors;
    ErrorSequence::Position one = errors.sample();
    ErrorSequence::Position two = errors.sample();
    EXPECT_EQ(errors.take(one), 0);
    errors.record(EIO);
    EXPECT_EQ(errors.take(two), EIO);
    EXPECT_EQ(errors.take(one), 0);
    EXPECT_EQ(errors.take(two), 0);
    errors.record(ENOSPC);
    errors.forget();
    EXPECT_EQ(errors.take(one), 0);
}

} // namespace
} // namespace partialfs::file
