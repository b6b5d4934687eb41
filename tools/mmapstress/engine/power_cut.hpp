// Cuts the power of the partialfs mount that a run is on, at some moment of the run.
#pragma once

#include "tools/mmapstress/system/failure.hpp"

#include <cstdint>
#include <string>

namespace mmapstress {

/// Works with the files of the mount's control directory. Not thread-safe.
class PowerCut {
  public:
    /// Whether `root` is where a partialfs is mounted that has power to cut; empty: no partialfs.
    static bool is_possible(const std::string& root);
    /// Arms a cut. Moment and torn sectors follow from the seed. Fails where it is not possible.
    static Outcome<PowerCut> arm(const std::string& root, std::uint64_t seed);

    /// Nothing of the run is under way any more: cuts, if that has not happened yet, waits until it
    /// is done, and turns the power on. Whether it had happened.
    Outcome<bool> finish();
    /// What was armed.
    [[nodiscard]] const std::string& command() const { return command_; }

  private:
    PowerCut(std::string control, std::string tear, std::string command)
        : control_(std::move(control)), tear_(std::move(tear)), command_(std::move(command)) {}

    std::string control_; ///< the directory
    std::string tear_;
    std::string command_;
};

} // namespace mmapstress
