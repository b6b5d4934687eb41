#include "fusefs/startup/remount.hpp"

#include "fusefs/base/fd.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/startup/mount_table.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace partialfs::startup {
namespace {

std::unexpected<std::string> failed(const Options& options, std::string_view what, int error) {
    return std::unexpected(fmt::format("{} of the mount at '{}' cannot be changed: {}{}", what,
                                       options.mountpoint.string(), std::strerror(error),
                                       error == EBUSY ? "; files are open for writing there" : ""));
}

std::expected<void, std::string> change_flags(const Options& options) {
    if (::mount(nullptr, options.mountpoint.c_str(), nullptr, MS_REMOUNT | options.remount_flags,
                nullptr) != 0) {
        return failed(options, "the flags", errno);
    }
    return {};
}

/// Changes the daemon's settings through its control files.
std::expected<void, std::string>
change_settings(const Options& options, const std::function<void(const std::string&)>& say) {
    for (const auto& [name, value] : options.given) {
        if (name != "contract" && name != "flush-policy" && name != "after-write-error") {
            say(fmt::format("-o remount leaves {} as it is: unmount and mount again to change it",
                            name));
            continue;
        }
        const auto file =
            base::Fd::open(AT_FDCWD, (options.mountpoint / ".partialfs" / name).c_str(), O_WRONLY);
        if (!file) {
            return failed(options, name, file.error().value);
        }
        if (::write(file->get(), value.data(), value.size()) != std::ssize(value)) {
            return failed(options, name, errno);
        }
    }
    return {};
}

} // namespace

std::expected<void, std::string> remount(const Options& options,
                                         const std::function<void(const std::string&)>& say) {
    const std::vector<MountTableEntry> table = mount_table();
    const MountTableEntry* const mount = mount_of(options.mountpoint, table);
    if (mount == nullptr || mount->mountpoint != options.mountpoint ||
        mount->type != "fuse.partialfs") {
        return std::unexpected(fmt::format("-o remount: no partialfs is mounted at '{}'",
                                           options.mountpoint.string()));
    }
    // The control files of a read-only mount cannot be written.
    const bool settings_first = options.read_only;
    if (settings_first) {
        TRY(change_settings(options, say));
    }
    if (auto changed = change_flags(options); !changed || settings_first) {
        return changed;
    }
    return change_settings(options, say);
}

} // namespace partialfs::startup
