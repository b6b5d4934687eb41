#include "fusefs/kernel/private_view.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>
#include <limits>

namespace partialfs::kernel {

using backing::Fd;
using backing::Result;

namespace {

constexpr const char* kMountTable = "/proc/self/mountinfo";

} // namespace

PrivateView::PrivateView(std::string mountpoint) : mountpoint_(std::move(mountpoint)) {
    struct statx status{};
    if (::statx(AT_FDCWD, mountpoint_.c_str(), AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) != 0 ||
        (status.stx_mask & STATX_MNT_ID) == 0) {
        return;
    }
    mount_id_ = status.stx_mnt_id;
    if (auto table = Fd::open(AT_FDCWD, kMountTable, O_RDONLY)) {
        mount_table_ = std::move(*table);
    }
}

void PrivateView::enter() {
    // A copy that nobody would be told to let go of must not be made.
    if (mount_table_) {
        root_ = Fd{::open_tree(AT_FDCWD, mountpoint_.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
    }
}

Result<Fd> PrivateView::open(const std::string& path, int flags) const {
    if (gone_) {
        return backing::failed(ENODEV);
    }
    return root_ ? Fd::open(root_.get(), path.c_str(), flags)
                 : Fd::open(AT_FDCWD, (mountpoint_ + '/' + path).c_str(), flags);
}

void PrivateView::let_go() {
    gone_ = true;
    root_.reset();
}

bool PrivateView::still_mounted() const {
    std::ifstream table(kMountTable);
    for (std::uint64_t id = 0; table >> id;) {
        if (id == mount_id_) {
            return true;
        }
        table.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return false;
}

} // namespace partialfs::kernel
