// Directories by identity, and what lies above them, whatever name they were reached by.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace partialfs::startup {

/// Which directory it is: symlinks and bind mounts of one directory have the same.
struct DirectoryId {
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    /// When it was made, in nanoseconds; 0 where the filesystem does not say. An inode number is
    /// used again for another directory; together with this it is not.
    std::int64_t born = 0;

    auto operator<=>(const DirectoryId&) const = default;
};

/// Of what `path` below `at` leads to; "": of `at` itself. Makes no request of a FUSE filesystem
/// for its root. Errors are those of statx(2).
base::Result<DirectoryId> id_of(int at, const char* path);
/// "MAJOR:MINOR", as the mount table has it.
std::string device_of(const DirectoryId& id);

/// A directory as it was reached.
struct Ancestor {
    DirectoryId id;
    base::Fd fd; ///< O_PATH
    std::string path;
    /// On the way from the directory itself, or in its filesystem. A descriptor of another one
    /// would keep a filesystem from being unmounted that does not hold the directory.
    bool near = false;
};

/// Every directory above `directory` that the mount table of this process lets one see: those on
/// the way to "/" from it, and from every other place where its filesystem is mounted so that it
/// shows there (bind mounts). Each once, without `directory` itself. `directory` is an absolute
/// path without symlinks. What cannot be looked at is left out.
std::vector<Ancestor> ancestors_of(const std::filesystem::path& directory);

} // namespace partialfs::startup
