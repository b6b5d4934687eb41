#include "fusefs/base/units.hpp"

#include <gtest/gtest.h>

namespace partialfs::base {
namespace {

using std::chrono::milliseconds;

TEST(WholeNumber, DigitsAloneAreOne) {
    EXPECT_EQ(parse_whole_number("0"), 0U);
    EXPECT_EQ(parse_whole_number("18446744073709551615"), UINT64_MAX);
    for (const char* text : {"", "-1", "+1", " 1", "1 ", "1K", "0x1", "18446744073709551616"}) {
        EXPECT_EQ(parse_whole_number(text), std::nullopt) << text;
    }
}

TEST(Duration, UnitsAreMillisecondsSecondsMinutesAndHours) {
    EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
    EXPECT_EQ(parse_duration("5s"), milliseconds(5000));
    EXPECT_EQ(parse_duration("2min"), milliseconds(120'000));
    EXPECT_EQ(parse_duration("3h"), milliseconds(10'800'000));
    EXPECT_EQ(parse_duration("0"), milliseconds(0));
    EXPECT_EQ(parse_duration("0s"), milliseconds(0));
}

TEST(Duration, AnythingElseIsNone) {
    for (const char* text : {"", "5", "s", "-1s", "5 s", "5sec", "5hours", "1.5s", "5m", "5s ",
                             "99999999999999999999s", "18446744073709551615min"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

TEST(Size, UnitsArePowersOf1024) {
    EXPECT_EQ(parse_size("4096"), model::ByteCount{4096});
    EXPECT_EQ(parse_size("3K"), model::ByteCount{3072});
    EXPECT_EQ(parse_size("256M"), model::ByteCount{std::uint64_t{256} << 20U});
    EXPECT_EQ(parse_size("1GiB"), model::ByteCount{std::uint64_t{1} << 30U});
    EXPECT_EQ(parse_size("2T"), model::ByteCount{std::uint64_t{2} << 40U});
}

TEST(Size, AnythingElseIsNone) {
    for (const char* text :
         {"", "M", "1KB", "-1", "1 M", "1.5G", "8388608T", "9223372036854775808", "1Kx"}) {
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_size("9223372036854775807"), model::ByteCount{INT64_MAX});
}

} // namespace
} // namespace partialfs::base
