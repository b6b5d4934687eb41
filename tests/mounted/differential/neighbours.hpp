// Processes that disturb a mount while others compare what it answers.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <vector>

namespace partialfs::differential {

/// One process writes a byte and fsyncs it repeatedly, so that the mount commits; another requests
/// the attributes of every name, so that replies are under way while others change files.
class Neighbours {
  public:
    /// Starts them below `mount`. Throws std::system_error if it cannot.
    explicit Neighbours(const std::filesystem::path& mount);
    Neighbours(const Neighbours&) = delete;
    Neighbours& operator=(const Neighbours&) = delete;
    /// Kills them.
    ~Neighbours();

  private:
    std::vector<pid_t> processes_;
};

} // namespace partialfs::differential
