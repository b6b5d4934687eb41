// The stages that look at what is on disk: after eviction, by O_DIRECT, and behind the filesystem.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/system/mount_info.hpp"
#include "tools/mmapstress/verify/verifier.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <optional>
#include <string>

namespace mmapstress {

/// Where the files of a run are, and what lies behind.
struct Place {
    std::string directory;           ///< absolute, of the run itself
    std::string filesystem;          ///< its type; empty: not known
    std::string partialfs;           ///< mount root; empty: it is none
    std::optional<std::string> disk; ///< the directory behind `directory`
    /// Whether what is read there comes from a block device: of `disk` if there is one, else of
    /// `directory`. If not, evicted bytes have left this filesystem's page cache, and no more is
    /// known.
    bool on_block_device = false;
    FlushRules rules;                        ///< of the filesystem of `directory`
    ByteCount largest_folio = kLargestFolio; ///< of its files
    bool journals_data = false;              ///< it is an ext4 with data=journal
};

/// Finds out where the run's directory lies. `given` is what --disk said: the directory behind the
/// one that the run's directory was made in, or behind its mount's root; empty: looked for.
/// Fails if what was given does not have the run's directory.
Outcome<Place> find_place(const std::string& run_directory, const std::string& given);

/// A file that has left the page cache.
struct EvictedFile {
    std::string path;
    int fd = -1; ///< -1: the file is gone

    [[nodiscard]] bool gone() const { return fd < 0; }
};

/// Opens a file for reading with O_DIRECT; nothing where the filesystem does not know O_DIRECT, or
/// opens the file and then refuses to read it so. The failure names the file. Any thread.
Outcome<std::optional<partialfs::base::Fd>> open_direct(const std::string& path);

/// Reads such files for the judge of a workload; they must outlive the reader.
FileReader reader_of(std::span<const EvictedFile> files);

/// Carries out the stages evicted, direct and disk on files whose pages have been dropped, the
/// files behind the filesystem included, and says whether all that was read came from a block
/// device. Where `evicted` is not empty it says why the pages could not be dropped: the stage
/// evicted fails, the others are tried. The syncs of the files must have returned, or the verifier
/// been told what excuses them.
bool check_on_disk(Verifier& verifier, std::span<const EvictedFile> files, const Place& place,
                   bool direct, const std::string& evicted,
                   std::array<StageResult, kStages>& results);

} // namespace mmapstress
