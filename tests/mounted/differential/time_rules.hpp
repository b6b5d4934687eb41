// What must hold between the time stamps of the two sides.
#pragma once

#include "tests/mounted/differential/answer.hpp"
#include "tests/mounted/differential/side.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace partialfs::differential {

/// A time in ns since 1970.
using Stamp = std::int64_t;
[[nodiscard]] Stamp stamp_of(const timespec& time);
[[nodiscard]] Stamp clock_now(clockid_t clock);

/// Times that operations set lie in the year 2001, where no clock is now.
constexpr Stamp kSetTimes = Stamp{1'000'000'000} * 1'000'000'000;
constexpr Stamp kSetTimesEnd = Stamp{1'010'000'000} * 1'000'000'000;
[[nodiscard]] constexpr bool was_set(Stamp stamp) {
    return stamp >= kSetTimes && stamp < kSetTimesEnd;
}

/// An inode of the plain directory, and when it was created: inode numbers are reused.
using Identity = std::pair<ino_t, Stamp>;

/// The two sides read different clocks, but must have the same order, and the same times where
/// these were set:
/// - a modification time that was set stays until the file is changed;
/// - one that does not move on the plain side does not move on the mount;
/// - one that moves is not older than the last comparison of the file, and not older than any that
///   the mount had returned by then;
/// - a change time never goes back.
/// All of this holds for what the daemon answers. The kernel may show older attributes once: of two
/// replies that cross it keeps the first to arrive if the other's request was sent before that
/// (fuse_change_attributes(), attr_version), and shows the other's attributes only to its caller. A
/// store through a mapping moves the modification time at some moment between the store and the
/// next sync of the file, so that it is not checked meanwhile. Stores from before the time was set
/// do not move it, unless there is a later change.
class TimeRules {
  public:
    explicit TimeRules(const Checks& checks) : checks_(checks) {}

    /// The file was created by this operation.
    void created(const Identity& file) { files_[file].given_out = newest_; }
    /// The file has been stored into through a mapping.
    void stored(const Identity& file) { files_[file].stores = Stores::pending; }
    /// All stores have been synced: the modification time is final.
    void synced(const Identity& file);
    /// The modification time has been set, after all stores so far.
    void set(const Identity& file);
    /// Whether stores may still move the modification time, or have moved the mount's alone,
    /// although it was set after them.
    [[nodiscard]] bool may_move(const Identity& file) const;
    /// What the daemon answers now, whatever the kernel has cached.
    struct Told {
        Stamp modified = 0;
        Stamp changed = 0;
    };
    using AskDaemon = std::function<Told()>;
    /// Compares the file's times on both sides with the rules.
    void look(std::string_view what, const Identity& file, const Both<struct stat>& status,
              const AskDaemon& ask);

  private:
    enum class Stores {
        none,
        pending,
        settled,  ///< synced: the next look sees the final time
        just_set, ///< pending, but the time has been set since
        set_over, ///< the same, and the time that was set has been looked at
    };
    struct Seen {
        Both<Stamp> modified;
        Both<Stamp> changed;
        Stamp at = 0; ///< when it was looked at; 0: never
        /// The newest modification time that the mount had returned by then, or before the file was
        /// created. 0: not known.
        Stamp given_out = 0;
        Stores stores = Stores::none;
    };
    /// `moved`: whether the plain file's modification time moved.
    static Stores after_look(Stores stores, bool moved);
    void look_at_moved(std::string_view what, const Seen& before, const Both<Stamp>& now) const;
    void look_in_order(std::string_view what, const Seen& before, const Both<Stamp>& now) const;

    const Checks& checks_;
    std::map<Identity, Seen> files_;
    /// The newest modification time that the mount has returned, without those that were set.
    Stamp newest_ = 0;
};

} // namespace partialfs::differential
