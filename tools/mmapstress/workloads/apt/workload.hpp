// A workload: how Debian's apt of 2006 made its package cache.
#pragma once

#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

inline constexpr std::string_view kAptName = "apt";

/// Builds a package cache in a file, mapped with `size` bytes (16 MiB by default, apt's limit then)
/// and cut to the used size at the end. Builds the next one, of another release, in the next file
/// (there is one file by default), until there have been `ops` operations; before a file is used
/// again, its cache is evicted and compared. Without `ops`: one cache in each file.
std::expected<std::unique_ptr<OpSource>, std::string> make_apt(const WorkloadSettings& settings);

/// What apt's `dump` would report about the caches that were finished after operation `last`: walks
/// each one from disk, and returns a sentence for each thing that is broken.
std::vector<std::string> judge_apt(OpSource& source, OpId last, const FileReader& read);

} // namespace mmapstress
