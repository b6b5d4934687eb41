// Debian's apt of 2006 making its package cache, as a workload.
#pragma once

#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

inline constexpr std::string_view kAptName = "apt";

/// Builds a package cache in a file (one by default), mapped at `size` bytes (16 MiB by default,
/// apt's limit then) and cut to the used size at the end; then evicts and compares it, and builds
/// the next one, of another release, in the next file, until there have been `ops` operations.
/// Without `ops`: one cache in each file.
std::expected<std::unique_ptr<OpSource>, std::string> make_apt(const WorkloadSettings& settings);

/// What apt's `dump` would say of the caches that were finished when operation `last` had been
/// done: walks each one from disk and gives a sentence for each thing that is broken.
std::vector<std::string> judge_apt(OpSource& source, OpId last, const FileReader& read);

} // namespace mmapstress
