#include "fusefs/startup/directory_id.hpp"

#include "fusefs/startup/mount_table.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

namespace partialfs::startup {
namespace {

namespace fs = std::filesystem;
using base::Fd;

/// The part of `path` after `top`; no value if it does not lie below `top`.
std::optional<fs::path> below(const fs::path& path, const fs::path& top) {
    const auto [in_top, in_path] = std::mismatch(top.begin(), top.end(), path.begin(), path.end());
    if (in_top != top.end()) {
        return std::nullopt;
    }
    fs::path rest;
    std::for_each(in_path, path.end(), [&](const fs::path& part) { rest /= part; });
    return rest;
}

/// Every path at which the mount table shows the directory, beginning with `directory` itself.
std::vector<fs::path> places_of(const fs::path& directory) {
    std::vector<fs::path> places{directory};
    const std::vector<MountTableEntry> table = mount_table();
    const MountTableEntry* const own = mount_of(directory, table);
    if (own == nullptr) {
        return places;
    }
    const fs::path in_filesystem =
        fs::path(own->root) / below(directory, own->mountpoint).value_or("");
    for (const MountTableEntry& other : table) {
        if (other.identity.device == own->identity.device && &other != own) {
            if (const auto rest = below(in_filesystem, other.root)) {
                places.push_back(fs::path(other.mountpoint) / *rest);
            }
        }
    }
    return places;
}

} // namespace

base::Result<DirectoryId> id_of(int at, const char* path) {
    struct statx status{};
    if (::statx(at, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
                STATX_INO | STATX_BTIME, &status) != 0) {
        return base::last_error();
    }
    DirectoryId id{status.stx_dev_major, status.stx_dev_minor, status.stx_ino, 0};
    if ((status.stx_mask & STATX_BTIME) != 0) {
        id.born = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
    }
    return id;
}

std::string device_of(const DirectoryId& id) {
    return std::to_string(id.device_major) + ':' + std::to_string(id.device_minor);
}

std::vector<Ancestor> ancestors_of(const fs::path& directory) {
    std::vector<Ancestor> found;
    const auto self = id_of(AT_FDCWD, directory.c_str());
    if (!self) {
        return found;
    }
    for (const fs::path& place : places_of(directory)) {
        // If another mount covers the place, it is another directory than the table says.
        if (id_of(AT_FDCWD, place.c_str()) != self) {
            continue;
        }
        fs::path path = place;
        while (path.has_relative_path()) {
            path = path.parent_path();
            auto fd = Fd::open(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
            const auto id = fd ? id_of(fd->get(), "") : std::unexpected(fd.error());
            if (id && *id != *self && std::ranges::find(found, *id, &Ancestor::id) == found.end()) {
                const bool near = place == directory || device_of(*id) == device_of(*self);
                found.push_back({*id, std::move(*fd), path.string(), near});
            }
        }
    }
    return found;
}

} // namespace partialfs::startup
