// Builds apt's package cache as apt did in 2006: step by step, in its order, through one mapping.
//
// The steps are what matters here: which bytes are stored when, so that they can be played on any
// filesystem. The order follows apt 0.6's pkgcachegen and its DynamicMMap, which could not grow:
// the file has the size of the limit from the start and is cut to the used size at the end. Pure:
// no I/O, no clock.
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
        map,       ///< `range` mapped shared and writable
        store,     ///< `bytes` stored at range.begin, through the mapping
        read_list, ///< apt reads the next paragraph of an index file: time passes, nothing is
                   ///< stored
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
    /// The finished file: what a reader must find once the last step is done.
    std::vector<std::byte> image;
};

/// The steps that build the cache of `distribution` in a file of `limit` bytes. The error, a
/// sentence, is apt's own: the limit is too small for the release.
std::expected<CacheBuild, std::string> build_cache(const Distribution& distribution,
                                                   partialfs::model::ByteCount limit);

} // namespace mmapstress::apt
