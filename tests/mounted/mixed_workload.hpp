// A long random mix of what programs do to files: write, store through mappings, truncate, punch,
// rename, fsync, evict, read. Keeps the bytes that every file must have, and compares them with the
// disk at the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::test {

struct MixedOptions {
    std::filesystem::path mount;  ///< where the filesystem under test is mounted
    std::filesystem::path source; ///< where its files lie on disk
    unsigned threads = 4;
    unsigned files_per_thread = 3;
    std::uint64_t stores_per_thread = 5000; ///< ends after this many
    std::uint64_t largest_file = 256 * 1024;
    std::uint64_t seed = 1;
    /// Evict in the middle of the run, too, not only at the end. After an eviction a program sees
    /// the old bytes of lost stores.
    bool evict = true;
    /// Compare the results of read(2) with the expected bytes during the run. Only where nothing is
    /// lost: losses become visible after an eviction.
    bool check_reads = true;
    /// Under linux-2.6.19 other processes' fsyncs cause losses; without them there are few.
    bool fsync = true;
};

/// Half-open range of bytes of a file.
struct Damage {
    std::string path; ///< relative to the mount
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    auto operator<=>(const Damage&) const = default;
};

struct MixedResult {
    std::uint64_t stores = 0;
    std::vector<std::string> failures; ///< system calls that failed, and reads with wrong bytes
    /// Where the files on disk differ from what was written and stored, sorted by path and offset.
    std::vector<Damage> damage;
};

/// Runs the mix, closes and unmaps everything, evicts, then compares.
MixedResult run_mixed_workload(const MixedOptions& options);

} // namespace partialfs::test
