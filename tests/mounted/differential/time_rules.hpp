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

/// A time in ns since 1970, and the clock that filesystems stamp with.
using Stamp = std::int64_t;
[[nodiscard]] Stamp stamp_of(const timespec& time);
[[nodiscard]] Stamp clock_now(clockid_t clock);

/// Times that operations set lie within the year 2001, where no clock is.
constexpr Stamp kSetTimes = Stamp{1'000'000'000} * 1'000'000'000;
constexpr Stamp kSetTimesEnd = Stamp{1'010'000'000} * 1'000'000'000;
[[nodiscard]] constexpr bool was_set(Stamp stamp) {
    return stamp >= kSetTimes && stamp < kSetTimesEnd;
}

/// An inode of the plain directory, and when it was made: its number may be used again.
using Identity = std::pair<ino_t, Stamp>;

/// The two sides have different clocks' readings, but the same order, and the same times that were
/// set:
/// - a modification time that was set stays until the file is changed;
/// - one that does not move on the plain side does not move on the mount;
/// - one that moves is not older than the moment at which the file was looked at last, and not
///   older than any that the mount had given out by then;
/// - a change time never goes back.
/// All that as the daemon tells it. The kernel may show older attributes for a moment: of two
/// replies that cross each other it keeps the first that arrives, if the other was asked for before
/// that (fuse_change_attributes(), attr_version), and shows the other once.
/// A store through a mapping moves the modification time at some moment between the store and the
/// next sync of the file, so that nothing is asked of it meanwhile. Stores from before the time was
/// set do not move it, until a later change has.
class TimeRules {
  public:
    explicit TimeRules(const Checks& checks) : checks_(checks) {}

    /// The file did not exist before this operation.
    void created(const Identity& file) { files_[file].given_out = newest_; }
    /// The file has been stored into through a mapping.
    void stored(const Identity& file) { files_[file].stores = Stores::pending; }
    /// What was stored has been synced: the time is what it will be.
    void synced(const Identity& file);
    /// The modification time has been set after all stores.
    void set(const Identity& file);
    /// Whether stores may still move the modification time, or have moved that of the mount alone,
    /// although it was set before them.
    [[nodiscard]] bool may_move(const Identity& file) const;
    /// What the daemon of the mount tells now, whatever the kernel has kept.
    struct Told {
        Stamp modified = 0;
        Stamp changed = 0;
    };
    using AskDaemon = std::function<Told()>;
    /// Looks at the file's times on both sides.
    void look(std::string_view what, const Identity& file, const Both<struct stat>& status,
              const AskDaemon& ask);

  private:
    enum class Stores {
        none,
        pending,
        settled,  ///< synced: the next look sees the time that they have made
        just_set, ///< pending, but the time has been set since
        set_over, ///< the same, and what it was set to has been looked at
    };
    struct Seen {
        Both<Stamp> modified;
        Both<Stamp> changed;
        Stamp at = 0; ///< when it was looked at; 0: never
        /// The newest modification time that the mount had given out by then, or before the file
        /// was created. 0: not known.
        Stamp given_out = 0;
        Stores stores = Stores::none;
    };
    /// `moved`: the plain file's modification time has.
    static Stores after_look(Stores stores, bool moved);
    void look_at_moved(std::string_view what, const Seen& before, const Both<Stamp>& now) const;
    void look_in_order(std::string_view what, const Seen& before, const Both<Stamp>& now) const;

    const Checks& checks_;
    std::map<Identity, Seen> files_;
    Stamp newest_ = 0; ///< of the modification times that the mount has given out, if none set it
};

} // namespace partialfs::differential
