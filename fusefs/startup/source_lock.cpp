#include "fusefs/startup/source_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace partialfs::startup {

using base::Fd;

std::expected<SourceLock, LockConflict> SourceLock::take(const std::string& source,
                                                         std::span<const Ancestor> above) {
    SourceLock lock;
    auto own = Fd::open(AT_FDCWD, source.c_str(), O_RDONLY | O_DIRECTORY);
    if (!own) {
        lock.problem_ = own.error();
    } else if (::flock(own->get(), LOCK_EX | LOCK_NB) == 0) {
        lock.held_.push_back(std::move(*own));
    } else if (errno == EWOULDBLOCK) {
        return std::unexpected(LockConflict{source, id_of(own->get(), "").value_or(DirectoryId{})});
    } else {
        lock.problem_ = base::Errno::last();
    }
    for (const Ancestor& directory : above) {
        auto fd = directory.near ? Fd::open(directory.fd.get(), ".", O_RDONLY | O_DIRECTORY)
                                 : base::Result<Fd>(base::failed(EXDEV));
        if (!fd) {
            continue; // this user may not read it
        }
        if (::flock(fd->get(), LOCK_SH | LOCK_NB) == 0) {
            lock.held_.push_back(std::move(*fd));
        } else if (errno == EWOULDBLOCK) {
            return std::unexpected(LockConflict{directory.path, directory.id});
        }
    }
    return lock;
}

std::optional<pid_t> holder_of_lock(const DirectoryId& id) {
    const std::string wanted =
        fmt::format("{:02x}:{:02x}:{}", id.device_major, id.device_minor, id.inode);
    std::ifstream locks("/proc/locks");
    std::string line;
    while (std::getline(locks, line)) {
        // "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a waiting process has "->" after "1:".
        std::istringstream words(line);
        std::string number;
        std::string kind;
        std::string advisory;
        std::string access;
        pid_t pid = 0;
        std::string file;
        if (words >> number >> kind >> advisory >> access >> pid >> file && kind == "FLOCK" &&
            file == wanted && pid > 0) {
            return pid;
        }
    }
    return std::nullopt;
}

} // namespace partialfs::startup
