// The identity of directories, independent of names, and the directories above them.
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

/// The identity of a directory: the same through all symlinks and bind mounts.
struct DirectoryId {
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    /// When it was created, in nanoseconds; 0 if the filesystem does not say. Inode numbers are
    /// reused for other directories; together with this they are unique.
    std::int64_t born = 0;

    auto operator<=>(const DirectoryId&) const = default;
};

/// The identity of `path` relative to `at`; "": of `at` itself. Sends no request to a FUSE
/// filesystem for its root. Errors are those of statx(2).
base::Result<DirectoryId> id_of(int at, const char* path);
/// "MAJOR:MINOR", as in the mount table.
std::string device_of(const DirectoryId& id);

/// A directory above another one.
struct Ancestor {
    DirectoryId id;
    base::Fd fd; ///< O_PATH
    std::string path;
    /// It lies on the path of the directory itself, or in its filesystem. A descriptor of any other
    /// one would prevent the unmount of a filesystem that does not contain the directory.
    bool near = false;
};

/// Every directory above `directory` that this process can find by its mount table: those between
/// it and "/", and between any other place where a mount of its filesystem shows it (bind mounts)
/// and
/// "/". Each once, without `directory` itself, which is an absolute path without symlinks. Those
/// that cannot be opened are left out.
std::vector<Ancestor> ancestors_of(const std::filesystem::path& directory);

} // namespace partialfs::startup
