#include "tools/mmapstress/explain/block_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mmapstress {
namespace {

using partialfs::model::Nanoseconds;
using testing::HasSubstr;
using testing::Not;

TraceEvent event(std::uint64_t time, const std::string& kind) {
    TraceEvent result;
    result.time = Nanoseconds{time};
    result.event = kind;
    return result;
}

std::vector<TraceEvent> recipe() {
    std::vector<TraceEvent> events(4);
    events[0] = event(1, "explicit-write");
    events[0].bytes = {ByteOffset{4096}, ByteOffset{4096 + 2048}};
    events[1] = event(3, "page-dirty");
    events[1].page = PageIndex{1};
    events[2] = event(4, "ordered-flush");
    events[2].page = PageIndex{1};
    events[2].blocks = "1111";
    events[2].commit = 7;
    events[3] = event(6, "writepage");
    events[3].page = PageIndex{1};
    events[3].written = "0000";
    events[3].skipped = "1111";
    return events;
}

TEST(BlockPicture, ShowsTheRecipe) {
    const std::vector<TimedStore> stores{
        {Nanoseconds{2}, OpId{10}, {ByteOffset{4096}, ByteOffset{4100}}},
        {Nanoseconds{5}, OpId{11}, {ByteOffset{4096 + 1024}, ByteOffset{4096 + 2049}}}};
    const std::string text =
        draw(block_picture(PageIndex{1}, recipe(), stores), Nanoseconds{1}, 10);
    EXPECT_THAT(text, HasSubstr("[d][d][.][.]  write(2)\n"));
    EXPECT_THAT(text, HasSubstr("[d][d][.][.]  store, operation 10\n"));
    EXPECT_THAT(text, HasSubstr("[d][d][d][d]  found dirty"));
    EXPECT_THAT(text, HasSubstr("[W][W][W][W]  commit 7"));
    EXPECT_THAT(text, HasSubstr("[.][!][!][.]  store, operation 11\n"));
    EXPECT_THAT(text, HasSubstr("[.][X][X][.]  writepage writes nothing\n"));
}

TEST(BlockPicture, UnderTheFixEverythingIsWritten) {
    std::vector<TraceEvent> events = recipe();
    std::swap(events[3].written, events[3].skipped);
    const std::vector<TimedStore> stores{
        {Nanoseconds{5}, OpId{11}, {ByteOffset{4096}, ByteOffset{4097}}}};
    const std::string text = draw(block_picture(PageIndex{1}, events, stores), Nanoseconds{1}, 10);
    EXPECT_THAT(text, HasSubstr("[W][W][W][W]  writepage\n"));
    EXPECT_THAT(text, Not(HasSubstr("[X]")));
}

TEST(BlockPicture, OtherPagesAreNotInIt) {
    const auto rows = block_picture(PageIndex{2}, recipe(), {});
    EXPECT_TRUE(rows.empty());
    EXPECT_EQ(draw(rows, Nanoseconds{0}, 10), "");
}

TEST(BlockPicture, OfManyRowsTheLastAreShown) {
    const std::string text = draw(block_picture(PageIndex{1}, recipe(), {}), Nanoseconds{1}, 1);
    EXPECT_THAT(text, HasSubstr("(3 earlier)"));
    EXPECT_THAT(text, HasSubstr("writepage"));
    EXPECT_THAT(text, Not(HasSubstr("write(2)")));
}

} // namespace
} // namespace mmapstress
