// What must hold before anything is mounted, each with a message that says what to do if it does
// not.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace partialfs::startup {

/// Nothing, or one line that names the thing and what to do.
using Check = std::expected<void, std::string>;

/// SOURCE is a directory that can be read.
Check check_source(const std::filesystem::path& source);

/// MOUNTPOINT is a directory, is no mount point yet, is empty unless `nonempty`, may be mounted on
/// by this user, and neither is SOURCE nor lies inside it, where the mount would contain itself.
Check check_mountpoint(const std::filesystem::path& mountpoint, const std::filesystem::path& source,
                       bool nonempty);

/// /dev/fuse is there and this process may use it, itself or through fusermount3; /proc is
/// mounted; pages have the size that the program was made for.
Check check_system();

} // namespace partialfs::startup
