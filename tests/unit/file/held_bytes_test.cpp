#include "fusefs/file/held_bytes.hpp"

#include <gtest/gtest.h>

#include <string>

namespace partialfs::file {
namespace {

using model::BlockSize;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

constexpr ByteRange kRange{ByteOffset{100}, ByteOffset{104}};

class Held : public ::testing::Test {
  protected:
    void put(std::uint64_t offset, const std::string& text) {
        const ByteRange range{ByteOffset{offset}, ByteOffset{offset + text.size()}};
        ASSERT_TRUE(held_.put(
            range.begin, std::as_bytes(std::span(text)), [] { return nullptr; }, budget_));
        state_.write(range, model::Contract::linux_2_6_20);
    }
    /// What a reader of a page of dots gets for the range.
    [[nodiscard]] std::string buffered(ByteRange range = kRange) const {
        std::string text(range.size().value, '.');
        held_.buffered().overlay(range.begin, std::as_writable_bytes(std::span(text)));
        return text;
    }
    [[nodiscard]] std::string brought_up_to_date(Epoch since) const {
        std::string text(kRange.size().value, '.');
        held_.bring_up_to_date(kRange.begin, std::as_writable_bytes(std::span(text)), since);
        return text;
    }
    /// What a flush does once it has written the range.
    void flush() { held_.flushed(kRange, held_.write_begins()); }
    void sync() {
        held_.sync_begins();
        held_.synced();
    }

    BufferBudget budget_{1U << 20U};
    HeldBytes held_;
    model::FileState state_{*BlockSize::from_bytes(1024), ByteOffset{0}, false};
};

TEST_F(Held, BytesAreBufferedThenInFlightThenGone) {
    put(100, "abcd");
    EXPECT_EQ(buffered(), "abcd");
    flush();
    EXPECT_EQ(buffered(), "....");
    EXPECT_FALSE(held_.empty()) << "on disk, but not for good";
    sync();
    EXPECT_TRUE(held_.empty());
}

TEST_F(Held, AFailedSyncMakesThemBufferedAndTheirBlocksDirtyAgain) {
    put(100, "abcd");
    state_.flush(PageIndex{0}, model::FlushPolicy::eager, model::CommitId{1});
    flush();
    EXPECT_TRUE(state_.blocks().page(PageIndex{0}).dirty.empty());
    held_.sync_begins();
    held_.sync_failed(state_);
    EXPECT_EQ(buffered(), "abcd");
    EXPECT_FALSE(state_.blocks().page(PageIndex{0}).dirty.empty());
}

TEST_F(Held, WhatCameAfterAFailedSyncsBytesWins) {
    put(100, "abcd");
    flush();
    put(101, "X");
    held_.sync_begins();
    held_.sync_failed(state_);
    EXPECT_EQ(buffered(), "aXcd");
}

TEST_F(Held, BytesPutDuringAWriteStayBuffered) {
    put(100, "abcd");
    const Epoch before = held_.write_begins();
    put(102, "X");
    held_.flushed(kRange, before);
    EXPECT_EQ(buffered(), "..X.");
}

TEST_F(Held, ASyncMakesOnlyWhatWasThereWhenItBeganDurable) {
    put(100, "abcd");
    held_.sync_begins();
    flush();
    held_.synced();
    EXPECT_FALSE(held_.empty());
}

TEST_F(Held, AWritepageReplacesThem) {
    put(100, "abcd");
    held_.replaced(whole_pages(kRange));
    EXPECT_TRUE(held_.empty());
}

TEST_F(Held, ACopyGetsWhatIsNewerThanIt) {
    put(100, "ab");
    const Epoch since = held_.fetch_begins();
    put(102, "cd");
    EXPECT_EQ(brought_up_to_date(since), "..cd") << "the kernel's copy has the first two";
}

TEST_F(Held, ACopyGetsWhatTheCacheHasNot) {
    put(100, "ab");
    held_.behind_cache({ByteOffset{100}, ByteOffset{102}}, /*zeroed=*/false);
    const Epoch since = held_.fetch_begins();
    EXPECT_EQ(brought_up_to_date(since), "ab..");
    held_.cache_caught_up(kRange);
    EXPECT_EQ(brought_up_to_date(since), "....");
}

TEST_F(Held, WhatTheCacheIsBehindInIsForgottenWithItsBytes) {
    for (std::uint64_t i = 0; i < 1000; ++i) {
        put(i * 4, "abcd");
        held_.behind_cache({ByteOffset{i * 4}, ByteOffset{i * 4 + 4}}, /*zeroed=*/false);
    }
    held_.behind_cache(kRange, /*zeroed=*/true);
    held_.flushed({ByteOffset{0}, ByteOffset{4000}}, held_.write_begins());
    sync();
    EXPECT_EQ(held_.ranges_behind_cache(), 1U) << "the zeroed edge";
    sync();
    sync();
    EXPECT_EQ(held_.ranges_behind_cache(), 0U);
}

} // namespace
} // namespace partialfs::file
