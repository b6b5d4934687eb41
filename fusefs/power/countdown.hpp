// An armed cut on its way: it counts the moments that it waits for.
//
// Pure; not thread-safe.
#pragma once

#include "fusefs/power/command.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace partialfs::power {

class Countdown {
  public:
    using Path = std::function<std::string()>;

    /// `command` has a trigger.
    explicit Countdown(Command command) : command_(std::move(command)) {}

    /// A moment begins; `path` (null: it has none) is asked for only if the trigger names one.
    /// True: it is the one, and the cut comes `command().at->when`. Never again then.
    [[nodiscard]] bool counts(Moment moment, const Path& path);
    [[nodiscard]] std::uint64_t seen() const { return seen_; }
    [[nodiscard]] const Command& command() const { return command_; }

  private:
    Command command_;
    std::uint64_t seen_ = 0;
};

} // namespace partialfs::power
