#include "fusefs/file/probe_window.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace partialfs::file {
namespace {

using model::PageIndex;
using Bounds = std::pair<std::uint64_t, std::uint64_t>;

PageRange range(Bounds bounds) {
    return {PageIndex{bounds.first}, PageIndex{bounds.second}};
}

PageSet pages(std::initializer_list<Bounds> ranges) {
    PageSet set;
    for (const Bounds& bounds : ranges) {
        set.append(range(bounds));
    }
    return set;
}

TEST(ProbeWindow, TellsAllThatWasFoundIfNothingHappened) {
    ProbeWindow window;
    window.open();
    EXPECT_EQ(window.close(pages({{1, 3}, {7, 7}})).ranges(), pages({{1, 3}, {7, 7}}).ranges());
}

TEST(ProbeWindow, LeavesOutPagesWrittenBackMeanwhile) {
    ProbeWindow window;
    window.open();
    window.written_back(range({3, 8}));
    window.written_back(range({1, 1}));
    EXPECT_EQ(window.close(pages({{0, 3}, {5, 6}, {8, 10}})).ranges(),
              pages({{0, 0}, {2, 2}, {9, 10}}).ranges());
}

TEST(ProbeWindow, TellsNothingAfterATruncation) {
    ProbeWindow window;
    window.open();
    window.spoil();
    EXPECT_TRUE(window.close(pages({{0, 3}})).empty());
}

TEST(ProbeWindow, ForgetsWhatHappenedBeforeItWasOpened) {
    ProbeWindow window;
    window.written_back(range({0, 3}));
    window.spoil();
    window.open();
    EXPECT_EQ(window.close(pages({{0, 3}})).count(), 4);
    window.open();
    window.written_back(range({0, 3}));
    EXPECT_TRUE(window.close(pages({{0, 3}})).empty());
    window.open();
    EXPECT_EQ(window.close(pages({{0, 3}})).count(), 4);
}

RC_GTEST_PROP(ProbeWindow, IsTheDifferenceOfTheTwoSets, ()) {
    constexpr std::uint64_t kPages = 40;
    const auto dirty = *rc::gen::container<std::vector<bool>>(kPages, rc::gen::arbitrary<bool>());
    PageSet found;
    for (std::uint64_t page = 0; page < kPages; ++page) {
        if (dirty[page]) {
            found.append(range({page, page}));
        }
    }
    ProbeWindow window;
    window.open();
    std::vector<bool> written(kPages);
    const auto ranges = *rc::gen::container<std::vector<Bounds>>(rc::gen::pair(
        rc::gen::inRange<std::uint64_t>(0, kPages), rc::gen::inRange<std::uint64_t>(0, 8)));
    for (const auto& [first, more] : ranges) {
        const std::uint64_t last = std::min(first + more, kPages - 1);
        window.written_back(range({first, last}));
        std::fill(written.begin() + static_cast<std::ptrdiff_t>(first),
                  written.begin() + static_cast<std::ptrdiff_t>(last) + 1, true);
    }
    const PageSet left = window.close(found);
    for (std::uint64_t page = 0; page < kPages; ++page) {
        RC_ASSERT(left.contains(PageIndex{page}) == (dirty[page] && !written[page]));
    }
}

} // namespace
} // namespace partialfs::file
