// Compares the predictor and the machine with a second implementation of the rules.
#include "tests/property/vmmodel/naive_kernel.hpp"
#include "tools/vmmodel/machine/machine.hpp"
#include "tools/vmmodel/predict/kernel_predictor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace vmmodel {
namespace {

using partialfs::model::BlockInPage;
using partialfs::model::BlockMask;
using partialfs::model::BlockSize;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;
using partialfs::model::kPageSize;

/// Applies the same random operations to both.
class Pair {
  public:
    Pair(Era era, Filesystem filesystem, long block, std::uint64_t seed)
        : predictor_(era, filesystem, *BlockSize::from_bytes(static_cast<std::uint64_t>(block))),
          random_(seed) {
        naive_.era = rules_of(era).name;
        naive_.filesystem = rules_of(filesystem).name;
        naive_.block = block;
        for (int i = 0; i < kFiles; ++i) {
            const long size = 1 + below(3 * kPage);
            naive_.files.emplace_back();
            naive_.files.back().size = size;
            predictor_.create(partialfs::model::offset_of(size));
        }
    }

    void run(int operations) {
        for (int i = 0; i < operations; ++i) {
            step();
        }
        for (int file = 0; file < kFiles; ++file) {
            const FileNumber number{static_cast<std::uint32_t>(file)};
            for (std::uint8_t map = 0; map < kMaps; ++map) {
                predictor_.unmap(number, MapNumber{map});
                naive_.unmap(file, map);
            }
            ASSERT_EQ(predictor_.evict(number), naive_.evict(file));
        }
        std::vector<Damage> expected;
        for (int file = 0; file < kFiles; ++file) {
            for (const auto& [begin, end] : naive_.damage(file)) {
                Damage damage;
                damage.file = FileNumber{static_cast<std::uint32_t>(file)};
                damage.range = range(begin, end - begin);
                expected.push_back(damage);
            }
        }
        std::vector<Damage> found = predictor_.damage();
        for (Damage& damage : found) {
            damage.lost_by = damage.cleaned_by = OpNumber{0};
        }
        EXPECT_EQ(found, expected);
        damaged_ = !expected.empty();
    }
    [[nodiscard]] bool damaged() const { return damaged_; }

  private:
    static constexpr int kFiles = 2;
    static constexpr int kMaps = 2;
    static constexpr long kPage = static_cast<long>(kPageSize);

    long below(long limit) {
        return static_cast<long>(random_() % static_cast<std::uint64_t>(limit));
    }
    static ByteRange range(long offset, long length) {
        return {partialfs::model::offset_of(offset), partialfs::model::offset_of(offset + length)};
    }

    void step() {
        const int file = static_cast<int>(below(kFiles));
        const int map = static_cast<int>(below(kMaps));
        const FileNumber number{static_cast<std::uint32_t>(file)};
        const MapNumber mapping{static_cast<std::uint8_t>(map)};
        const long size = std::max(1L, naive_.files[static_cast<std::size_t>(file)].size);
        const long offset = below(size);
        const long length = 1 + below(std::min(size - offset, 1500L));
        const auto value = static_cast<unsigned char>(1 + below(255));
        const std::vector<std::byte> bytes(static_cast<std::size_t>(length), std::byte{value});
        switch (below(32)) {
        case 0:
        case 1:
        case 2:
        case 3:
            predictor_.write(number, range(offset, 0).begin, bytes);
            naive_.write(file, offset, length, value);
            break;
        case 4:
        case 5:
        case 6:
        case 17:
        case 18:
            predictor_.commit();
            naive_.commit();
            break;
        case 7:
            predictor_.fsync(number, std::nullopt);
            naive_.fsync(file);
            break;
        case 8:
            predictor_.msync(number, mapping, range(0, size), std::nullopt);
            naive_.msync(file, map);
            break;
        case 9:
        case 10:
            predictor_.sync_file_range(number, range(offset, length), {});
            naive_.sync_file_range(file, offset, length);
            break;
        case 11:
            predictor_.unmap(number, mapping);
            naive_.unmap(file, map);
            break;
        case 12:
            predictor_.drop_ptes(number, mapping, range(offset, length));
            naive_.drop(file, map, offset / kPage, (offset + length - 1) / kPage);
            break;
        case 13: {
            if (below(3) != 0 || naive_.is_device()) {
                break;
            }
            const long to = 1 + below(3 * kPage);
            predictor_.truncate(number, range(to, 0).begin);
            naive_.truncate(file, to);
            break;
        }
        case 14:
            predictor_.touch_inode(number);
            naive_.files[static_cast<std::size_t>(file)].inode_dirty = true;
            break;
        case 15:
            if (below(4) == 0) {
                predictor_.sync();
                naive_.sync();
            }
            break;
        case 16:
            EXPECT_EQ(predictor_.evict(number), naive_.evict(file));
            break;
        default:
            if (size == naive_.files[static_cast<std::size_t>(file)].size) {
                predictor_.store(number, mapping, range(offset, 0).begin, bytes);
                naive_.store(file, map, offset, length, value);
            }
        }
    }

    KernelPredictor predictor_;
    naive::Kernel naive_;
    std::mt19937_64 random_;
    bool damaged_ = false;
};

TEST(Soundness, ThePredictorAgreesWithTheNaiveRule) {
    int damaged = 0;
    int damaged_devices = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        for (const auto& [era, filesystem] : kSettings) {
            Pair pair(era, filesystem, seed % 2 == 0 ? 1024 : 4096, seed);
            pair.run(80);
            damaged += pair.damaged() ? 1 : 0;
            damaged_devices += pair.damaged() && filesystem == Filesystem::blockdev ? 1 : 0;
            ASSERT_FALSE(HasFailure())
                << rules_of(era).name << ", " << rules_of(filesystem).name << ", seed " << seed;
        }
    }
    EXPECT_GT(damaged, 20);
    EXPECT_GT(damaged_devices, 10);
}

