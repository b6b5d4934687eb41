#include "tools/vmmodel/simulate/simulate.hpp"

#include "tools/vmmodel/page_rule.hpp"

#include <array>
#include <random>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockInPage;
using model::BlockMask;
using model::PageIndex;
using model::PageState;

namespace {

constexpr std::size_t kMaxBlocksOfPage = 8;

struct Page {
    PageState fs;
    std::uint8_t present = 0; ///< bit m: mapping m has a PTE
    std::uint8_t dirty = 0;   ///< bit m: its PTE is dirty, and writable from 2.6.19 on
    BlockMask passed;         ///< passed over while memory and disk differed, not written since
    bool pending = false;     ///< in the list of what a commit must look at
    std::array<std::uint32_t, kMaxBlocksOfPage> memory{};
    std::array<std::uint32_t, kMaxBlocksOfPage> disk{};
    std::array<std::uint64_t, kMaxBlocksOfPage> cleaned_by{};
    std::array<std::uint64_t, kMaxBlocksOfPage> lost_by{};
};

class Simulation {
  public:
    Simulation(const SimulationSettings& settings, std::size_t keep, SimulationListener* listener)
        : settings_(settings), era_(rules_of(settings.era)),
          filesystem_(rules_of(settings.filesystem)), all_(settings.block_size.all()), keep_(keep),
          listener_(listener), random_(settings.seed), pages_(settings.pages) {}

    SimulationResult run(std::atomic<std::uint64_t>* done) {
        constexpr std::uint64_t kOftenEnough = 1U << 16U;
        while (result_.operations < settings_.operations) {
            ++result_.operations;
            step();
            if (done != nullptr && result_.operations % kOftenEnough == 0) {
                done->store(result_.operations, std::memory_order_relaxed);
            }
        }
        return std::move(result_);
    }

  private:
    /// Chooses one operation, all of it from one random number, and carries it out.
    void step() {
        std::uint64_t random = random_();
        const auto draw = [&](std::uint64_t below) {
            const std::uint64_t drawn = random % below;
            random /= below;
            return drawn;
        };
        const std::uint64_t choice = draw(128);
        const auto index = static_cast<std::uint32_t>(draw(settings_.pages));
        const auto block = static_cast<std::uint8_t>(draw(settings_.block_size.per_page()));
        const auto map = static_cast<std::uint8_t>(1U << draw(settings_.mappings));
        if (choice < 72) {
            store(index, block, map);
        } else if (choice < 84) {
            write(index, block);
        } else if (choice < 104) {
            writepage(index, settings_.races && draw(8) == 0 ? map : std::uint8_t{0});
        } else if (choice < 112) {
            evict(index);
        } else if (choice < 120) {
            unmap(index, map);
        } else if (choice < 125) {
            commit();
        } else if (choice < 127) {
            unmap_all(index);
        } else {
            fsync();
        }
    }

    void fault(std::uint32_t index, std::uint8_t map) {
        Page& page = pages_[index];
        if (!page.fs.page_dirty) {
            page_rule::read(filesystem_, page.fs); // a clean page was read before, or is now
        }
        page.present |= map;
        page.dirty |= map;
        if (era_.tracks_shared_dirty) {
            dirty_page(index);
        }
    }

    void store(std::uint32_t index, std::uint8_t block, std::uint8_t map) {
        if ((pages_[index].dirty & map) == 0) {
            fault(index, map);
        }
        ++pages_[index].memory[block];
        ++result_.stores;
    }

    void write(std::uint32_t index, std::uint8_t block) {
        Page& page = pages_[index];
        ++page.memory[block];
        page_rule::write(filesystem_, page.fs, BlockMask::of(BlockInPage{block}),
                         settings_.block_size.per_page() == 1, settings_.block_size);
        note_pending(index);
    }

    void dirty_page(std::uint32_t index) {
        page_rule::set_dirty(filesystem_, pages_[index].fs, settings_.block_size);
        note_pending(index);
    }

    void unmap(std::uint32_t index, std::uint8_t maps) {
        Page& page = pages_[index];
        if ((page.dirty & maps) != 0) {
            dirty_page(index);
        }
        page.dirty = static_cast<std::uint8_t>(page.dirty & ~maps);
        page.present = static_cast<std::uint8_t>(page.present & ~maps);
    }
    void unmap_all(std::uint32_t index) { unmap(index, 0xff); }

    void written(std::uint32_t index, BlockMask blocks) {
        Page& page = pages_[index];
        for (std::uint8_t i = 0; i < settings_.block_size.per_page(); ++i) {
            const BlockInPage block{i};
            if (!blocks.contains(block)) {
                continue;
            }
            page.disk[i] = page.memory[i];
            if (page.passed.contains(block)) {
                page.passed -= BlockMask::of(block);
                ++result_.healed;
            }
            if (listener_ != nullptr) {
                listener_->written(PageIndex{index}, block);
            }
        }
    }

