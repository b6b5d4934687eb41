// The exception that ends a start.
#pragma once

#include <stdexcept>

namespace partialfs::startup {

/// There is no mount. Has one line for the user that says what was tried, on what, why it failed
/// and what to do. Thrown only during start-up.
class StartFailure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace partialfs::startup
