// A request's stay in the present boot of the emulated machine; refused while the power is off.
#pragma once

#include "fusefs/file/context.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/power/power.hpp"

namespace partialfs::fuse {

/// The present boot, for a later Passage; null if the power cannot be cut.
inline power::Boot* boot_of(const Mount& mount) {
    return mount.context.power == nullptr ? nullptr : &mount.context.power->boot();
}

/// While it lives, a power cut waits for it: operations on SOURCE in the meantime are done before
/// the cut is over. Costs nothing without --power.
class Passage {
  public:
    /// Enters the present boot.
    explicit Passage(const Mount& mount) : Passage(boot_of(mount)) {}
    /// Enters `boot` (null: the power cannot be cut), if it has not ended.
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
    /// The boot has ended: the request is to be answered with EIO.
    [[nodiscard]] bool refused() const { return refused_; }

  private:
    power::Boot* boot_;
    bool refused_;
};

/// A moment for which an armed cut may wait: that of a request, or of an operation within one.
class CutMoment {
  public:
    /// The moment begins. `path`: see power::Countdown.
    CutMoment(const Mount& mount, power::Moment moment, const power::Countdown::Path& path)
        : power_(mount.context.power), boot_(boot_of(mount)) {
        if (power_ != nullptr) {
            begun_ = power_->begins(moment, path);
        }
    }
    /// The operation must not be done: the power is off.
    [[nodiscard]] bool refused() const { return begun_ == power::Power::Begun::refused; }
    /// The operation has been done. False: success must not be reported, as the power is gone.
    [[nodiscard]] bool ended() const {
        return power_ == nullptr || (power_->ended(begun_) && !boot_->ended());
    }

  private:
    power::Power* power_;
    power::Boot* boot_;
    power::Power::Begun begun_ = power::Power::Begun::goes_on;
};

} // namespace partialfs::fuse
