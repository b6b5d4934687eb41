// The contents of `.partialfs/status`.
#pragma once

#include <string>

namespace partialfs::fuse {

struct Mount;

/// A JSON object: counters, contract, policy, kernel features in use.
std::string status_json(const Mount& mount);

} // namespace partialfs::fuse
