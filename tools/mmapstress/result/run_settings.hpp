// The settings of a run, and why one could not begin.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

struct Progress {
    enum class Phase : std::uint8_t { running, verifying };
    Phase phase = Phase::running;
    std::uint64_t ops = 0;   ///< operations done so far
    std::uint64_t bytes = 0; ///< bytes compared so far, when verifying
    std::uint64_t total = 0; ///< bytes to compare in all, when verifying
};

struct RunSettings {
    std::string directory; ///< where the run's own directory is made, or a block device
    /// If `directory` is a device, write over it. Refused if it is in use or holds something.
    bool overwrite_device = false;
    /// The directory behind `directory`: each file is found there under the same name. Empty: it is
    /// looked for, and found on partialfs. See verify/disk_stages.hpp.
    std::string disk;
    bool keep = false; ///< keep the files even if all is well
    /// Remove the files even if damage was found.
    bool discard_damaged = false;
    bool live_stage = true;
    bool pread_stage = true;
    bool direct_stage = true;
    /// Limit on memory, which dirty data is to exceed; 0: none. See system/memory_pressure.hpp.
    ByteCount memory_limit{0};
    /// Earlier runs have stored and been checked: it is no problem if this one is stopped before
    /// it has stored anything.
    bool stored_before = false;
    /// Where the workers' helper files are, from which the kernel stores into mappings; empty:
    /// beside the run's files.
    std::string helper_directory;
    /// The kinds of operations that the schedule may have. Those that a kernel or a filesystem may
    /// lack are tried before the run.
    OpSet may_have;
    /// Left out even if the filesystem has them.
    std::vector<LeftOut> unwanted;
    /// Carry out operations that are known to hang the filesystem, too.
    bool may_hang = false;
    /// Bytes that were stored past the end of a file must not appear when it grows.
    bool past_eof_is_damage = false;
    /// For a test of the detector: this operation stores nothing, but its bytes are expected.
    std::optional<OpId> drop;
    /// The schedule is kept in RunResult up to this many operations.
    std::uint64_t record_ops = 200000;
    /// The schedule is written here as it runs, whatever its length. Empty: nowhere.
    std::string schedule_file;
    /// The report's path. For verify after a crash, a first report is written here before the first
    /// operation, and the progress file beside it (report/progress_file.hpp). The caller writes the
    /// final report, with write_report(). Empty: nothing is written.
    std::string report_file;
    /// What the workload makes the schedule from, for these reports.
    std::optional<WorkloadSettings> made_of;
    /// The power of the mount is cut at some moment of the run; see engine/power_cut.hpp.
    bool cuts_power = false;
    /// Called a few times a second at most, from the thread that called run().
    std::function<void(const Progress&)> progress;
    /// Asked before each operation: true ends the schedule there, and what was done is verified.
    std::function<bool()> stop;
};

/// Why a run did not even begin.
struct StartError {
    Verdict verdict = Verdict::unknown; ///< usage or unknown
    std::string message;
};

} // namespace mmapstress
