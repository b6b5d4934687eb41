// The stages that look at what is on disk: after eviction, by O_DIRECT, and behind the filesystem.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
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
};

/// Finds out where the run's directory lies. `given` is what --disk said: the directory behind the
/// one that the run's directory was made in, or behind its mount's root; empty: looked for.
/// Fails if what was given does not have the run's directory.
Outcome<Place> find_place(const std::string& run_directory, const std::string& given);

/// A file that has left the page cache.
struct EvictedFile {
    std::string path;
    int fd = -1;
};

/// Reads such files for the judge of a workload; they must outlive the reader.
FileReader reader_of(std::span<const EvictedFile> files);

/// Carries out the stages evicted, direct and disk on files whose pages have been dropped. Where
/// `evicted` is not empty it says why that could not be done: the stage fails, the others are
/// tried.
void check_on_disk(Verifier& verifier, std::span<const EvictedFile> files, const Place& place,
                   bool direct, const std::string& evicted,
                   std::array<StageResult, kStages>& results);

} // namespace mmapstress
