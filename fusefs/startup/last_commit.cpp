#include "fusefs/startup/last_commit.hpp"

#include "fusefs/startup/mount_table.hpp"
#include "fusefs/startup/source_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace partialfs::startup {
namespace {

namespace fs = std::filesystem;
using base::Fd;

LastCommit problem(int error, std::string message) {
    return {error, std::move(message)};
}

/// The outcome by the record of a daemon that has ended.
LastCommit outcome_of(const MountFacts& facts) {
    if (!facts.result) {
        return problem(ESRCH, fmt::format("process {} died before its last commit to {}: data that "
                                          "had not been synced is missing there",
                                          facts.pid, facts.source));
    }
    if (*facts.result != 0) {
        return problem(*facts.result,
                       fmt::format("the last commit of process {} to {} failed: {}; data that had "
                                   "not been synced is missing there",
                                   facts.pid, facts.source, std::strerror(*facts.result)));
    }
    return {};
}

bool is_mounted(const MountIdentity& mount) {
    const std::vector<MountTableEntry> table = mount_table();
    return std::ranges::find(table, mount, &MountTableEntry::identity) != table.end();
}

/// A record that matches; that of a living daemon if there is one.
template <typename Matches>
std::optional<FoundRecord> find_record(const fs::path& records, const std::vector<uid_t>& trusted,
                                       Matches matches) {
    std::optional<FoundRecord> best;
    for (FoundRecord& record : find_records(records, trusted)) {
        if (matches(record.facts) && (!best || record.alive)) {
            best = std::move(record);
        }
    }
    return best;
}

/// Runs fusermount3, which is setuid root and checks that the mount is the caller's. It prints its
/// errors itself.
LastCommit run_fusermount(const fs::path& mountpoint) {
    std::string program = "fusermount3";
    std::string unmount = "-u";
    std::string end_of_options = "--";
    std::string directory = mountpoint.string();
    const std::array<char*, 5> arguments{program.data(), unmount.data(), end_of_options.data(),
                                         directory.data(), nullptr};
    pid_t child = 0;
    if (const int error =
            ::posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ);
        error != 0) {
        return problem(error, fmt::format("fusermount3 cannot be run: {}; install the package "
                                          "fuse3, or unmount {} as root",
                                          std::strerror(error), directory));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0 ? LastCommit{}
                       : problem(EPERM, fmt::format("{} could not be unmounted", directory));
}

/// `path` without symlinks. The last part of a mount whose daemon has died cannot be resolved, so
/// only the directories above it are.
fs::path without_symlinks(const fs::path& path) {
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    if (error) {
        real = fs::canonical(path.parent_path(), error) / path.filename();
    }
    return error ? path : real;
}

LastCommit unmount(const fs::path& mountpoint) {
    if (::geteuid() != 0) {
        return run_fusermount(mountpoint);
    }
    if (::umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW) == 0) {
        return {};
    }
    const int error = errno;
    return problem(error, fmt::format("{} cannot be unmounted: {}{}", mountpoint.string(),
                                      std::strerror(error),
                                      error == EBUSY ? "; 'fuser -vm' shows who uses it" : ""));
}

} // namespace

LastCommit wait_for_last_commit(const fs::path& source, const fs::path& records,
                                const std::function<void(const std::string&)>& say) {
    const auto fd = Fd::open(AT_FDCWD, source.c_str(), O_RDONLY | O_DIRECTORY);
    struct stat status{};
    if (!fd || ::fstat(fd->get(), &status) != 0) {
        const int error = fd ? errno : fd.error().value;
        return problem(error, fmt::format("SOURCE '{}' cannot be opened: {}; name the directory "
                                          "that was mounted",
                                          source.string(), std::strerror(error)));
    }
    const auto id = id_of(fd->get(), "");
    const auto record = find_record(records, {0, ::geteuid(), status.st_uid},
                                    [&](const MountFacts& facts) { return id == facts.source_id; });
    if (record) {
        if (record->alive && record->facts.mount && is_mounted(*record->facts.mount)) {
            say(fmt::format("'{}' is mounted at '{}' by process {}: waiting until that is "
                            "unmounted",
                            source.string(), record->facts.mountpoint, record->facts.pid));
        }
        return outcome_of(wait_for_end(*record));
    }
    // No record of a trusted user. The lock shows whether there is a daemon nevertheless.
    if (::flock(fd->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        say(fmt::format("'{}' is locked by a process that left no record: waiting for its end; the "
                        "result of its last commit cannot be known",
                        source.string()));
        while (::flock(fd->get(), LOCK_SH) != 0 && errno == EINTR) {
        }
    }
    return {};
}

LastCommit unmount_and_wait(const fs::path& named, const fs::path& records) {
    const std::vector<MountTableEntry> table = mount_table();
    const fs::path mountpoint = without_symlinks(named);
    const MountTableEntry* const mount = mount_of(mountpoint, table);
    const auto user = mount != nullptr ? mount->fuse_user() : std::nullopt;
    if (!user || fs::path(mount->mountpoint) != mountpoint) {
        return problem(EINVAL,
                       fmt::format("no FUSE filesystem is mounted at '{}'", named.string()));
    }
    // Found before the unmount; its result is read after the daemon has ended.
    const auto record = find_record(records, {0, *user}, [&](const MountFacts& facts) {
        return facts.mount == mount->identity;
    });
    if (const LastCommit unmounted = unmount(mountpoint); unmounted.error != 0) {
        return unmounted;
    }
    if (!record) {
        return problem(0, fmt::format("'{}' is unmounted; there is no record of its daemon, so its "
                                      "last commit may still be under way",
                                      mountpoint.string()));
    }
    if (is_mounted(mount->identity)) {
        return {}; // still mounted at another place, so its daemon goes on
    }
    return outcome_of(wait_for_end(*record));
}

} // namespace partialfs::startup
