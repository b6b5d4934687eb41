// An armed cut: counts the moments for which it waits.
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

    /// Counts a moment that begins; `path` (null: it has none) is called only if the trigger names
    /// one. True, once only: this is the moment of the cut, which comes as `command().at->when`
    /// says.
    [[nodiscard]] bool counts(Moment moment, const Path& path);
    [[nodiscard]] std::uint64_t seen() const { return seen_; }
    [[nodiscard]] const Command& command() const { return command_; }

  private:
    Command command_;
    std::uint64_t seen_ = 0;
};

} // namespace partialfs::power
