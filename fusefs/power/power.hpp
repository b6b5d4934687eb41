// The power of the emulated machine: on, being cut, or off.
//
// The story of a cut. Somebody cuts (a command, or an armed moment that has come): at that instant
// the boot ends. From then on every request of a program is answered with EIO, and no file of this
// boot reaches SOURCE any more. What was under way ends, with EIO or with what it had done before
// that instant; nobody's fsync succeeds for what the cut takes, as a success needs a sync that
// ended before it. Then a thread that serves nobody takes what the disk's cache has not kept, all
// that memory held, and the kernel's pages (fuse/power_cut.hpp). `on` begins the next boot: with
// new files, as the old ones are dead for good.
//
// Lock order: Power's mutex is a leaf. A request that has entered the boot may take any lock, and
// wait for what other requests do; who waits for all to leave holds no lock.
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

/// Where something was when the power was cut, and what that took.
struct CutReport {
    std::uint64_t number = 0; ///< counted from 1
    std::string command{};
    bool armed = false; ///< it came at an armed moment
    std::uint64_t files = 0;
    std::uint64_t bytes = 0; ///< entered in the ledger
    std::uint64_t sizes = 0; ///< files whose size is not what it was
    std::uint64_t sectors_kept = 0;
    std::uint64_t sectors_lost = 0;
    int error = 0; ///< something could not be put back
};

/// Thread-safe.
class Power {
  public:
    enum class State : std::uint8_t { on, cutting, off };

    /// `io` is the way to SOURCE, through the fault rules, to `cache` at its end.
    Power(backing::FileIo& io, DiskCache& cache);

    /// What cuts: gets the command once the boot has ended, on any thread, and must not wait. It
    /// calls cut_is_done() later. To be called once, before the first request.
    void set_cutter(std::function<void(const Command&)> cutter) { cutter_ = std::move(cutter); }
    [[nodiscard]] DiskCache& cache() { return cache_; }

    // --- Requests
    /// SOURCE for files that are made now. Outlives them.
    [[nodiscard]] Boot& boot() const { return *boot_.load(); }
    [[nodiscard]] bool is_on() const { return !boot().ended(); }

    /// What has become of a moment that begins.
    enum class Begun : std::uint8_t {
        goes_on,
        ends_in_cut, ///< ended() then cuts
        refused,     ///< the power is off: it must not be done
    };
    /// A moment begins. `path`: see Countdown.
    Begun begins(Moment moment, const Countdown::Path& path = {});
    /// It has been done. False: the power is off now, and nobody may be told that it succeeded.
    bool ended(Begun begun);

    // --- Commands
    /// Gets the report, or nothing if the mount ends.
    using Told = std::function<void(const std::optional<CutReport>&)>;
    /// Cuts at once, and calls `done` when that is done. False: it is off already, or about to be.
    bool cut(const Command& command, Told done);
    /// A cut is being carried out.
    [[nodiscard]] bool is_cutting() const;
    /// The cut has been carried out (nothing: it has not, as the mount ends): off, or on again.
    void cut_is_done(std::optional<CutReport> report, bool on_again);
    /// The next boot. True also if it is on. False: a cut is under way.
    bool turn_on();
    /// Replaces what is armed.
    void arm(Command command);
    void disarm();
    void refused(std::string reason); ///< a command: for whoever reads the file

    struct Status {
        State state = State::on;
        BootNumber boot;
        std::optional<Command> armed;
        std::uint64_t seen = 0; ///< of the armed moment
        std::uint64_t cuts = 0;
        std::optional<CutReport> last;
        std::string refused;
    };
    [[nodiscard]] Status status() const;

    // --- Who waits for an armed cut
    /// Names who waits, for give_up().
    using Waiter = std::uint64_t;
    /// The armed cut that has fired and has been carried out since something was last armed; or
    /// else nothing, and `fired` is called when one is. `give_up` is asked under the lock: true,
    /// and nobody waits (0).
    struct Waiting {
        std::optional<CutReport> report;
        Waiter waiter = 0;
    };
    Waiting wait_for_firing(Waiter waiter, Told fired, const std::function<bool()>& give_up);
    /// A number for wait_for_firing(). Never 0.
    Waiter next_waiter() { return ++last_waiter_; }
    /// Whether it was waiting: its function is not called any more.
    bool stop_waiting(Waiter waiter);
    /// The mount ends: all who wait get nothing, and so does who comes later.
    void end();

  private:
    void lock_end_boot(const Command& command, bool armed) REQUIRES(mutex_);

    DiskCache& cache_;
    backing::FileIo& io_;
    std::function<void(const Command&)> cutter_;
    std::atomic<Boot*> boot_;
    std::atomic<bool> counting_{false}; ///< something is armed
    std::atomic<Waiter> last_waiter_{0};

    mutable base::Mutex mutex_;                ///< a leaf
    std::list<Boot> boots_ GUARDED_BY(mutex_); ///< kept for the files that are of them
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
