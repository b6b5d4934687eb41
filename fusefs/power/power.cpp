#include "fusefs/power/power.hpp"

#include <utility>

namespace partialfs::power {

Power::Power(backing::FileIo& io, DiskCache& cache) : cache_(cache), io_(io) {
    const base::Lock lock(mutex_);
    boot_ = &boots_.emplace_back(BootNumber{1}, io);
}

// --- Requests
// -------------------------------------------------------------------------------------

Power::Begun Power::begins(Moment moment, const Countdown::Path& path) {
    if (!counting_.load(std::memory_order_relaxed)) {
        return is_on() ? Begun::goes_on : Begun::refused;
    }
    // Without the lock, as finding the path takes a walk through the tree.
    std::string known;
    if (path) {
        known = path();
    }
    std::optional<Command> fires;
    {
        const base::Lock lock(mutex_);
        if (state_ != State::on) {
            return Begun::refused;
        }
        const Countdown::Path its_path = path ? [&] { return known; } : Countdown::Path{};
        if (!countdown_ || !countdown_->counts(moment, its_path)) {
            return Begun::goes_on;
        }
        if (countdown_->command().at->when == When::after) {
            return Begun::ends_in_cut;
        }
        fires = countdown_->command();
        lock_end_boot(*fires, /*armed=*/true);
    }
    cutter_(*fires);
    return Begun::refused;
}

bool Power::ended(Begun begun) {
    if (begun != Begun::ends_in_cut) {
        return begun == Begun::goes_on && is_on();
    }
    std::optional<Command> fires;
    {
        const base::Lock lock(mutex_);
        if (state_ != State::on || !countdown_ ||
            countdown_->seen() < countdown_->command().at->nth) {
            return state_ == State::on; // the cut has come, or was disarmed or replaced, meanwhile
        }
        fires = countdown_->command();
        lock_end_boot(*fires, /*armed=*/true);
    }
    cutter_(*fires);
    return false;
}

// --- Commands
// -------------------------------------------------------------------------------------

void Power::lock_end_boot(const Command& command, bool armed) {
    boot_.load()->end();
    state_ = State::cutting;
    cutting_ = to_text(command);
    firing_is_armed_ = armed;
    if (armed) {
        countdown_.reset();
        counting_ = false;
    }
}

bool Power::cut(const Command& command, Told done) {
    {
        const base::Lock lock(mutex_);
        if (state_ != State::on) {
            return false;
        }
        done_ = std::move(done);
        lock_end_boot(command, /*armed=*/false);
    }
    cutter_(command);
    return true;
}

bool Power::is_cutting() const {
    const base::Lock lock(mutex_);
    return state_ == State::cutting;
}

void Power::cut_is_done(std::optional<CutReport> report, bool on_again) {
    std::map<Waiter, Told> told;
    {
        const base::Lock lock(mutex_);
        state_ = State::off;
        if (done_) {
            told.emplace(0, std::exchange(done_, nullptr));
        }
        if (report) {
            report->number = ++cuts_;
            report->command = cutting_;
            report->armed = firing_is_armed_;
            last_ = report;
        }
        if (report && report->armed) {
            fired_ = report;
            told.merge(waiting_);
        }
    }
    if (on_again) {
        turn_on();
    }
    for (const auto& [waiter, tell] : told) {
        tell(report);
    }
}

bool Power::turn_on() {
    const base::Lock lock(mutex_);
    if (state_ == State::off) {
        const BootNumber next{boots_.back().number().value + 1};
        boot_ = &boots_.emplace_back(next, io_);
        state_ = State::on;
    }
    return state_ == State::on;
}

void Power::arm(Command command) {
    const base::Lock lock(mutex_);
    countdown_.emplace(std::move(command));
    counting_ = true;
    fired_.reset();
}

void Power::disarm() {
    const base::Lock lock(mutex_);
    countdown_.reset();
    counting_ = false;
}

void Power::refused(std::string reason) {
    const base::Lock lock(mutex_);
    refused_ = std::move(reason);
}

Power::Status Power::status() const {
    const base::Lock lock(mutex_);
    Status status{.state = state_,
                  .boot = boots_.back().number(),
                  .armed = {},
                  .seen = 0,
                  .cuts = cuts_,
                  .last = last_,
                  .refused = refused_};
    if (countdown_) {
        status.armed = countdown_->command();
        status.seen = countdown_->seen();
    }
    return status;
}

// --- Waiting for a cut
// ------------------------------------------------------------------------------------

Power::Waiting Power::wait_for_firing(Waiter waiter, Told fired,
                                      const std::function<bool()>& give_up) {
    const base::Lock lock(mutex_);
    if (fired_) {
        return {fired_, 0};
    }
    if (ended_ || give_up()) {
        return {};
    }
    waiting_.emplace(waiter, std::move(fired));
    return {{}, waiter};
}

bool Power::stop_waiting(Waiter waiter) {
    const base::Lock lock(mutex_);
    return waiting_.erase(waiter) != 0;
}

void Power::end() {
    std::map<Waiter, Told> told;
    {
        const base::Lock lock(mutex_);
        ended_ = true;
        told.swap(waiting_);
    }
    for (const auto& [waiter, fired] : told) {
        fired(std::nullopt);
    }
}

} // namespace partialfs::power