    void passed_over(std::uint32_t index, BlockMask blocks) {
        Page& page = pages_[index];
        for (std::uint8_t i = 0; i < settings_.block_size.per_page(); ++i) {
            if (!blocks.contains(BlockInPage{i}) || page.memory[i] == page.disk[i]) {
                continue;
            }
            page.passed |= BlockMask::of(BlockInPage{i});
            page.lost_by[i] = result_.operations;
            if (listener_ != nullptr) {
                listener_->passed_over(PageIndex{index}, BlockInPage{i});
            }
        }
    }

    /// `racing`: these mappings fault on the page when its PTEs have just been cleaned.
    void writepage(std::uint32_t index, std::uint8_t racing) {
        Page& page = pages_[index];
        if (!page.fs.page_dirty) {
            return;
        }
        const bool can_race = era_.tracks_shared_dirty && !era_.fault_locks_page && racing != 0;
        const bool pte_was_dirty = page.dirty != 0;
        if (era_.tracks_shared_dirty) {
            page.dirty = 0; // page_mkclean
        }
        if (can_race && era_.tells_filesystem) {
            fault(index, racing); // before TestClearPageDirty, which then clears PG_dirty again
        }
        page_rule::clear_dirty_for_io(era_, filesystem_, page.fs, pte_was_dirty,
                                      settings_.block_size);
        if (can_race && !era_.tells_filesystem) {
            fault(index, racing); // after it: PG_dirty is set, and the blocks are cleaned below
        }
        const model::WriteDecision decision =
            page_rule::write_back(filesystem_, page.fs, all_, settings_.block_size);
        for (std::uint8_t i = 0; i < settings_.block_size.per_page(); ++i) {
            if (decision.written.contains(BlockInPage{i})) {
                page.cleaned_by[i] = 0;
            }
        }
        written(index, decision.written);
        passed_over(index, decision.skipped);
        note_pending(index);
    }

    void note_pending(std::uint32_t index) {
        if (filesystem_.flushes && !pages_[index].pending) {
            pages_[index].pending = true;
            pending_.push_back(index);
        }
    }

    void commit() {
        if (!filesystem_.flushes) {
            return;
        }
        for (const std::uint32_t index : pending_) {
            Page& page = pages_[index];
            page.pending = false;
            const BlockMask flushed = ordered_flush(
                page.fs, filesystem_.flushes.value_or(model::FlushPolicy::eager), all_);
            for (std::uint8_t i = 0; i < settings_.block_size.per_page(); ++i) {
                if (flushed.contains(BlockInPage{i})) {
                    page.cleaned_by[i] = result_.operations;
                }
            }
            written(index, flushed);
        }
        pending_.clear();
    }

    /// Every dirty page, then a commit, as the inode is dirty.
    void fsync() {
        ++result_.syncs;
        for (std::uint32_t index = 0; index < settings_.pages; ++index) {
            writepage(index, 0);
        }
        commit();
        for (const Page& page : pages_) {
            if (page.memory != page.disk) {
                ++result_.broken_syncs;
                return;
            }
        }
    }

    /// Reclaim: the PTEs' dirty bits move to the page; if the page is clean then, it is evicted.
    void evict(std::uint32_t index) {
        unmap_all(index);
        Page& page = pages_[index];
        if (page.fs.page_dirty || !page.fs.dirty.empty()) {
            return;
        }
        BlockMask lost;
        for (std::uint8_t i = 0; i < settings_.block_size.per_page(); ++i) {
            if (page.memory[i] == page.disk[i]) {
                continue;
            }
            lost |= BlockMask::of(BlockInPage{i});
            ++result_.lost;
            if (result_.losses.size() < keep_) {
                result_.losses.push_back({result_.operations, page.lost_by[i], page.cleaned_by[i],
                                          PageIndex{index}, BlockInPage{i}, page.memory[i],
                                          page.disk[i]});
            }
            page.memory[i] = page.disk[i];
        }
        if (listener_ != nullptr) {
            listener_->evicted(PageIndex{index}, lost);
        }
        model::evict(page.fs);
    }

    const SimulationSettings settings_;
    const EraRules era_;
    const FilesystemRules filesystem_;
    const BlockMask all_;
    const std::size_t keep_;
    SimulationListener* listener_;
    std::mt19937_64 random_;
    std::vector<Page> pages_;
    std::vector<std::uint32_t> pending_;
    SimulationResult result_;
};

} // namespace

SimulationResult simulate(const SimulationSettings& settings, std::size_t keep,
                          SimulationListener* listener, std::atomic<std::uint64_t>* done) {
    return Simulation(settings, keep, listener).run(done);
}

} // namespace vmmodel
