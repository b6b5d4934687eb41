// The rules of faults in force on a mount, and the counts of each; decides which rule fires.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/faults/rule.hpp"
#include "fusefs/model/types.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::faults {

/// An operation that is about to be done.
struct Occasion {
    struct Caller {
        uid_t uid;
        pid_t pid; ///< of the thread
    };
    Operation operation;
    std::optional<model::ByteRange> range{};
    std::optional<Caller> caller{};
    /// The paths in the mount of the files that it concerns. Called only if a rule needs them.
    std::function<std::vector<std::string>()> paths{};
    int fd = -1;            ///< for an operation on the disk: the file of SOURCE; for the trace
    model::InodeId inode{}; ///< for a request: its inode, if it has one; for the trace
};

/// The effect of a rule on an operation. Action::delay: it has waited, and is done as usual.
struct Fault {
    Action action = Action::delay;
    base::Errno error{};
    std::uint64_t amount = 0; ///< bytes or bits, as FaultRule::amount
    std::uint64_t seed = 0;   ///< for flip: another one at each firing
};

/// A rule has fired.
struct Firing {
    std::uint64_t rule = 0; ///< its number
    Fault fault;
    const Occasion& occasion;
};

/// Thread-safe. Without rules an operation only calls any(): one load of a byte that nobody writes.
/// Its mutex is a leaf; the observer is called without it.
class FaultBook {
  public:
    struct Counts {
        std::size_t rules = 0;
        std::uint64_t fired = 0; ///< since the mount, including rules that were cleared
    };

    /// `observer` is called at each firing, before the operation continues. To be called before the
    /// first operation.
    void set_observer(std::function<void(const Firing&)> observer) {
        observer_ = std::move(observer);
    }

    /// Carries out all lines or, if one cannot be understood, none.
    std::expected<void, BadLine> change(std::string_view lines);

    /// Notes why a change was refused before it came to change().
    void refuse(std::string reason);

    /// Whether a rule is in force for the layer.
    [[nodiscard]] bool any(Layer layer) const {
        return in_force_[static_cast<std::size_t>(layer)].load(std::memory_order_relaxed);
    }
    /// Not 0 while a rule with Action::stale needs the contents from before writes; another number
    /// for each such period.
    [[nodiscard]] std::uint64_t wants_old_blocks() const {
        return wants_old_blocks_.load(std::memory_order_relaxed);
    }
    /// The effect of the first rule that matches and is not used up, or no value. Waits as long as
    /// that rule says, but only until the rules are cleared. Throws std::bad_alloc for
    /// Action::out_of_memory.
    std::optional<Fault> strike(const Occasion& occasion);
    /// The mount ends: ends the waits of requests.
    void end_waiting();

    /// The rules, one per line, each with its number and counts as a comment; if the latest change
    /// was refused, a comment with the reason.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] Counts counts() const;
    /// Why the latest change was refused; empty if it was not.
    [[nodiscard]] std::string refused() const;

  private:
    struct ActiveRule {
        FaultRule rule;
        std::uint64_t number; ///< counted from 1, never used again
        std::uint64_t matched = 0;
        std::uint64_t fired = 0;
        std::uint64_t room_used = 0; ///< Action::full: bytes
    };
    void apply(const Change& change) REQUIRES(mutex_);
    void note_what_is_in_force() REQUIRES(mutex_);
    struct Found {
        std::uint64_t rule; ///< its number
        Fault fault;
        std::chrono::milliseconds delay;
        std::uint64_t clears; ///< clears_ when it was found
    };
    /// Finds the rule that fires, counts it, and returns its effect.
    std::optional<Found> find(const Occasion& occasion) REQUIRES(mutex_);
    void wait(const Found& found, Layer layer);

    std::function<void(const Firing&)> observer_;
    std::atomic<bool> in_force_[2]{false, false}; ///< by layer
    std::atomic<std::uint64_t> wants_old_blocks_{0};

    mutable base::Mutex mutex_;
    base::CondVar wake_;
    std::vector<ActiveRule> rules_ GUARDED_BY(mutex_);
    std::uint64_t last_number_ GUARDED_BY(mutex_) = 0;
    std::uint64_t fired_ GUARDED_BY(mutex_) = 0;
    std::uint64_t clears_ GUARDED_BY(mutex_) = 0;
    bool ending_ GUARDED_BY(mutex_) = false;
    std::string refused_ GUARDED_BY(mutex_);
};

/// Flips `bits` bits of `bytes`, at places that depend only on `seed`; a place chosen twice is
/// flipped back.
void flip_bits(std::span<std::byte> bytes, std::uint64_t bits, std::uint64_t seed);

} // namespace partialfs::faults
