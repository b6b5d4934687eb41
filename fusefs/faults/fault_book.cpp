#include "fusefs/faults/fault_book.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <new>
#include <utility>

namespace partialfs::faults {

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the number at `index` of the sequence of `seed`.
std::uint64_t random_at(std::uint64_t seed, std::uint64_t index) {
    std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
}

bool happens(double probability, std::uint64_t seed, std::uint64_t index) {
    return std::ldexp(static_cast<double>(random_at(seed, index) >> 11U), -53) < probability;
}

bool is_thread_of(pid_t process, pid_t thread) {
    return process == thread ||
           ::access(fmt::format("/proc/{}/task/{}", process, thread).c_str(), F_OK) == 0;
}

/// The paths of an occasion, looked up once, when the first rule needs them.
class Paths {
  public:
    explicit Paths(const Occasion& occasion) : occasion_(occasion) {}
    [[nodiscard]] bool match(const FaultRule& rule) {
        if (rule.path == "*" && rule.name == "*") {
            return true;
        }
        if (!std::exchange(known_, true) && occasion_.paths) {
            paths_ = occasion_.paths();
        }
        return std::ranges::any_of(paths_, [&](const std::string& path) {
            return ::fnmatch(rule.path.c_str(), path.c_str(), 0) == 0 &&
                   ::fnmatch(rule.name.c_str(), path.c_str() + path.rfind('/') + 1, 0) == 0;
        });
    }

  private:
    const Occasion& occasion_;
    std::vector<std::string> paths_;
    bool known_ = false;
};

bool matches(const FaultRule& rule, const Occasion& occasion, Paths& paths) {
    if (!rule.is_for(occasion.operation)) {
        return false;
    }
    if (rule.range && (!occasion.range || intersect(*rule.range, *occasion.range).empty())) {
        return false;
    }
    const auto& caller = occasion.caller;
    if (rule.uid && (!caller || caller->uid != *rule.uid)) {
        return false;
    }
    if (rule.pid && (!caller || !is_thread_of(*rule.pid, caller->pid))) {
        return false;
    }
    return paths.match(rule);
}

/// Takes `bytes` out of the room that is left. Returns the fault of the operation, or no value if
/// there is enough room. With `in_part` (a write) it takes the room that is left, otherwise
/// nothing.
std::optional<Fault> take_room(std::uint64_t& used, std::uint64_t room, std::uint64_t bytes,
                               bool in_part) {
    const std::uint64_t left = room - used;
    if (bytes <= left) {
        used += bytes;
        return std::nullopt;
    }
    if (in_part && left > 0) {
        used = room;
        return Fault{.action = Action::short_count, .amount = left};
    }
    return Fault{.action = Action::error, .error = base::Errno{ENOSPC}};
}

} // namespace

std::expected<void, BadLine> FaultBook::change(std::string_view lines) {
    auto changes = parse_changes(lines);
    const base::Lock lock(mutex_);
    if (!changes) {
        refused_ = changes.error().message();
        return std::unexpected(std::move(changes.error()));
    }
    refused_.clear();
    for (const Change& change : *changes) {
        apply(change);
    }
    note_what_is_in_force();
    return {};
}

void FaultBook::refuse(std::string reason) {
    const base::Lock lock(mutex_);
    refused_ = std::move(reason);
}

void FaultBook::apply(const Change& change) {
    if (change.rule) {
        rules_.push_back({.rule = *change.rule, .number = ++last_number_});
        return;
    }
    rules_.clear();
    ++clears_;
    wake_.notify_all();
}

void FaultBook::note_what_is_in_force() {
    for (const Layer layer : {Layer::disk, Layer::request}) {
        in_force_[static_cast<std::size_t>(layer)] = std::ranges::any_of(
            rules_, [&](const ActiveRule& active) { return active.rule.layer == layer; });
    }
    const bool wanted = std::ranges::any_of(
        rules_, [](const ActiveRule& active) { return active.rule.action == Action::stale; });
    if (!wanted) {
        wants_old_blocks_ = 0;
    } else if (wants_old_blocks_ == 0) {
        wants_old_blocks_ = last_number_; // a new number, as it grows with each rule
    }
}

std::optional<FaultBook::Found> FaultBook::find(const Occasion& occasion) {
    Paths paths(occasion);
    for (ActiveRule& active : rules_) {
        const FaultRule& rule = active.rule;
        if (!matches(rule, occasion, paths)) {
            continue;
        }
        const std::uint64_t index = active.matched++;
        if (index < rule.after || active.fired >= rule.count ||
            (rule.probability < 1.0 && !happens(rule.probability, rule.seed, index))) {
            continue;
        }
        Fault fault{rule.action, rule.error, rule.amount, random_at(rule.seed, active.fired)};
        if (rule.action == Action::full) {
            const std::uint64_t bytes = occasion.range ? occasion.range->size().value : 0;
            const auto full = take_room(active.room_used, rule.amount, bytes,
                                        has_ability(occasion.operation, kWrites) &&
                                            occasion.operation != Operation::writepage);
            if (!full) {
                continue;
            }
            fault = *full;
        }
        ++active.fired;
        ++fired_;
        return Found{active.number, fault, rule.delay, clears_};
    }
    return std::nullopt;
}

std::optional<Fault> FaultBook::strike(const Occasion& occasion) {
    std::optional<Found> found;
    {
        const base::Lock lock(mutex_);
        found = find(occasion);
    }
    if (!found) {
        return std::nullopt;
    }
    if (observer_) {
        observer_({found->rule, found->fault, occasion});
    }
    if (found->delay.count() != 0) {
        wait(*found, row_of(occasion.operation).layer);
    }
    if (found->fault.action == Action::out_of_memory) {
        throw std::bad_alloc{};
    }
    return found->fault;
}

void FaultBook::wait(const Found& found, Layer layer) {
    const auto deadline = std::chrono::steady_clock::now() + found.delay;
    const base::Lock lock(mutex_);
    while (clears_ == found.clears && !(ending_ && layer == Layer::request) &&
           wake_.wait_until(lock, deadline) == std::cv_status::no_timeout) {
    }
}

void FaultBook::end_waiting() {
    const base::Lock lock(mutex_);
    ending_ = true;
    wake_.notify_all();
}

std::string FaultBook::text() const {
    const base::Lock lock(mutex_);
    std::string text;
    for (const ActiveRule& active : rules_) {
        text += fmt::format("{}  # rule {}: matched {}, fired {}\n", to_text(active.rule),
                            active.number, active.matched, active.fired);
    }
    if (!refused_.empty()) {
        text += fmt::format("# refused: {}\n", refused_);
    }
    return text;
}

FaultBook::Counts FaultBook::counts() const {
    const base::Lock lock(mutex_);
    return {rules_.size(), fired_};
}

std::string FaultBook::refused() const {
    const base::Lock lock(mutex_);
    return refused_;
}

void flip_bits(std::span<std::byte> bytes, std::uint64_t bits, std::uint64_t seed) {
    for (std::uint64_t i = 0; i < bits && !bytes.empty(); ++i) {
        const std::uint64_t bit = random_at(seed, i) % (bytes.size() * 8);
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}

} // namespace partialfs::faults
