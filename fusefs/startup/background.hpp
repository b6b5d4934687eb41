// Going to the background, but only once the mount is usable.
#pragma once

#include "fusefs/base/fd.hpp"

#include <expected>
#include <optional>
#include <variant>

namespace partialfs::startup {

/// The child's end of the pipe on which the parent waits. In the foreground: nothing to tell.
class Readiness {
  public:
    Readiness() = default;
    explicit Readiness(base::Fd pipe) : pipe_(std::move(pipe)) {}

    /// The mount is usable: the parent exits with 0, and this process lets go of the terminal.
    /// False if the parent is no longer there to be told, which means that the user gave up.
    [[nodiscard]] bool tell();

  private:
    std::optional<base::Fd> pipe_;
};

/// What the process is now.
struct Parent {
    int exit_code; ///< 0 if the child told that it is ready, else the child's own
};

/// Forks. Returns twice: in the child with the means to tell that it is ready, and in the parent
/// once the child has told or has ended. Until then the child's messages go to the same stderr.
/// To be called before any thread is started. An errno if there can be no child.
std::expected<std::variant<Readiness, Parent>, int> go_to_background();

} // namespace partialfs::startup
