#include "fusefs/power/command.hpp"

#include <gtest/gtest.h>

#include <string>

namespace partialfs::power {
namespace {

std::string understood(const std::string& text) {
    const auto command = parse_command(text);
    return command ? to_text(*command) : "refused: " + command.error();
}

TEST(PowerCommand, IsReadAsItIsWritten) {
    EXPECT_EQ(understood("cut\n"), "cut tear=all");
    EXPECT_EQ(understood("cut tear=none"), "cut tear=none");
    EXPECT_EQ(understood("cut-and-on tear=4096 seed=7"), "cut-and-on tear=4096 seed=7");
    EXPECT_EQ(understood("cut seed=3 keep-order"), "cut tear=512 keep-order seed=3");
    EXPECT_EQ(understood("cut at=fsync:2 path=*.db when=after tear=none"),
              "cut tear=none at=fsync:2 when=after path=*.db");
    EXPECT_EQ(understood("cut at=op:1  # a comment"), "cut tear=all at=op:1 when=before");
    EXPECT_EQ(understood("cut path=\"/my db/*\" at=fsync:1"),
              "cut tear=all at=fsync:1 when=before path=\"my db/*\"");
    EXPECT_EQ(understood("on\n\n"), "on");
    EXPECT_EQ(understood("disarm"), "disarm");
}

TEST(PowerCommand, WhatItSaysCanBeReadAgain) {
    for (const char* text :
         {"cut tear=512 keep-order seed=9 at=rename:1 when=after path=a/*", "cut-and-on at=op:1000",
          "cut at=fsync:1 path=\"a b\tc*\"", "cut at=commit:3", "cut tear=4096 seed=1"}) {
        const auto once = parse_command(text);
        ASSERT_TRUE(once) << text;
        EXPECT_EQ(parse_command(to_text(*once)), once) << text;
    }
}

TEST(PowerCommand, WhatIsWrongIsNamed) {
    const auto refuses = [](const std::string& text, const std::string& word) {
        const std::string answer = understood(text);
        EXPECT_TRUE(answer.starts_with("refused: ")) << text << ": " << answer;
        EXPECT_NE(answer.find(word), std::string::npos) << text << ": " << answer;
    };
    refuses("", "the command is empty");
    refuses("\n", "the command is empty");
    refuses("cut\non", "one command at a time");
    refuses("cut at=fsync:1 path=\"a", "not closed");
    refuses("cut at=fsync:1 path=my db", "'db' is not understood");
    refuses("cut at=fsync:1 path=//", "names no file");
    refuses("off", "'off'");
    refuses("on now", "on takes nothing after it");
    refuses("cut tear=1024", "tear=1024");
    refuses("cut seed=x tear=512", "seed=x");
    refuses("cut tear=512 tear=none", "'tear' is given twice");
    refuses("cut at=fsync:1 at=op:1", "'at' is given twice");
    refuses("cut " + std::string(100'000, 'x'), std::string(80, 'x') + "...'");
    refuses("cut \1x\2", "'?x?'");
    refuses("cut seed=1", "seed= goes with");
    refuses("cut tear=none keep-order", "keep-order goes with");
    refuses("cut at=fsync", "at=fsync:1");
    refuses("cut at=fsync:0", "from 1 on");
    refuses("cut at=close:1", "'close' is no moment");
    refuses("cut at=commit:1 path=*", "a commit has no path");
    refuses("cut at=op:1 when=after", "when=after goes with");
    refuses("cut path=*.db", "belong to at=");
    refuses("cut at=fsync:1 when=during", "when=during");
    refuses("cut hard", "'hard'");
    refuses("cut tear=", "'tear='");
}

} // namespace
} // namespace partialfs::power
