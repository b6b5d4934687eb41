// A request's stay in the boot of the emulated machine: none where the power is off.
#pragma once

#include "fusefs/file/context.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/power/power.hpp"

namespace partialfs::fuse {

/// The boot that runs now, to be asked later; null where the power cannot be cut.
inline power::Boot* boot_of(const Mount& mount) {
    return mount.context.power == nullptr ? nullptr : &mount.context.power->boot();
}

/// While it lives, the boot that it has entered is not left by all: what is done to SOURCE
/// meanwhile is done before a cut is over. Costs nothing without --power.
class Passage {
  public:
    /// Enters the boot that runs.
    explicit Passage(const Mount& mount) : Passage(boot_of(mount)) {}
    /// Enters this one (null: there are none), if it has not ended.
    explicit Passage(power::Boot* boot)
        : boot_(boot != nullptr && boot->enter() ? boot : nullptr),
          refused_(boot != nullptr && boot_ == nullptr) {}
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;
    ~Passage() {
        if (boot_ != nullptr) {
            boot_->leave();
        }
    }
    /// The power is off: the request is to be answered with EIO.
    [[nodiscard]] bool refused() const { return refused_; }

  private:
    power::Boot* boot_;
    bool refused_;
};

/// A moment that an armed cut may wait for, of a request or of what it asks for.
class CutMoment {
  public:
    /// It begins. `path`: see power::Countdown.
    CutMoment(const Mount& mount, power::Moment moment, const power::Countdown::Path& path)
        : power_(mount.context.power), boot_(boot_of(mount)) {
        if (power_ != nullptr) {
            begun_ = power_->begins(moment, path);
        }
    }
    /// It must not be done: the power is off.
    [[nodiscard]] bool refused() const { return begun_ == power::Power::Begun::refused; }
    /// It has been done. False: nobody may be told so, as the power is gone.
    [[nodiscard]] bool ended() const {
        return power_ == nullptr || (power_->ended(begun_) && !boot_->ended());
    }

  private:
    power::Power* power_;
    power::Boot* boot_;
    power::Power::Begun begun_ = power::Power::Begun::goes_on;
};

} // namespace partialfs::fuse
