// Compares what a cut leaves of random changes of a file with every state that the file has had.
#include "fusefs/power/survival.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace partialfs::power {
namespace {

using model::ByteOffset;
using model::ByteRange;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kLargest = 4096;
constexpr std::uint64_t kSector = 512;

/// A file with its changes, recorded as the disk's cache records them, and the state after each.
struct History {
    Bytes now;
    std::vector<Change> changes;
    std::vector<Bytes> before; ///< the bytes that each change replaced
    std::vector<Bytes> states; ///< the first is the state before all changes

    explicit History(Bytes content) : now(std::move(content)), states{now} {}

    Bytes at(ByteRange range) const {
        Bytes bytes(range.size().value, 0);
        for (std::uint64_t i = range.begin.value; i < std::min(range.end.value, now.size()); ++i) {
            bytes[i - range.begin.value] = now[i];
        }
        return bytes;
    }
    void write(std::uint64_t begin, std::uint64_t length, std::uint8_t value) {
        const ByteRange range{ByteOffset{begin}, ByteOffset{begin + length}};
        changes.push_back({.file = FileNumber{0}, .bytes = range});
        before.push_back(at(range));
        const std::uint64_t size = now.size();
        now.resize(std::max(size, range.end.value), 0);
        std::fill(now.begin() + long(begin), now.begin() + long(range.end.value), value);
        states.emplace_back(now.begin(), now.begin() + long(size)); // the size has not changed yet
        if (now.size() != size) {
            changes.push_back({.file = FileNumber{0},
                               .bytes = {},
                               .resizes = true,
                               .size_before = ByteOffset{size},
                               .size_after = ByteOffset{now.size()}});
            before.emplace_back();
            states.push_back(now);
        }
    }
    void truncate(std::uint64_t size) {
        const ByteRange gone =
            size < now.size() ? ByteRange{ByteOffset{size}, ByteOffset{now.size()}} : ByteRange{};
        changes.push_back({.file = FileNumber{0},
                           .bytes = gone,
                           .resizes = true,
                           .size_before = ByteOffset{now.size()},
                           .size_after = ByteOffset{size}});
        before.push_back(at(gone));
        now.resize(size, 0);
        states.push_back(now);
    }
    [[nodiscard]] Bytes after(const Tear& tear) const {
        Bytes left = now;
        const Aftermath after = aftermath_of(changes, tear);
        for (const Reversal& reversal : after.reversals) {
            left.resize(std::max(left.size(), reversal.bytes.end.value), 0);
            const Change& change = changes[reversal.change];
            for (std::uint64_t i = reversal.bytes.begin.value; i < reversal.bytes.end.value; ++i) {
                left[i] = before[reversal.change].at(i - change.bytes.begin.value);
            }
        }
        const auto size = after.sizes.find(FileNumber{0});
        left.resize(size == after.sizes.end() ? now.size() : size->second.value, 0);
        return left;
    }
};

History random_history() {
    History history(Bytes(*rc::gen::inRange<std::uint64_t>(0, kLargest), 1));
    const int count = *rc::gen::inRange(0, 8);
    for (int i = 0; i < count; ++i) {
        const auto begin = *rc::gen::inRange<std::uint64_t>(0, kLargest);
        if (*rc::gen::inRange(0, 3) == 0) {
            history.truncate(begin);
        } else {
            const auto length = *rc::gen::inRange<std::uint64_t>(1, 2000);
            history.write(begin, length, static_cast<std::uint8_t>(i + 2));
        }
    }
    return history;
}

RC_GTEST_PROP(Survival, TheEndsAreTheFirstStateAndTheLast, ()) {
    const History history = random_history();
    RC_ASSERT(history.after({.kind = Tear::Kind::none}) == history.states.front());
    RC_ASSERT(history.after({.kind = Tear::Kind::all}) == history.now);
}

RC_GTEST_PROP(Survival, EveryByteIsOneThatTheFileHadThere, ()) {
    const History history = random_history();
    const Bytes left = history.after({.kind = Tear::Kind::sectors,
                                      .sector = kSector,
                                      .seed = *rc::gen::arbitrary<std::uint64_t>()});
    RC_ASSERT(std::ranges::any_of(history.states,
                                  [&](const Bytes& state) { return state.size() == left.size(); }));
    for (std::size_t i = 0; i < left.size(); ++i) {
        RC_ASSERT(std::ranges::any_of(history.states, [&](const Bytes& state) {
            return i < state.size() && state[i] == left[i];
        }));
    }
}

RC_GTEST_PROP(Survival, KeepOrderLeavesAStateOfThePastButForOneTornWrite, ()) {
    const History history = random_history();
    const Bytes left = history.after({.kind = Tear::Kind::sectors,
                                      .sector = kSector,
                                      .keep_order = true,
                                      .seed = *rc::gen::arbitrary<std::uint64_t>()});
    // Some state, with the first sectors of the next change applied.
    bool found = left == history.states.back();
    for (std::size_t i = 0; i + 1 < history.states.size() && !found; ++i) {
        const Bytes& old = history.states[i];
        const Bytes& next = history.states[i + 1];
        const std::uint64_t begin = history.changes[i].bytes.begin.value;
        for (std::uint64_t cut = begin; old.size() == left.size() && !found;
             cut = (cut / kSector + 1) * kSector) {
            Bytes torn = old;
            for (std::uint64_t k = begin;
                 !history.changes[i].resizes && k < std::min<std::uint64_t>(cut, torn.size());
                 ++k) {
                torn[k] = next[k];
            }
            found = torn == left;
            if (cut > kLargest + 2000) {
                break;
            }
        }
    }
    RC_ASSERT(found);
}

} // namespace
} // namespace partialfs::power
