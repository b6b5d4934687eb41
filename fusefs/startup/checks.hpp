// The checks before anything is mounted. Each has a message that says what to do if it fails.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace partialfs::startup {

/// Success, or one line that names the problem and what to do.
using Check = std::expected<void, std::string>;

/// SOURCE is a directory that can be read.
Check check_source(const std::filesystem::path& source);

/// MOUNTPOINT is a directory, is no mount point yet, is empty unless `nonempty`, and this user may
/// mount there; it is not SOURCE and does not lie inside it, as the mount would contain itself.
Check check_mountpoint(const std::filesystem::path& mountpoint, const std::filesystem::path& source,
                       bool nonempty);

/// /dev/fuse exists and this process may use it, itself or through fusermount3; /proc is mounted;
/// pages have the size for which the program was built.
Check check_system();

} // namespace partialfs::startup
