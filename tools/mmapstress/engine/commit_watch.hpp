// Whether the commits of a run really wrote to the disk.
//
// A run whose commits wrote nothing has not tried what it was made for: on Linux 2.6.19 the fsync
// of a new, empty file commits nothing at all.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/system/device_sectors.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

namespace mmapstress {

/// Counts commits, and those during which the device under the files wrote no sector. What others
/// write meanwhile to the same device counts as the commit's.
///
/// Thread-safe. The processes that are forked after it was made count together with this one.
class CommitWatch {
  public:
    /// Watches the device that the filesystem of `path` is on.
    static Outcome<CommitWatch> of_filesystem(const std::string& path);

    /// Carries out a commit and counts it if it succeeds.
    Outcome<> during(const std::function<Outcome<>()>& commit);

    /// What there is to report. Not judged: no sectors are counted for this filesystem, or none
    /// were counted of all that has been written since this watch was made.
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
