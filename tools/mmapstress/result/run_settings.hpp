// What the user asked of a run, and why one did not begin.
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
    std::uint64_t ops = 0;   ///< done so far
    std::uint64_t bytes = 0; ///< compared so far, when verifying
    std::uint64_t total = 0; ///< bytes to compare in all, when verifying
};

struct RunSettings {
    std::string directory; ///< where the run's own directory is made, or a block device
    /// If it is a device, write over it. Refused of one that is in use or holds something.
    bool overwrite_device = false;
    /// The directory behind `directory`: each file is found there under the same name. Empty:
    /// looked for, found on partialfs. See verify/disk_stages.hpp.
    std::string disk;
    bool keep = false; ///< keep the files even if all is well
    /// Remove the files even if damage was found.
    bool discard_damaged = false;
    bool live_stage = true;
    bool pread_stage = true;
    bool direct_stage = true;
    /// Memory that dirty data is to exceed; 0: as it is. See system/memory_pressure.hpp.
    ByteCount memory_limit{0};
    /// Others before this run have stored and been checked: that it was stopped before it did so is
    /// no problem.
    bool stored_before = false;
    /// Where the workers' helper files are, from which the kernel stores into mappings; empty:
    /// beside the run's files.
    std::string helper_directory;
    /// The kinds of operations that there may be. Those of them that a kernel or a filesystem may
    /// lack are tried before the run.
    OpSet may_have;
    /// Left out whatever the filesystem has.
    std::vector<LeftOut> unwanted;
    /// Carry out what is known to hang the filesystem, too.
    bool may_hang = false;
    /// Bytes that were stored past the end of a file must not appear when it grows.
    bool past_eof_is_damage = false;
    /// For a test of the detector: this operation stores nothing, but is expected to have.
    std::optional<OpId> drop;
    /// The schedule is kept in RunResult up to this many operations.
    std::uint64_t record_ops = 200000;
    /// The schedule is written here as it runs, whatever its length. Empty: nowhere.
    std::string schedule_file;
    /// The report's path: its head is written here before the first operation, and beside it how
    /// far the run has come (report/progress_file.hpp), for verify after a crash. The report itself
    /// is the caller's to write, with write_report(). Empty: nothing is.
    std::string report_file;
    /// What the schedule is made of, for that head and the report.
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
