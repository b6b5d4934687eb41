// Builds apt's package cache as apt did in 2006: step by step, in its order, through one mapping.
//
// The result is a list of steps, which says which bytes are stored when; it can be carried out on
// any filesystem. The order is that of pkgcachegen in apt 0.6 and its DynamicMMap, which could not
// grow: the file has the size of the limit from the start and is cut to the used size at the end.
// Pure: no I/O, no clock.
#pragma once

#include "fusefs/model/types.hpp"
#include "tools/mmapstress/workloads/apt/distribution.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace mmapstress::apt {

/// One thing that apt did to the cache file.
struct CacheStep {
    enum class Kind {
        create,    ///< a new file, one zero byte written at the last offset of `range`
        map,       ///< mmap() of `range`, shared and writable
        store,     ///< `bytes` stored at range.begin, through the mapping
        read_list, ///< apt reads the next paragraph of an index file: takes time, stores nothing
        msync,     ///< msync(MS_SYNC) of `range`
        unmap,     ///< munmap of all
        truncate,  ///< ftruncate to range.end
    };
    Kind kind = Kind::store;
    partialfs::model::ByteRange range;
    std::vector<std::byte> bytes; ///< of a store: exactly range.size() of them
};

struct CacheBuild {
    std::vector<CacheStep> steps;
    /// The finished file: what a reader must find after the last step.
    std::vector<std::byte> image;
};

/// The steps that build the cache of `distribution` in a file of `limit` bytes. The error is a
/// sentence of apt's: the limit is too small for the release.
std::expected<CacheBuild, std::string> build_cache(const Distribution& distribution,
                                                   partialfs::model::ByteCount limit);

} // namespace mmapstress::apt
