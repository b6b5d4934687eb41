// Cuts the power of the partialfs mount that a run is on, at some moment of the run.
#pragma once

#include "tools/mmapstress/system/failure.hpp"

#include <cstdint>
#include <string>

namespace mmapstress {

/// Uses the files of the mount's control directory. Not thread-safe.
class PowerCut {
  public:
    /// Whether a partialfs with --power is mounted at `root`. False if `root` is empty.
    static bool is_possible(const std::string& root);
    /// Arms a cut. The moment and the torn sectors follow from the seed. Fails if is_possible() is
    /// false.
    static Outcome<PowerCut> arm(const std::string& root, std::uint64_t seed);

    /// Call it when nothing of the run is under way any more. Cuts the power unless the armed cut
    /// has happened, waits until the cut is done, and turns the power on. Returns whether the armed
    /// cut had happened.
    Outcome<bool> finish();
    /// The command that armed the cut.
    [[nodiscard]] const std::string& command() const { return command_; }

  private:
    PowerCut(std::string control, std::string tear, std::string command)
        : control_(std::move(control)), tear_(std::move(tear)), command_(std::move(command)) {}

    std::string control_; ///< the directory
    std::string tear_;
    std::string command_;
};

} // namespace mmapstress
