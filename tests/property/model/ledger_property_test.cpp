// Random losses, writes, punches and truncations: compares the ledger with a reference that keeps
// an entry number for each byte.
#include "fusefs/model/ledger.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <tuple>
#include <vector>

namespace partialfs::model {
namespace {

constexpr InodeId kInode{1};
constexpr std::uint64_t kSize = 3 * kPageSize;
constexpr std::uint64_t kNone = 0;

/// Number, begin and end of an entry.
using Entry = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;

class NaiveLedger {
  public:
    explicit NaiveLedger(std::uint64_t block) : block_(block), open_(kSize) {}

    void record(const std::vector<ByteRange>& lost) {
        std::vector<bool> fresh(kSize);
        for (const ByteRange& range : lost) {
            for (std::uint64_t i = range.begin.value; i < range.end.value; ++i) {
                fresh[i] = open_[i] == kNone;
            }
        }
        for (std::uint64_t i = 0; i < kSize; ++i) {
            if (fresh[i]) {
                const bool goes_on = i % block_ != 0 && fresh[i - 1];
                open_[i] = goes_on ? number_ : ++number_;
            }
        }
    }
    void take(std::uint64_t begin, std::uint64_t end, bool heals) {
        for (const Entry& entry : entries()) {
            const auto& [number, first, last] = entry;
            const std::uint64_t from = std::max(first, begin);
            const std::uint64_t to = std::min(last, end);
            if (from < to && heals) {
                healed_.emplace_back(number, from, to);
            }
        }
        std::fill(open_.begin() + long(begin), open_.begin() + long(end), kNone);
    }
    /// Open entries in the order of the ledger.
    [[nodiscard]] std::vector<Entry> entries() const {
        std::vector<Entry> entries;
        for (std::uint64_t i = 0; i < kSize; ++i) {
            if (open_[i] == kNone) {
                continue;
            }
            if (i == 0 || open_[i - 1] != open_[i]) {
                entries.emplace_back(open_[i], i, i);
            }
            std::get<2>(entries.back()) = i + 1;
        }
        std::ranges::sort(entries);
        return entries;
    }
    [[nodiscard]] std::vector<Entry> healed() const {
        std::vector<Entry> healed = healed_;
        std::ranges::sort(healed);
        return healed;
    }
    [[nodiscard]] bool open(std::uint64_t at) const { return open_[at] != kNone; }

  private:
    std::uint64_t block_;
    std::vector<std::uint64_t> open_; ///< for each byte, the number of the entry that it is in
    std::vector<Entry> healed_;
    std::uint64_t number_ = 0;
};

RC_GTEST_PROP(LedgerProperty, EqualsOneThatKeepsANumberForEachByte, ()) {
    const auto block_size = *BlockSize::from_bytes(*rc::gen::element(512U, 1024U, 2048U, 4096U));
    Ledger ledger(block_size);
    NaiveLedger naive(block_size.bytes());
    const int operations = *rc::gen::inRange(1, 30);
    for (int n = 0; n < operations; ++n) {
        const auto begin = *rc::gen::inRange<std::uint64_t>(0, kSize);
        const auto end = begin + *rc::gen::inRange<std::uint64_t>(1, kSize - begin + 1);
        const ByteRange range{ByteOffset{begin}, ByteOffset{end}};
        switch (*rc::gen::weightedElement<int>({{6, 0}, {3, 1}, {2, 2}, {1, 3}})) {
        case 0: {
            std::vector<ByteRange> lost;
            const auto step = *rc::gen::inRange<std::uint64_t>(1, 600);
            const auto length = *rc::gen::inRange<std::uint64_t>(1, step + 1);
            for (std::uint64_t at = begin; at < end; at += step) {
                lost.push_back({ByteOffset{at}, ByteOffset{std::min(at + length, end)}});
            }
            ledger.record(kInode, "", {}, lost);
            naive.record(lost);
            break;
        }
        case 1:
            ledger.heal(kInode, range, Nanoseconds{1});
            naive.take(begin, end, /*heals=*/true);
            break;
        case 2:
            ledger.drop(kInode, range);
            naive.take(begin, end, /*heals=*/false);
            break;
        default:
            ledger.truncate(kInode, range.begin);
            naive.take(begin, kSize, /*heals=*/false);
            break;
        }
        std::vector<Entry> open;
        std::vector<Entry> healed;
        std::uint64_t open_bytes = 0;
        for (const LostStore& entry : ledger.read()) {
            (entry.healed_at ? healed : open)
                .emplace_back(entry.number, entry.bytes.begin.value, entry.bytes.end.value);
            open_bytes += entry.healed_at ? 0 : entry.bytes.size().value;
        }
        RC_ASSERT(open == naive.entries());
        RC_ASSERT(healed == naive.healed());
        RC_ASSERT(ledger.counts().open == open.size());
        RC_ASSERT(ledger.counts().open_bytes == open_bytes);
        RC_ASSERT(ledger.counts().healed == healed.size());
        RC_ASSERT(ledger.has_open(kInode) == !open.empty());
        const auto at = *rc::gen::inRange<std::uint64_t>(0, kSize);
        RC_ASSERT(ledger.has_open(kInode, {ByteOffset{at}, ByteOffset{at + 1}}) == naive.open(at));
    }
}

} // namespace
} // namespace partialfs::model