/// A random run of the machine, event by event without races, beside the naive rules. One page.
class MachinePair {
  public:
    MachinePair(Era era, Filesystem filesystem, int blocks, std::uint64_t seed)
        : bounds_(bounds_for(blocks)), machine_(era, filesystem, bounds_),
          state_(machine_.initial()), random_(seed) {
        naive_.era = rules_of(era).name;
        naive_.filesystem = rules_of(filesystem).name;
        naive_.block = 4096 / blocks;
        naive_.files.emplace_back();
        naive_.files[0].size = 4096;
        for (int block = 0; block < blocks; ++block) {
            naive_.files[0].allocated.insert(block);
        }
    }

    /// Returns whether a page was evicted whose bytes were not all on disk.
    bool run() {
        bool lost = false;
        Successors next;
        for (;;) {
            machine_.successors(state_, next);
            if (next.count == 0) {
                return lost;
            }
            const Successor& taken = next.all[random_() % next.count];
            follow(taken);
            lost |= taken.harm == Harm::lost;
            state_ = taken.state;
            if (quiet()) {
                compare();
            }
            if (::testing::Test::HasFailure()) {
                return lost;
            }
        }
    }

  private:
    static Bounds bounds_for(int blocks) {
        Bounds bounds;
        bounds.blocks = blocks;
        bounds.processes = 2;
        bounds.races = false;
        bounds.events = {9, 3, 5, 6, 1, 1, 1, 0, 0};
        return bounds;
    }

    /// Whether no process is in the middle of an operation.
    [[nodiscard]] bool quiet() const {
        return state_.processes[0].actor.at == At::idle &&
               state_.processes[1].actor.at == At::idle && state_.writeback.at == At::idle &&
               state_.pages[0].committing.empty();
    }

    /// At the first step of an event, applies the whole event to the naive rules.
    void follow(const Successor& taken) {
        const Transition& step = taken.transition;
        const int process = step.who == Who::process_1 ? 1 : 0;
        const long offset = step.detail * naive_.block;
        switch (step.step) {
        case Step::store:
            ++version_;
            naive_.store(0, process, offset, naive_.block, version_);
            break;
        case Step::write_copy:
            ++version_;
            naive_.write(0, offset, naive_.block, version_);
            break;
        case Step::commit_start:
            naive_.commit();
            break;
        case Step::lock_page:
            if (step.who == Who::writeback) {
                naive_.writepage(naive_.files[0], 0);
            }
            break;
        case Step::fsync:
            naive_.write_all(naive_.files[0]);
            break;
        case Step::msync:
            if (!naive_.tracks()) {
                naive_.collect(naive_.files[0], process);
            }
            naive_.write_all(naive_.files[0]);
            break;
        case Step::zap_pte:
            naive_.unmap(0, process);
            break;
        case Step::try_to_unmap:
            naive_.unmap(0, step.detail);
            break;
        case Step::evict: {
            bool differs = false;
            for (long o = 0; o < 4096; ++o) {
                differs |= naive::Kernel::at(naive_.files[0].mem, o) !=
                           naive::Kernel::at(naive_.files[0].disk, o);
            }
            EXPECT_EQ(taken.harm == Harm::lost, differs);
            naive_.evict(0);
            break;
        }
        default:
            break;
        }
    }

    void compare() const {
        const PageCell& cell = state_.pages[0];
        const naive::Kernel::File& file = naive_.files[0];
        EXPECT_EQ(cell.fs.page_dirty, file.page_dirty.contains(0));
        for (int process = 0; process < 2; ++process) {
            EXPECT_EQ(cell.pte[static_cast<std::size_t>(process)].dirty(),
                      file.dirty.contains({process, 0}));
            EXPECT_EQ(cell.pte[static_cast<std::size_t>(process)].present(),
                      file.present.contains({process, 0}));
        }
        for (int block = 0; block < bounds_.blocks; ++block) {
            const BlockInPage b{static_cast<std::uint8_t>(block)};
            EXPECT_EQ(cell.fs.dirty.contains(b), file.block_dirty.contains(block));
            if (naive_.filesystem == "ext3") {
                EXPECT_EQ(cell.fs.ordered.contains(b), file.journal.contains(block));
                EXPECT_EQ(cell.fs.mapped.contains(b), file.mapped.contains(block));
            }
            const long offset = block * naive_.block;
            EXPECT_EQ(cell.memory(block) == cell.disk(block),
                      naive::Kernel::at(file.mem, offset) == naive::Kernel::at(file.disk, offset));
        }
    }

    Bounds bounds_;
    Machine machine_;
    State state_;
    naive::Kernel naive_;
    std::mt19937_64 random_;
    unsigned char version_ = 0;
};

TEST(Soundness, TheMachineAgreesWithTheNaiveRule) {
    int lost = 0;
    int lost_on_devices = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        for (const auto& [era, filesystem] : kSettings) {
            MachinePair pair(era, filesystem, seed % 2 == 0 ? 2 : 4, seed);
            const bool loses = pair.run();
            ASSERT_FALSE(HasFailure())
                << rules_of(era).name << ", " << rules_of(filesystem).name << ", seed " << seed;
            if (filesystem == Filesystem::blockdev) {
                lost_on_devices += loses ? 1 : 0;
                continue;
            }
            lost += loses ? 1 : 0;
            if (era != Era::linux_2_6_19 || filesystem == Filesystem::writeback) {
                EXPECT_FALSE(loses);
            }
        }
    }
    EXPECT_GT(lost, 3);
    EXPECT_GT(lost_on_devices, 30);
}

} // namespace
} // namespace vmmodel
