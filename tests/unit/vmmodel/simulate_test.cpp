// The fast simulation: same seed, same run; history's verdicts; and the ledger that a filesystem
// would keep.
#include "fusefs/model/ledger.hpp"
#include "tools/vmmodel/simulate/simulate.hpp"

#include <gtest/gtest.h>

#include <set>

namespace vmmodel {
namespace {

namespace model = partialfs::model;

SimulationResult run(Era era, Filesystem filesystem, bool races = false, std::uint64_t seed = 7) {
    SimulationSettings settings;
    settings.era = era;
    settings.filesystem = filesystem;
    settings.seed = seed;
    settings.operations = 400'000;
    settings.races = races;
    return simulate(settings, 10, nullptr);
}

TEST(Simulate, TheSameSeedGivesTheSameRun) {
    const SimulationResult a = run(Era::linux_2_6_19, Filesystem::ordered);
    const SimulationResult b = run(Era::linux_2_6_19, Filesystem::ordered);
    const SimulationResult c = run(Era::linux_2_6_19, Filesystem::ordered, false, 8);
    EXPECT_EQ(a.losses, b.losses);
    EXPECT_EQ(a.lost, b.lost);
    EXPECT_NE(a.losses, c.losses);
}

TEST(Simulate, OnlyFlushesOfItsOwnMakeLinux2619LoseWithoutARace) {
    EXPECT_GT(run(Era::linux_2_6_19, Filesystem::ordered).lost, 0U);
    EXPECT_GT(run(Era::linux_2_6_19, Filesystem::ordered_eager).lost, 0U);
    EXPECT_EQ(run(Era::linux_2_6_19, Filesystem::writeback).lost, 0U);
    EXPECT_EQ(run(Era::linux_2_6_19, Filesystem::writeback).broken_syncs, 0U);
    EXPECT_GT(run(Era::linux_2_6_19, Filesystem::writeback, /*races=*/true).lost, 0U);
}

TEST(Simulate, TheErasAroundItLoseNothing) {
    for (const Era era :
         {Era::linux_2_6_18, Era::linux_2_6_20, Era::linux_2_6_23, Era::linux_2_6_27}) {
        for (const FilesystemRules& filesystem : kFilesystems) {
            EXPECT_EQ(run(era, filesystem.filesystem, /*races=*/true).lost, 0U);
        }
    }
    EXPECT_GT(run(Era::linux_2_6_18, Filesystem::ordered).broken_syncs, 0U);
    EXPECT_EQ(run(Era::linux_2_6_20, Filesystem::ordered).broken_syncs, 0U);
    EXPECT_GT(run(Era::linux_2_6_20, Filesystem::ordered, /*races=*/true).broken_syncs, 0U);
    EXPECT_EQ(run(Era::linux_2_6_23, Filesystem::ordered, /*races=*/true).broken_syncs, 0U);
}

/// Keeps the ledger as the daemon does: blocks that a writepage passed over, until they are
/// written. At every eviction the ledger's open entries of the page must be exactly the lost
/// blocks.
class Bookkeeper final : public SimulationListener {
  public:
    explicit Bookkeeper(model::BlockSize block_size)
        : block_size_(block_size), ledger_(block_size) {}

    void written(model::PageIndex page, model::BlockInPage block) override {
        ledger_.heal(kInode, block_size_.range_of(page, block), model::Nanoseconds{1});
        gone_.erase(block_size_.index_of(page, block));
    }
    void passed_over(model::PageIndex page, model::BlockInPage block) override {
        const model::ByteRange lost = block_size_.range_of(page, block);
        ledger_.record(kInode, "", {}, {&lost, 1});
    }
    void evicted(model::PageIndex page, model::BlockMask lost) override {
        model::BlockMask open;
        for (const model::LostStore& entry : ledger_.read()) {
            if (!entry.healed_at) {
                open |= block_size_.touched(page, entry.bytes);
            }
        }
        for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
            const model::BlockInPage block{i};
            const model::BlockIndex index = block_size_.index_of(page, block);
            if (lost.contains(block)) {
                gone_.insert(index);
            }
            EXPECT_EQ(open.contains(block), gone_.contains(index))
                << "page " << page.value << " block " << unsigned{i};
        }
        ++evictions_;
    }
    [[nodiscard]] const model::Ledger& ledger() const { return ledger_; }
    [[nodiscard]] std::size_t evictions() const { return evictions_; }

  private:
    static constexpr model::InodeId kInode{1};
    model::BlockSize block_size_;
    model::Ledger ledger_;
    std::set<model::BlockIndex> gone_; ///< lost at an eviction, and not written since
    std::size_t evictions_ = 0;
};

TEST(Simulate, TheLedgerHoldsWhatIsLostBothWays) {
    SimulationSettings settings;
    settings.operations = 40'000;
    settings.pages = 16;
    for (const Filesystem filesystem : {Filesystem::ordered, Filesystem::ordered_eager}) {
        settings.filesystem = filesystem;
        Bookkeeper books(settings.block_size);
        const SimulationResult result = simulate(settings, 0, &books);
        EXPECT_GT(result.lost, 20U);
        EXPECT_GT(books.evictions(), 500U);
        EXPECT_EQ(books.ledger().counts().healed, result.healed);
    }
}

} // namespace
} // namespace vmmodel
