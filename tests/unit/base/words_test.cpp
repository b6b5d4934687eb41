#include "fusefs/base/words.hpp"

#include <gmock/gmock.h>

namespace partialfs::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> read(std::string_view line) {
    return words_of(line).value_or(std::vector<std::string>{"refused"});
}

TEST(Words, BlanksAreBetweenThemAndWithinQuotes) {
    EXPECT_THAT(read(" one\ttwo  three\r"), ElementsAre("one", "two", "three"));
    EXPECT_THAT(read("path=\"a b\" \"whole word\" \"\""),
                ElementsAre("path=a b", "whole word", ""));
    EXPECT_THAT(read("a\"b c\"d"), ElementsAre("ab cd"));
    EXPECT_THAT(read("a \"b"), ElementsAre("refused"));
}

TEST(Words, ACommentBeginsBeforeAWord) {
    EXPECT_THAT(read("a b#c # d \" e"), ElementsAre("a", "b#c"));
    EXPECT_THAT(read("\"# none\""), ElementsAre("# none"));
    EXPECT_THAT(read("# all"), IsEmpty());
}

TEST(Words, AValueIsReadAsItWas) {
    for (const char* value :
         {"plain", "with blank", "tab\t", "return\r", "#", "a#b", "", "*?[x]\\"}) {
        EXPECT_THAT(read("key=" + word_for(value)), ElementsAre("key=" + std::string(value)));
    }
    EXPECT_EQ(word_for("*.db"), "*.db") << "no quotes without need";
}

} // namespace
} // namespace partialfs::base
