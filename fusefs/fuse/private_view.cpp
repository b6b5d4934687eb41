#include "fusefs/fuse/private_view.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>
#include <limits>

namespace partialfs::fuse {

using base::Fd;
using base::Result;

namespace {

constexpr const char* kMountTable = "/proc/self/mountinfo";

} // namespace

PrivateView::PrivateView(std::string mountpoint, std::string directory)
    : mountpoint_(std::move(mountpoint)), directory_path_(std::move(directory)) {
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
    // No copy without mount_table_, which shows when the copy must be released.
    if (mount_table_) {
        root_ = Fd{::open_tree(AT_FDCWD, mountpoint_.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
    }
}

void PrivateView::find_directory() {
    if (gone_) {
        return;
    }
    const std::string path = root_ ? directory_path_ : mountpoint_ + '/' + directory_path_;
    auto directory = Fd::open(root_ ? root_.get() : AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
    if (directory && root_) {
        directory_ = std::move(*directory);
    }
}

Result<Fd> PrivateView::open(const std::string& name, int flags) const {
    if (gone_) {
        return base::failed(ENODEV);
    }
    if (directory_) {
        return Fd::open(directory_.get(), name.c_str(), flags);
    }
    const std::string path = directory_path_ + '/' + name;
    return root_ ? Fd::open(root_.get(), path.c_str(), flags)
                 : Fd::open(AT_FDCWD, (mountpoint_ + '/' + path).c_str(), flags);
}

Result<Fd> PrivateView::open_root() const {
    if (gone_) {
        return base::failed(ENODEV);
    }
    return root_ ? Fd::open(root_.get(), ".", O_RDONLY | O_DIRECTORY)
                 : Fd::open(AT_FDCWD, mountpoint_.c_str(), O_RDONLY | O_DIRECTORY);
}

void PrivateView::let_go() {
    gone_ = true;
    directory_.reset();
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

} // namespace partialfs::fuse
