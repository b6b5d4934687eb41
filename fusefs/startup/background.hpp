// Goes to the background when the mount is usable.
#pragma once

#include "fusefs/base/fd.hpp"

#include <expected>
#include <optional>
#include <variant>

namespace partialfs::startup {

/// The child's end of the pipe on which the parent waits. In the foreground there is none.
class Readiness {
  public:
    Readiness() = default;
    explicit Readiness(base::Fd pipe) : pipe_(std::move(pipe)) {}

    /// The mount is usable: the parent exits with 0, and this process detaches from the terminal.
    /// False if the parent has ended already, which means that the user gave up.
    [[nodiscard]] bool tell();

  private:
    std::optional<base::Fd> pipe_;
};

/// The result of go_to_background() in the parent.
struct Parent {
    int exit_code; ///< 0 if the child is ready, otherwise the child's exit code
};

/// Forks. Returns twice: in the child with a Readiness to report that it is ready, and in the
/// parent when the child has done so or has ended. Until then the child's messages go to the same
/// stderr. To be called before any thread is started. An errno if no child can be made.
std::expected<std::variant<Readiness, Parent>, int> go_to_background();

} // namespace partialfs::startup
