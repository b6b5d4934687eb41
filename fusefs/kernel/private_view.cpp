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
    auto table = Fd::open(AT_FDCWD, kMountTable, O_RDONLY);
    Fd root{::open_tree(AT_FDCWD, mountpoint_.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
    if (table && root) {
        mount_table_ = std::move(*table);
        root_ = std::make_shared<const Fd>(std::move(root));
    }
}

Result<Fd> PrivateView::open(const std::string& path, int flags) const {
    std::shared_ptr<const Fd> root;
    {
        const std::scoped_lock lock(mutex_);
        if (gone_) {
            return backing::failed(ENODEV);
        }
        root = root_;
    }
    return root ? Fd::open(root->get(), path.c_str(), flags)
                : Fd::open(AT_FDCWD, (mountpoint_ + '/' + path).c_str(), flags);
}

void PrivateView::let_go_if_unmounted() {
    if (!still_mounted()) {
        let_go();
    }
}

void PrivateView::let_go() {
    std::shared_ptr<const Fd> root; // closed after the lock
    const std::scoped_lock lock(mutex_);
    gone_ = gone_ || root_ != nullptr;
    root.swap(root_);
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
