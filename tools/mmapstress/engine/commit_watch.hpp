// Whether the commits of a run really wrote to the disk.
//
// A run whose commits wrote nothing has not tested commits: on Linux 2.6.19, for example, the fsync
// of a new, empty file commits nothing.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/system/device_sectors.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

namespace mmapstress {

/// Counts commits, and the empty ones: those during which the device under the files wrote no
/// sector. Other programs' writes to the same device count as the commit's.
///
/// Thread-safe. Processes that are forked later count together with this one.
class CommitWatch {
  public:
    /// Watches the device that the filesystem of `path` is on.
    static Outcome<CommitWatch> of_filesystem(const std::string& path);

    /// Carries out a commit and counts it if it succeeds.
    Outcome<> during(const std::function<Outcome<>()>& commit);

    /// The counts so far. `empty` is absent if the kernel counts no sectors for this filesystem's
    /// device, or has counted none since this watch was made.
    [[nodiscard]] Commits counted() const;

  private:
    struct Counts {
        std::atomic<std::uint64_t> done;
        std::atomic<std::uint64_t> empty;
    };
    struct Unmap {
        void operator()(Counts* counts) const;
    };

    CommitWatch(DeviceSectors device, Counts* counts)
        : device_(std::move(device)), at_first_(device_.written()), counts_(counts) {}

    DeviceSectors device_;
    std::optional<std::uint64_t> at_first_;
    std::unique_ptr<Counts, Unmap> counts_; ///< in memory shared with the forked processes
};

} // namespace mmapstress
