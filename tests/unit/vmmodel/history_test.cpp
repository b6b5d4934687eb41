// The machine must reproduce history: which kernel harms stores on which filesystem, and how.
#include "tools/vmmodel/explore/search.hpp"
#include "tools/vmmodel/show/describe.hpp"

#include <gtest/gtest.h>

namespace vmmodel {
namespace {

Bounds bounds_with(std::initializer_list<std::pair<Event, std::uint8_t>> events) {
    Bounds bounds;
    for (const auto& [event, count] : events) {
        bounds.events[static_cast<std::size_t>(event)] = count;
    }
    return bounds;
}

/// The bounds of the documented table, with one commit instead of two.
Bounds usual() {
    return bounds_with({{Event::store, 3},
                        {Event::write, 1},
                        {Event::commit, 1},
                        {Event::writepage, 2},
                        {Event::fsync, 1},
                        {Event::msync, 1}});
}

/// "never", "store, fsync" or "race: ...".
std::string how(const Search& search, Harm harm) {
    EXPECT_TRUE(search.complete) << rules_of(search.era).name;
    const Found* found = search.of(harm);
    if (found == nullptr) {
        return "never";
    }
    return (found->needs_race ? "race: " : "") + list_of(events_of(found->run));
}

Search ask(Era era, Filesystem filesystem, const Bounds& bounds, Races races = Races::automatic) {
    return search(era, filesystem, bounds, races, {});
}

TEST(History, Linux2618LosesNothingButItsFsyncDoesNotSeeStores) {
    for (const FilesystemRules& filesystem : kFilesystems) {
        const Search search = ask(Era::linux_2_6_18, filesystem.filesystem, usual());
        EXPECT_EQ(how(search, Harm::lost), "never");
        EXPECT_EQ(how(search, Harm::fsync_not_durable), "store, fsync");
        EXPECT_EQ(how(search, Harm::msync_not_durable), "never");
    }
}

TEST(History, Linux2619WithAnEagerFilesystemLosesInFourEvents) {
    const Search search = ask(Era::linux_2_6_19, Filesystem::ordered_eager, usual());
    EXPECT_EQ(how(search, Harm::lost), "store, commit, store, writepage");
    EXPECT_EQ(how(search, Harm::fsync_not_durable), "store, commit, store, fsync");
    EXPECT_EQ(how(search, Harm::msync_not_durable), "store, commit, store, msync");
}

TEST(History, Linux2619WithTheOrderedListNeedsAWriteOrAnEarlierWritepage) {
    const Search with_write = ask(Era::linux_2_6_19, Filesystem::ordered, usual());
    EXPECT_EQ(how(with_write, Harm::lost), "store, write(2), commit, store, writepage");
    const Search without_write = ask(
        Era::linux_2_6_19, Filesystem::ordered,
        bounds_with({{Event::store, 3}, {Event::commit, 1}, {Event::writepage, 2}}), Races::never);
    EXPECT_EQ(how(without_write, Harm::lost), "store, writepage, store, commit, store, writepage");
    const Search neither = ask(
        Era::linux_2_6_19, Filesystem::ordered,
        bounds_with({{Event::store, 3}, {Event::commit, 2}, {Event::writepage, 1}}), Races::never);
    EXPECT_EQ(how(neither, Harm::lost), "never");
}

// Without races nothing is lost, as in history. With races a write fault between page_mkclean and
// ->writepage marks blocks dirty which this writepage then cleans.
TEST(History, Linux2619WithoutFlushesOfItsOwnLosesOnlyInARace) {
    const Search calm = ask(Era::linux_2_6_19, Filesystem::writeback, usual(), Races::never);
    EXPECT_TRUE(calm.found.empty());
    EXPECT_TRUE(calm.complete);
    const Search racing = ask(Era::linux_2_6_19, Filesystem::writeback, usual());
    ASSERT_NE(racing.of(Harm::lost), nullptr);
    EXPECT_TRUE(racing.of(Harm::lost)->needs_race);
}

TEST(History, Linux2620IsHarmedOnlyByTheFaultRaceAndLosesNothing) {
    for (const FilesystemRules& filesystem : kFilesystems) {
        const Search search = ask(Era::linux_2_6_20, filesystem.filesystem, usual());
        EXPECT_EQ(how(search, Harm::lost), "never");
        const Found* found = search.of(Harm::fsync_not_durable);
        ASSERT_NE(found, nullptr);
        EXPECT_TRUE(found->needs_race);
        // The race in the kernel's comment: PG_dirty is cleared after the PTE became dirty.
        bool dirty_pte_without_pg_dirty = false;
        for (const Run::Taken& taken : found->run.steps) {
            const PageCell& cell = taken.after.pages[0];
            dirty_pte_without_pg_dirty |= cell.pte[0].dirty() && !cell.fs.page_dirty &&
                                          taken.transition.step == Step::test_clear_page_dirty;
        }
        EXPECT_TRUE(dirty_pte_without_pg_dirty);
    }
}

TEST(History, Linux2623IsHarmedByNothing) {
    for (const Era era : {Era::linux_2_6_23, Era::linux_2_6_27}) {
        for (const FilesystemRules& filesystem : kFilesystems) {
            EXPECT_TRUE(ask(era, filesystem.filesystem, usual()).found.empty());
        }
    }
}

// page_mkclean checked the PTE without its lock until 479db0bf408e, which left this race.
TEST(History, MunmapOfAnotherProcessRacesWithFsyncUntil2627) {
    Bounds bounds = bounds_with({{Event::store, 2},
                                 {Event::commit, 1},
                                 {Event::writepage, 1},
                                 {Event::fsync, 1},
                                 {Event::unmap, 1}});
    bounds.processes = 2;
    for (const Filesystem filesystem : {Filesystem::ordered, Filesystem::ordered_eager}) {
        const Search before = ask(Era::linux_2_6_23, filesystem, bounds);
        ASSERT_NE(before.of(Harm::fsync_not_durable), nullptr);
        EXPECT_TRUE(before.of(Harm::fsync_not_durable)->needs_race);
        EXPECT_EQ(before.of(Harm::lost), nullptr);
        EXPECT_TRUE(ask(Era::linux_2_6_27, filesystem, bounds).found.empty());
    }
}

// 2.6.19's try_to_free_buffers took a page with clean buffers for clean, including its PTEs.
TEST(History, FreedBuffersLoseStoresIn2619Only) {
    const Bounds bounds =
        bounds_with({{Event::store, 2}, {Event::commit, 1}, {Event::fsync, 1}, {Event::strip, 1}});
    const auto lost = [&](Era era) {
        return how(ask(era, Filesystem::ordered_eager, bounds, Races::never), Harm::lost);
    };
    EXPECT_EQ(lost(Era::linux_2_6_18), "never");
    EXPECT_EQ(lost(Era::linux_2_6_19), "store, commit, store, pagevec_strip");
    EXPECT_EQ(lost(Era::linux_2_6_20), "never");
}

// The second way to lose stores: a truncation inside the page, without any commit.
TEST(History, TruncationLosesStoresIn2619OnEveryFilesystem) {
    const Bounds bounds =
        bounds_with({{Event::store, 2}, {Event::writepage, 1}, {Event::truncate, 1}});
    for (const FilesystemRules& filesystem : kFilesystems) {
        EXPECT_EQ(how(ask(Era::linux_2_6_19, filesystem.filesystem, bounds), Harm::lost),
                  "store, truncate, store, writepage");
        EXPECT_TRUE(ask(Era::linux_2_6_20, filesystem.filesystem, bounds).found.empty());
    }
}

} // namespace
} // namespace vmmodel
