// What ends a start.
#pragma once

#include <stdexcept>

namespace partialfs::startup {

/// Why there is no mount: one line for the user that names what was tried, on what, why it failed
/// and what to do. Thrown while starting up alone.
class StartFailure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace partialfs::startup
