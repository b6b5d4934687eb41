// Shows how far a long computation has come, while it runs.
#pragma once

#include "tools/progress.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace vmmodel {

/// While the object lives, a thread of its own shows `part` (0 to 1; below 0: not known) and
/// `words` on a ProgressLine. Both are called from that thread.
class Patience {
  public:
    Patience(std::function<double()> part, std::function<std::string()> words);
    Patience(const Patience&) = delete;
    Patience(Patience&&) = delete;
    Patience& operator=(const Patience&) = delete;
    Patience& operator=(Patience&&) = delete;
    /// Takes the line off the terminal.
    ~Patience();

  private:
    std::jthread thread_;
};

} // namespace vmmodel
