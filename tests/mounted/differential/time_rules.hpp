// What must hold between the time stamps of the two sides.
#pragma once

#include "tests/mounted/differential/answer.hpp"
#include "tests/mounted/differential/side.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
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
///   older than one seen before on another file that was changed earlier;
/// - a change time never goes back.
/// A store through a mapping moves the modification time at some moment between the store and the
/// next sync of the file, so that nothing is asked of it meanwhile.
class TimeRules {
  public:
    explicit TimeRules(const Checks& checks) : checks_(checks) {}

    /// The file has been stored into through a mapping.
    void stored(const Identity& file) { files_[file].stores = Stores::pending; }
    /// What was stored has been synced: the time is what it will be.
    void synced(const Identity& file);
    /// The modification time has been set after all stores.
    void set(const Identity& file) { files_[file].stores = Stores::none; }
    /// Looks at the file's times on both sides.
    void look(std::string_view what, const Identity& file, const Both<struct stat>& status);

  private:
    enum class Stores { none, pending, settled };
    struct Seen {
        Both<Stamp> modified;
        Both<Stamp> changed;
        Stamp at = 0; ///< when it was looked at; 0: never
        Stores stores = Stores::none;
    };
    void look_at_moved(std::string_view what, const Seen& before, const Both<Stamp>& now) const;
    void look_in_order(std::string_view what, const Seen& before, const Both<Stamp>& now);

    const Checks& checks_;
    std::map<Identity, Seen> files_;
    Both<Stamp> newest_; ///< modification times given out so far, but for those that were set
};

} // namespace partialfs::differential
