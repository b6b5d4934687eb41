// The power of the emulated machine: on, being cut, or off.
//
// A cut begins with a command, or with an armed moment: at that instant the boot ends. From then on
// every request of a program gets EIO, and no file of this boot reaches SOURCE any more. Operations
// under way end, with EIO or with what they did before that instant. No fsync succeeds for data
// that the cut takes, as success needs a sync that ended before the cut. Then a thread that serves
// no requests drops the unsynced changes that the disk's cache loses, everything held in memory,
// and the kernel's pages (fuse/power_cut.hpp). `on` begins the next boot, with new file objects, as
// the old ones stay dead.
//
// Lock order: Power's mutex is a leaf. A request that has entered the boot may take any lock, and
// wait for other requests; a thread that waits until all have left holds no lock.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/power/boot.hpp"
#include "fusefs/power/command.hpp"
#include "fusefs/power/countdown.hpp"
#include "fusefs/power/disk_cache.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>

namespace partialfs::power {

/// What a cut has taken.
struct CutReport {
    std::uint64_t number = 0; ///< counted from 1
    std::string command{};
    bool armed = false; ///< the cut came at an armed moment
    std::uint64_t files = 0;
    std::uint64_t bytes = 0; ///< entered in the ledger
    std::uint64_t sizes = 0; ///< files whose size has changed
    std::uint64_t sectors_kept = 0;
    std::uint64_t sectors_lost = 0;
    int error = 0; ///< the errno if something could not be put back, or 0
};

/// Thread-safe.
class Power {
  public:
    enum class State : std::uint8_t { on, cutting, off };

    /// `io` is the access to SOURCE: through the rules of faults, and `cache` as the lowest layer.
    Power(backing::FileIo& io, DiskCache& cache);

    /// `cutter` carries out a cut: it is called with the command when the boot has ended, on any
    /// thread, and must not wait. cut_is_done() is to be called later. To be called once, before
    /// the first request.
    void set_cutter(std::function<void(const Command&)> cutter) { cutter_ = std::move(cutter); }
    [[nodiscard]] DiskCache& cache() { return cache_; }

    // --- Requests
    /// The present boot: the access to SOURCE for file objects made now. Outlives them.
    [[nodiscard]] Boot& boot() const { return *boot_.load(); }
    [[nodiscard]] bool is_on() const { return !boot().ended(); }

    /// The result of begins().
    enum class Begun : std::uint8_t {
        goes_on,
        ends_in_cut, ///< the operation is to be done, and ended() then cuts
        refused,     ///< the power is off: the operation must not be done
    };
    /// A moment begins. `path`: see Countdown.
    Begun begins(Moment moment, const Countdown::Path& path = {});
    /// The operation has been done. False: the power is off now, and success must not be reported.
    bool ended(Begun begun);

    // --- Commands
    /// Called with the report, or with no value if the mount ends.
    using Told = std::function<void(const std::optional<CutReport>&)>;
    /// Cuts at once, and calls `done` when that is done. False: the power is off or being cut.
    bool cut(const Command& command, Told done);
    /// A cut is being carried out.
    [[nodiscard]] bool is_cutting() const;
    /// The cut has been carried out (no value: it has not, as the mount ends). The power is then
    /// off, or on again.
    void cut_is_done(std::optional<CutReport> report, bool on_again);
    /// Begins the next boot. True also if the power is on. False: a cut is under way.
    bool turn_on();
    /// Replaces the armed cut.
    void arm(Command command);
    void disarm();
    void refused(std::string reason); ///< notes why a command was refused, for status()

    struct Status {
        State state = State::on;
        BootNumber boot;
        std::optional<Command> armed;
        std::uint64_t seen = 0; ///< how many of the armed moments have been counted
        std::uint64_t cuts = 0;
        std::optional<CutReport> last;
        std::string refused;
    };
    [[nodiscard]] Status status() const;

    // --- Waiting for an armed cut
    /// Identifies a waiter, for stop_waiting().
    using Waiter = std::uint64_t;
    /// If an armed cut has been carried out since the last arm(), its report. Otherwise no report,
    /// and `fired` is called when one has been; unless `give_up`, which is called under the lock,
    /// returns true: then nothing waits, and `waiter` is 0.
    struct Waiting {
        std::optional<CutReport> report;
        Waiter waiter = 0;
    };
    Waiting wait_for_firing(Waiter waiter, Told fired, const std::function<bool()>& give_up);
    /// A number for wait_for_firing(). Never 0.
    Waiter next_waiter() { return ++last_waiter_; }
    /// Ends a wait. True if it was waiting: its function will not be called any more.
    bool stop_waiting(Waiter waiter);
    /// The mount ends: present and later waiters get no report.
    void end();

  private:
    void lock_end_boot(const Command& command, bool armed) REQUIRES(mutex_);

    DiskCache& cache_;
    backing::FileIo& io_;
    std::function<void(const Command&)> cutter_;
    std::atomic<Boot*> boot_;
    std::atomic<bool> counting_{false}; ///< a cut is armed
    std::atomic<Waiter> last_waiter_{0};

    mutable base::Mutex mutex_;                ///< a leaf
    std::list<Boot> boots_ GUARDED_BY(mutex_); ///< all boots, as files of each may still exist
    State state_ GUARDED_BY(mutex_) = State::on;
    std::optional<Countdown> countdown_ GUARDED_BY(mutex_);
    bool firing_is_armed_ GUARDED_BY(mutex_) = false; ///< the cut under way is an armed one
    std::string cutting_ GUARDED_BY(mutex_);          ///< its command
    std::optional<CutReport> fired_ GUARDED_BY(mutex_);
    std::uint64_t cuts_ GUARDED_BY(mutex_) = 0;
    std::optional<CutReport> last_ GUARDED_BY(mutex_);
    std::string refused_ GUARDED_BY(mutex_);
    bool ended_ GUARDED_BY(mutex_) = false;
    Told done_ GUARDED_BY(mutex_); ///< of the cut under way, if a command asked for it
    std::map<Waiter, Told> waiting_ GUARDED_BY(mutex_);
};

} // namespace partialfs::power
