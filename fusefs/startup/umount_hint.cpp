#include "fusefs/startup/umount_hint.hpp"

#include <libmount/libmount.h>
#include <unistd.h>

#include <memory>

namespace partialfs::startup {
namespace {

struct Free {
    void operator()(libmnt_update* update) const { ::mnt_free_update(update); }
    void operator()(libmnt_fs* filesystem) const { ::mnt_unref_fs(filesystem); }
};

} // namespace

bool UmountHint::give(const MountTableEntry& mount) {
    if (::geteuid() != 0) {
        return false;
    }
    // libmount only uses a line whose source and root are the same as in mountinfo.
    const std::unique_ptr<libmnt_fs, Free> filesystem(::mnt_new_fs());
    const std::unique_ptr<libmnt_update, Free> update(::mnt_new_update());
    if (!filesystem || !update) {
        return false;
    }
    const bool written =
        ::mnt_fs_set_source(filesystem.get(), mount.identity.source.c_str()) == 0 &&
        ::mnt_fs_set_target(filesystem.get(), mount.mountpoint.c_str()) == 0 &&
        ::mnt_fs_set_root(filesystem.get(), "/") == 0 &&
        ::mnt_fs_set_fstype(filesystem.get(), mount.type.c_str()) == 0 &&
        ::mnt_fs_set_options(filesystem.get(), "uhelper=fuse.partialfs") == 0 &&
        ::mnt_update_set_fs(update.get(), 0, nullptr, filesystem.get()) == 0 &&
        ::mnt_update_table(update.get(), nullptr) == 0;
    if (written) {
        mountpoint_ = mount.mountpoint;
    }
    return written;
}

UmountHint::~UmountHint() {
    if (mountpoint_.empty()) {
        return;
    }
    const std::vector<MountTableEntry> table = mount_table();
    const MountTableEntry* const mount = mount_of(mountpoint_, table);
    const bool is_mounted_anew = mount != nullptr && mount->mountpoint == mountpoint_;
    const std::unique_ptr<libmnt_update, Free> update(::mnt_new_update());
    if (!is_mounted_anew && update &&
        ::mnt_update_set_fs(update.get(), 0, mountpoint_.c_str(), nullptr) == 0) {
        ::mnt_update_table(update.get(), nullptr);
    }
}

} // namespace partialfs::startup
