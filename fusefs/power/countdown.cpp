#include "fusefs/power/countdown.hpp"

#include <fnmatch.h>

namespace partialfs::power {

bool Countdown::counts(Moment moment, const Path& path) {
    const Trigger& trigger = *command_.at;
    if (moment != trigger.at || seen_ >= trigger.nth) {
        return false;
    }
    if (!trigger.path.empty() &&
        (!path || ::fnmatch(trigger.path.c_str(), path().c_str(), 0) != 0)) {
        return false;
    }
    return ++seen_ == trigger.nth;
}

} // namespace partialfs::power
