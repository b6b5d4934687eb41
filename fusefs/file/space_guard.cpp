#include "fusefs/file/space_guard.hpp"

#include <linux/dqblk_xfs.h>
#include <sys/quota.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace partialfs::file {

namespace {

#ifndef SYS_quotactl_fd
constexpr long kQuotactlFd = 443; // the same on every architecture; younger than our libc
#else
constexpr long kQuotactlFd = SYS_quotactl_fd;
#endif

/// Whether the filesystem enforces quotas. False on kernels before 5.14, which cannot be asked.
bool enforces_quotas(const base::Fd& file) {
    // The system call refuses O_PATH descriptors.
    const auto opened = base::reopen(file, O_RDONLY | O_NONBLOCK);
    if (!opened) {
        return false;
    }
    fs_quota_stat state{};
    if (::syscall(kQuotactlFd, opened->get(), QCMD(Q_XGETQSTAT, USRQUOTA), 0, &state) != 0) {
        return false;
    }
    constexpr unsigned kEnforced = FS_QUOTA_UDQ_ENFD | FS_QUOTA_GDQ_ENFD | FS_QUOTA_PDQ_ENFD;
    return (static_cast<unsigned>(state.qs_flags) & kEnforced) != 0;
}

/// The bytes that any user may still write there, besides the margin and the `waiting` bytes.
std::uint64_t room(const base::Fd& file, std::uint64_t waiting) {
    struct statvfs status{};
    if (::fstatvfs(file.get(), &status) != 0) {
        return 0;
    }
    if (status.f_blocks == 0) {
        return SpaceGuard::kMargin; // a filesystem without a limit (tmpfs with size=0)
    }
    // The quarter more is for writes of a few bytes, each of which takes a whole block.
    const std::uint64_t needed = waiting + waiting / 4 + SpaceGuard::kMargin;
    const std::uint64_t free = status.f_bavail * status.f_frsize;
    return free > needed ? free - needed : 0;
}

} // namespace

bool SpaceGuard::may_wait(const base::Fd& file, dev_t device, std::uint64_t bytes,
                          std::uint64_t waiting) {
    const auto now = std::chrono::steady_clock::now();
    const base::Lock lock(mutex_);
    Known& known = known_[device];
    if (now >= known.until || known.left < bytes) {
        known.left = enforces_quotas(file) ? 0 : room(file, waiting) / 4;
        known.until = now + std::chrono::milliseconds(250);
    }
    if (known.left < bytes) {
        return false;
    }
    known.left -= bytes;
    return true;
}

} // namespace partialfs::file
