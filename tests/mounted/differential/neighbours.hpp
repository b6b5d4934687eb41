// Processes that disturb a mount while others compare what it answers.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <vector>

namespace partialfs::differential {

/// One process writes a byte and fsyncs it, again and again, so that the mount commits; one asks
/// for the attributes of every name, so that replies are on their way while others change files.
class Neighbours {
  public:
    /// They work below `mount`. Throws std::system_error if they cannot be started.
    explicit Neighbours(const std::filesystem::path& mount);
    Neighbours(const Neighbours&) = delete;
    Neighbours& operator=(const Neighbours&) = delete;
    /// Ends them.
    ~Neighbours();

  private:
    std::vector<pid_t> processes_;
};

} // namespace partialfs::differential
