// Random sequences of the four events (explicit write, mapped store, commit, writepage): compares
// FileBlocks and the ledger, used as the daemon uses them, with the naive reference.
#include "fusefs/model/file_blocks.hpp"
#include "fusefs/model/ledger.hpp"
#include "tests/property/model/naive_file.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>

namespace partialfs::model {
namespace {

using test::NaiveFile;

constexpr InodeId kInode{1};

/// Simulates the daemon: what it knows, and how it acts on each answer of the model.
class ObservedFile {
  public:
    ObservedFile(BlockSize block_size, Contract contract, FlushPolicy policy, std::size_t size)
        : blocks_(block_size), ledger_(block_size), contract_(contract), policy_(policy),
          memory_(size), disk_(size), kernel_dirty_((size + kPageSize - 1) / kPageSize) {}

    void pwrite(std::size_t begin, std::size_t end, std::uint8_t value) {
        std::fill(memory_.begin() + long(begin), memory_.begin() + long(end), std::byte{value});
        blocks_.explicit_write({ByteOffset{begin}, ByteOffset{end}});
    }

    void store(std::size_t begin, std::size_t end, std::uint8_t value) {
        std::fill(memory_.begin() + long(begin), memory_.begin() + long(end), std::byte{value});
        kernel_dirty_[begin / kPageSize] = true;
    }

    void commit() {
        ++commit_;
        for (std::size_t page = 0; page < kernel_dirty_.size(); ++page) {
            if (kernel_dirty_[page]) {
                blocks_.learn_dirty(PageIndex{page});
            }
        }
        for (auto page = blocks_.next_flushable(PageIndex{0}, policy_, size()); page;
             page = blocks_.next_flushable(PageIndex{page->value + 1}, policy_, size())) {
            write(*page, blocks_.flush(*page, policy_, size(), commit_));
        }
        for (std::size_t page = 0; page < kernel_dirty_.size(); ++page) {
            RC_ASSERT(blocks_.page(PageIndex{page}).ordered.empty());
        }
    }

    void writeback(std::size_t number) {
        if (!kernel_dirty_[number]) {
            return;
        }
        kernel_dirty_[number] = false;
        const PageIndex page{number};
        // Asked before the writeback, which clears the page's history.
        std::array<CommitId, 8> cleaned_by{};
        for (std::uint8_t i = 0; i < blocks_.block_size().per_page(); ++i) {
            cleaned_by[i] = blocks_.cleaned_by(page, BlockInPage{i});
        }
        const WriteDecision decision = blocks_.writepage(page, contract_, size());
        write(page, decision.written);
        for (std::uint8_t i = 0; i < blocks_.block_size().per_page(); ++i) {
            if (decision.skipped.contains(BlockInPage{i})) {
                record(page, BlockInPage{i}, cleaned_by[i]);
            }
        }
    }

    [[nodiscard]] ByteOffset size() const { return ByteOffset{memory_.size()}; }
    [[nodiscard]] const FileBlocks& blocks() const { return blocks_; }
    [[nodiscard]] std::byte disk(std::size_t i) const { return disk_[i]; }

    /// For each byte, whether the ledger has it as lost.
    [[nodiscard]] std::vector<bool> lost() const {
        std::vector<bool> lost(memory_.size());
        for (const LostStore& entry : ledger_.read()) {
            for (std::uint64_t i = entry.bytes.begin.value;
                 !entry.healed_at && i < entry.bytes.end.value; ++i) {
                lost[i] = true;
            }
        }
        return lost;
    }

  private:
    void write(PageIndex page, BlockMask written) {
        for (std::uint8_t i = 0; i < blocks_.block_size().per_page(); ++i) {
            if (written.contains(BlockInPage{i})) {
                const ByteRange range = clipped(page, BlockInPage{i});
                std::copy(memory_.begin() + long(range.begin.value),
                          memory_.begin() + long(range.end.value),
                          disk_.begin() + long(range.begin.value));
                ledger_.heal(kInode, range, Nanoseconds{0});
            }
        }
    }

