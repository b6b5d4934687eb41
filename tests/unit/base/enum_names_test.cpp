#include "fusefs/base/enum_names.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace partialfs::testing {
namespace {

enum class Colour : std::uint8_t { red, green, blue };
constexpr std::array kColours{base::EnumName{Colour::red, "red"},
                              base::EnumName{Colour::green, "green"},
                              base::EnumName{Colour::blue, "blue"}};
constexpr const auto& enum_names(Colour) {
    return kColours;
}

TEST(EnumNames, EveryValueHasItsNameAndIsFoundByIt) {
    EXPECT_EQ(base::name_of(Colour::red), "red");
    EXPECT_EQ(base::name_of(Colour::blue), "blue");
    EXPECT_EQ(base::from_name<Colour>("green"), Colour::green);
}

TEST(EnumNames, AnyOtherTextIsNone) {
    EXPECT_EQ(base::from_name<Colour>("Red"), std::nullopt);
    EXPECT_EQ(base::from_name<Colour>("re"), std::nullopt);
    EXPECT_EQ(base::from_name<Colour>(""), std::nullopt);
}

TEST(EnumNames, MessagesNameThemAll) {
    EXPECT_EQ(base::all_names<Colour>(), "red, green or blue");
}

} // namespace
} // namespace partialfs::testing
