// The rules of faults in force on a mount, how often each has struck, and what strikes now.
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
    /// The paths in the mount of the files that it concerns. Asked only if a rule wants to know.
    std::function<std::vector<std::string>()> paths{};
    int fd = -1;            ///< of the disk: the file of SOURCE; for the trace
    model::InodeId inode{}; ///< of a request: its inode, if it has one; for the trace
};

/// What becomes of an operation. Action::delay: it has waited, and is done as ever.
struct Fault {
    Action action = Action::delay;
    base::Errno error{};
    std::uint64_t amount = 0; ///< bytes or bits, as FaultRule::amount
    std::uint64_t seed = 0;   ///< of flip: another one each time
};

/// A rule has struck.
struct Firing {
    std::uint64_t rule = 0; ///< its number
    Fault fault;
    const Occasion& occasion;
};

/// Thread-safe. Without rules, any() is all that an operation asks: one load of a byte that nobody
/// writes. Its mutex is a leaf; the observer is called without it.
class FaultBook {
  public:
    struct Counts {
        std::size_t rules = 0;
        std::uint64_t fired = 0; ///< since the mount, by rules that are cleared as well
    };

    /// `observer` hears of each firing, before the operation goes on. Before the first operation.
    void set_observer(std::function<void(const Firing&)> observer) {
        observer_ = std::move(observer);
    }

    /// Does what the lines ask for, all of it or, if one cannot be understood, nothing.
    std::expected<void, BadLine> change(std::string_view lines);

    /// Notes that a change was refused, as change() does.
    void refuse(std::string reason);

    /// Whether a rule is in force for the layer.
    [[nodiscard]] bool any(Layer layer) const {
        return in_force_[static_cast<std::size_t>(layer)].load(std::memory_order_relaxed);
    }
    /// Not 0 while a rule may ask for what stood on the disk before a write; another number each
    /// time that this begins.
    [[nodiscard]] std::uint64_t wants_old_blocks() const {
        return wants_old_blocks_.load(std::memory_order_relaxed);
    }
    /// What the first rule does that matches and is not used up, or nothing. Waits as long as that
    /// rule says, but no longer than until the rules are cleared. Throws std::bad_alloc if it
    /// says so.
    std::optional<Fault> strike(const Occasion& occasion);
    /// The mount ends: requests wait no more.
    void end_waiting();

    /// The rules, one a line, each with its number and counts as a comment; what was wrong with the
    /// latest change, if that was refused, as a comment of its own.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] Counts counts() const;
    /// What was wrong with the latest change; empty if nothing was.
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
    /// The rule that strikes, counted as such, and what it does.
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

/// Flips `bits` bits of `bytes`, at places that `seed` chooses; all the same ones each time.
void flip_bits(std::span<std::byte> bytes, std::uint64_t bits, std::uint64_t seed);

} // namespace partialfs::faults
