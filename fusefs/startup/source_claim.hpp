// Reserves SOURCE for one daemon, by locks and a record.
#pragma once

#include "fusefs/startup/mount_record.hpp"
#include "fusefs/startup/source_lock.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace partialfs::startup {

/// How long a mount waits for the last commit of the previous daemon, whose mount is gone.
inline constexpr std::chrono::seconds kPatience{60};

/// Keeps other daemons from SOURCE: two on one directory would each write sizes and bytes that the
/// other does not know of.
class SourceClaim {
  public:
    struct Settings {
        std::filesystem::path records = kRecordDirectory;
        std::chrono::milliseconds patience = kPatience;
        /// Called with a line for the user when the claim begins to wait, and for each problem that
        /// does not make it fail.
        std::function<void(const std::string&)> say = [](const std::string&) {};
    };

    /// Claims `source` for this process, which will mount it at `mountpoint`; both are absolute
    /// paths without symlinks. Throws StartFailure if another daemon has `source`, or a directory
    /// inside or above it: at once if that daemon's mount still exists; after `patience` if it is
    /// gone and the daemon is making its last commit, so that `umount; mount` works.
    SourceClaim(const std::string& source, const std::string& mountpoint, const Settings& settings);
    SourceClaim(const SourceClaim&) = delete;
    SourceClaim& operator=(const SourceClaim&) = delete;
    ~SourceClaim() = default;

    [[nodiscard]] MountRecord& record() { return *record_; }

  private:
    // The record outlives the locks, so that there is always a record for a lock.
    std::optional<MountRecord> record_;
    std::optional<SourceLock> lock_;
};

} // namespace partialfs::startup
