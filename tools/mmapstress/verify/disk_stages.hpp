// The stages that check what is on disk: after eviction, by O_DIRECT, and behind the filesystem.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/system/mount_info.hpp"
#include "tools/mmapstress/verify/verifier.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <optional>
#include <string>

namespace mmapstress {

/// Where the files of a run are, and what is behind them.
struct Place {
    std::string directory;           ///< absolute, of the run itself
    std::string filesystem;          ///< its type; empty: not known
    std::string partialfs;           ///< mount root; empty: not on partialfs
    std::optional<std::string> disk; ///< the directory behind `directory`
    /// Whether bytes read from `disk` (without one, from `directory`) come from a block device. If
    /// not, evicted bytes have left this filesystem's page cache, and no more is known.
    bool on_block_device = false;
    FlushRules rules;                        ///< of the filesystem of `directory`
    ByteCount largest_folio = kLargestFolio; ///< of its files
    bool journals_data = false;              ///< it is an ext4 with data=journal
};

/// Finds out where the run's directory is. `given` is the value of --disk: the directory behind the
/// one in which the run's directory was made, or behind its mount's root; empty: looked for. Fails
/// if the run's directory is not in `given`.
Outcome<Place> find_place(const std::string& run_directory, const std::string& given);

/// A file that has left the page cache.
struct EvictedFile {
    std::string path;
    int fd = -1; ///< -1: the file is gone

    [[nodiscard]] bool gone() const { return fd < 0; }
};

/// Opens a file for reading with O_DIRECT; nothing if the filesystem refuses to open it that way,
/// or to read it. The failure names the file. Any thread.
Outcome<std::optional<partialfs::base::Fd>> open_direct(const std::string& path);

/// Reads evicted files for the judge of a workload; they must outlive the reader.
FileReader reader_of(std::span<const EvictedFile> files);

/// Carries out the stages evicted, direct and disk on files whose pages have been dropped; drops
/// the pages of the files behind the filesystem, too. Returns whether all bytes came from a block
/// device. `evicted`, if not empty, is the reason why the pages could not be dropped: the stage
/// evicted fails, the others are tried. Either the syncs of the files must have returned, or the
/// verifier knows what excuses them (Verifier::excuse).
bool check_on_disk(Verifier& verifier, std::span<const EvictedFile> files, const Place& place,
                   bool direct, const std::string& evicted,
                   std::array<StageResult, kStages>& results);

} // namespace mmapstress
