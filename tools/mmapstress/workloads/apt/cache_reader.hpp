// Walks a package cache as apt's `dump` did, and reports what is broken in it.
//
// It trusts no byte: every link is checked before it is followed, and every list is bounded. Pure;
// any thread.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress::apt {

struct CacheProblem {
    enum class Kind {
        too_short,       ///< the file ends before its header
        bad_header,      ///< signature, version, record sizes
        left_dirty,      ///< the dirty flag is set: apt never finished the cache
        dangling_link,   ///< a link to outside the records, or no link where there must be one
        loop,            ///< a list that leads back to itself
        bad_string,      ///< outside the file, without an end, empty
        misfiled,        ///< a record that is not where it belongs by its contents
        missing_package, ///< a package number that no bucket leads to
        wrong_count,     ///< a counter of the header is not the number of records found
    };
    Kind kind = Kind::too_short;
    partialfs::model::ByteOffset where; ///< the field that is wrong
    std::string text;                   ///< one sentence, names the record

    bool operator==(const CacheProblem&) const = default;
};

/// The kind's name as the enumerator's, with '-' for '_'.
std::string_view to_string(CacheProblem::Kind kind);

/// What a walk found.
struct CacheCheck {
    std::vector<CacheProblem> problems; ///< in the order of the walk
    std::vector<std::string> packages;  ///< names of the packages reached, in hash order
    std::uint64_t versions = 0;
    std::uint64_t dependencies = 0;

    [[nodiscard]] bool sound() const { return problems.empty(); }
};

/// Reads all of the cache in `file`. Never fails: a file that is no cache has problems.
CacheCheck check_cache(std::span<const std::byte> file);

} // namespace mmapstress::apt