    void record(PageIndex page, BlockInPage block, CommitId cleaned_by) {
        const ByteRange range = clipped(page, block);
        const std::vector<ByteRange> lost = differing_ranges(
            std::span(memory_).subspan(range.begin.value, range.size().value),
            std::span(disk_).subspan(range.begin.value, range.size().value), range.begin);
        RC_ASSERT(lost.empty() || cleaned_by != CommitId{0});
        ledger_.record(kInode, "", {.cleaned_by = cleaned_by}, lost);
    }

    [[nodiscard]] ByteRange clipped(PageIndex page, BlockInPage block) const {
        return intersect(blocks_.block_size().range_of(page, block), {ByteOffset{0}, size()});
    }

    FileBlocks blocks_;
    Ledger ledger_;
    Contract contract_;
    FlushPolicy policy_;
    CommitId commit_{0};
    std::vector<std::byte> memory_;
    std::vector<std::byte> disk_;
    std::vector<bool> kernel_dirty_; ///< PG_dirty, set by a mapped store
};

void expect_same(const ObservedFile& observed, const NaiveFile& naive) {
    for (std::size_t i = 0; i < naive.size(); ++i) {
        RC_ASSERT(observed.disk(i) == std::byte{naive.disk(i)});
    }
}

RC_GTEST_PROP(FileBlocksProperty, DiskAndLedgerEqualTheNaiveReference, ()) {
    const auto block_size = *BlockSize::from_bytes(*rc::gen::element(512U, 1024U, 2048U, 4096U));
    const auto contract = *rc::gen::element(Contract::linux_2_6_19, Contract::linux_2_6_20);
    const auto policy = *rc::gen::element(FlushPolicy::eager, FlushPolicy::ext3);
    const std::size_t size = *rc::gen::inRange<std::size_t>(1, 3 * kPageSize);
    ObservedFile observed(block_size, contract, policy, size);
    NaiveFile naive(size, block_size.bytes(), contract == Contract::linux_2_6_20,
                    policy == FlushPolicy::eager);

    const int operations = *rc::gen::inRange(1, 60);
    for (int n = 0; n < operations; ++n) {
        const auto value = static_cast<std::uint8_t>(n + 1);
        const std::size_t begin = *rc::gen::inRange<std::size_t>(0, size);
        const std::size_t page = begin / kPageSize;
        const std::size_t longest = std::min(size - begin, std::size_t{3000});
        const std::size_t end = begin + *rc::gen::inRange<std::size_t>(1, longest + 1);
        switch (*rc::gen::weightedElement<int>({{3, 0}, {5, 1}, {3, 2}, {3, 3}})) {
        case 0:
            observed.pwrite(begin, end, value);
            naive.pwrite(begin, end, value);
            break;
        case 1: {
            const std::size_t cut = std::min(end, (page + 1) * kPageSize);
            observed.store(begin, cut, value);
            naive.store(begin, cut, value);
            break;
        }
        case 2:
            observed.commit();
            naive.commit();
            break;
        default:
            observed.writeback(page);
            naive.writeback(page);
            break;
        }
        expect_same(observed, naive);
    }
    for (std::size_t page = 0; page < naive.pages(); ++page) {
        observed.writeback(page);
        naive.writeback(page);
    }
    observed.commit();
    naive.commit();
    expect_same(observed, naive);
    // Once nothing is dirty, the ledger is exactly what is wrong on disk.
    const std::vector<bool> lost = observed.lost();
    for (std::size_t i = 0; i < size; ++i) {
        RC_ASSERT(!naive.dirty(i));
        const bool stale = naive.disk(i) != naive.memory(i);
        RC_ASSERT(lost[i] == stale);
        RC_ASSERT(!stale || contract == Contract::linux_2_6_19);
    }
}

} // namespace
} // namespace partialfs::model
