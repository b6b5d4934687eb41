#include "fusefs/base/nearest_name.hpp"

#include <gtest/gtest.h>

#include <array>

namespace partialfs::base {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kNames{"contract"sv, "commit-interval"sv, "flush-policy"sv, "trace"sv, "ro"sv};

TEST(NearestName, OneMistakeOfEachKindIsSeenThrough) {
    for (const auto text : {"cotract"sv, "conttract"sv, "contrakt"sv, "cnotract"sv, "contract"sv}) {
        EXPECT_EQ(nearest_name(text, kNames), "contract") << text;
    }
    EXPECT_EQ(nearest_name("comit-intervall", kNames), "commit-interval");
}

TEST(NearestName, WhatIsQuiteDifferentHasNone) {
    for (const auto text : {"frobnicate"sv, ""sv, "tr"sv, "rw"sv}) {
        EXPECT_EQ(nearest_name(text, kNames), std::nullopt) << text;
    }
}

TEST(NearestName, ManyLettersMoreAreAnotherWord) {
    EXPECT_EQ(nearest_name("contract-of-the-kernel", kNames), std::nullopt);
}

} // namespace
} // namespace partialfs::base
