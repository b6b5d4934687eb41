#include "tools/mmapstress/explain/loss_chain.hpp"

#include <gmock/gmock.h>

namespace mmapstress {
namespace {

using partialfs::model::Nanoseconds;

constexpr std::string_view kTrace =
    R"({"t":100,"seq":1,"event":"explicit-write","inode":7,"path":"d/f","offset":4000,"length":200}
{"t":150,"seq":2,"event":"page-dirty","inode":7,"path":"d/f","page":1,"blocks":"1111"}
{"t":200,"seq":3,"event":"ordered-flush","inode":7,"path":"d/f","page":1,"blocks":"1111","commit":5}
{"t":201,"seq":4,"event":"ordered-flush","inode":7,"path":"d/f","page":2,"blocks":"1111","commit":5}
{"t":210,"seq":5,"event":"commit","commit":5}
{"t":400,"seq":6,"event":"writepage","inode":7,"path":"d/f","page":1,"written":"0001","skipped":"1110"}
{"t":500,"seq":7,"event":"writepage","inode":7,"path":"d/f","page":1,"written":"1111","skipped":"0000"}
)";

DamagedRange damage(std::uint64_t begin, std::uint64_t end) {
    DamagedRange damage;
    damage.range = {ByteOffset{begin}, ByteOffset{end}};
    damage.lost = OpId{9};
    damage.ops = {OpId{2}, OpId{4}, OpId{9}};
    return damage;
}

TEST(TraceFile, ReadsEveryFieldAndTellsTheBadLine) {
    const auto events = parse_trace(kTrace);
    ASSERT_TRUE(events) << events.error();
    ASSERT_EQ(events->size(), 7U);
    EXPECT_EQ(events->at(0).bytes, (ByteRange{ByteOffset{4000}, ByteOffset{4200}}));
    EXPECT_EQ(events->at(2).commit, 5U);
    EXPECT_EQ(events->at(5).skipped, "1110");
    EXPECT_TRUE(events->at(0).touches(PageIndex{0}));
    EXPECT_TRUE(events->at(0).touches(PageIndex{1}));
    EXPECT_FALSE(events->at(0).touches(PageIndex{2}));
    EXPECT_THAT(parse_trace(std::string(kTrace) + "{\"t\":1}\n").error(),
                testing::StartsWith("line 8: "));
    EXPECT_THAT(parse_trace("not json\n").error(), testing::StartsWith("line 1: "));
    EXPECT_EQ(parse_trace(std::string(kTrace) + "{\"t\":").value().size(), 7U)
        << "a line that is still being written";
}

TEST(LossChain, TellsStoreFlushStoreAndWritepage) {
    const auto events = parse_trace(kTrace).value();
    const OpTimes times{
        {OpId{2}, Nanoseconds{90}}, {OpId{4}, Nanoseconds{140}}, {OpId{9}, Nanoseconds{300}}};
    const auto chain = loss_chain(damage(4196, 4300), events, times);
    ASSERT_EQ(chain.size(), 4U);
    EXPECT_EQ(chain[0], (ChainStep{Nanoseconds{140}, OpId{4}, "stored"}));
    EXPECT_EQ(chain[1].time, Nanoseconds{200});
    EXPECT_THAT(chain[1].what, testing::HasSubstr("commit 5"));
    EXPECT_EQ(chain[2].time, Nanoseconds{300});
    EXPECT_EQ(chain[2].op, OpId{9});
    EXPECT_EQ(chain[3].time, Nanoseconds{400});
    EXPECT_THAT(chain[3].what, testing::HasSubstr("1110 as clean and wrote the blocks 0001"));
}

TEST(LossChain, WithoutTimesTheTraceAloneTells) {
    const auto chain = loss_chain(damage(4196, 4300), parse_trace(kTrace).value(), {});
    ASSERT_EQ(chain.size(), 4U);
    EXPECT_EQ(chain[0].time, Nanoseconds{150});
    EXPECT_THAT(chain[0].what, testing::HasSubstr("found dirty"));
    EXPECT_FALSE(chain[2].time.has_value());
}

TEST(LossChain, SaysNothingOfWhatTheTraceDoesNotShow) {
    const auto events = parse_trace(kTrace).value();
    EXPECT_TRUE(loss_chain(damage(8192, 8200), events, {}).empty()) << "another page";
    EXPECT_TRUE(loss_chain(damage(8000, 8192), events, {}).empty()) << "a block that was written";
    EXPECT_TRUE(loss_chain(damage(4196, 4300), {}, {}).empty());
}

/// A sync that only pretends, a cut, and what it took; irrelevant events before and after.
constexpr std::string_view kCut =
    R"({"t":50,"seq":1,"event":"fault","inode":7,"path":"f","operation":"pwrite","action":"torn","rule":1,"errno":5,"offset":0,"length":10,"amount":3}
{"t":100,"seq":2,"event":"fault","inode":7,"path":"f","operation":"fdatasync","action":"skip","rule":2}
{"t":110,"seq":3,"event":"fault","operation":"syncfs","action":"skip","rule":3}
{"t":120,"seq":4,"event":"power-cut"}
{"t":130,"seq":5,"event":"cut-took","inode":7,"path":"f","offset":4100,"length":8}
{"t":140,"seq":6,"event":"cut-resized","inode":7,"path":"f","size_was":9000,"size_is":8000}
{"t":150,"seq":7,"event":"power-on"}
{"t":160,"seq":8,"event":"power-cut"}
)";

std::vector<std::string> words_of(const std::vector<ChainStep>& chain) {
    std::vector<std::string> words;
    for (const ChainStep& step : chain) {
        words.push_back(step.what);
    }
    return words;
}

TEST(TakenChain, TellsTheFaultsBeforeACutAndWhatItTook) {
    using testing::ElementsAre;
    using testing::HasSubstr;
    const auto events = parse_trace(kCut).value();
    const OpTimes times{{OpId{9}, Nanoseconds{60}}};
    EXPECT_THAT(words_of(loss_chain(damage(4104, 4200), events, times)),
                ElementsAre("made", HasSubstr("fdatasync only pretended (rule 2"),
                            HasSubstr("syncfs only pretended (rule 3"), HasSubstr("power was cut"),
                            "it took 8 bytes at 4100, which memory or the cache of the disk had"));
    EXPECT_THAT(words_of(loss_chain(damage(8500, 8600), events, times)).back(),
                HasSubstr("9000 bytes were seen, 8000 are on disk"));
    EXPECT_EQ(loss_chain(damage(8500, 8600), events, times)[3].time, Nanoseconds{120});
    EXPECT_THAT(loss_chain(damage(5000, 5010), events, times), testing::IsEmpty());
}

TEST(TakenChain, TellsAFaultThatLeftBytesOutByItself) {
    const auto events = parse_trace(kCut).value();
    EXPECT_THAT(words_of(loss_chain(damage(5, 9), events, {})),
                testing::Contains(
                    testing::StartsWith("pwrite of 10 bytes at 0 was torn after 3 bytes (rule 1")));
    EXPECT_THAT(loss_chain(damage(5, 9), events, {{OpId{9}, Nanoseconds{60}}}), testing::IsEmpty())
        << "it struck before";
}

} // namespace
} // namespace mmapstress
