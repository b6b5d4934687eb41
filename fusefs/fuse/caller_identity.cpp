#include "fusefs/fuse/caller_identity.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace partialfs::fuse {
namespace {

using Capabilities = std::array<__user_cap_data_struct, 2>;

bool has(const Capabilities& capabilities, unsigned capability) {
    return ((capabilities[capability / 32].effective >> (capability % 32)) & 1U) != 0;
}

/// The credentials of this process, read once: only CallerIdentity changes them, and it restores
/// them.
struct Self {
    uid_t uid = ::geteuid();
    gid_t gid = ::getegid();
    Capabilities capabilities{};
    bool may_switch = false;

    Self() {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        if (::syscall(SYS_capget, &header, capabilities.data()) == 0) {
            may_switch = has(capabilities, CAP_SETUID) && has(capabilities, CAP_SETGID);
        }
    }
};

const Self& self() {
    static const Self instance;
    return instance;
}

// As glibc's setfsuid() and setfsgid(); the raw calls show that they change only this thread.
void set_fsuid(uid_t uid) {
    ::syscall(SYS_setfsuid, uid);
}
void set_fsgid(gid_t gid) {
    ::syscall(SYS_setfsgid, gid);
}

/// Changing the fsuid from root drops the capabilities that concern files: sets them again.
void restore_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    ::syscall(SYS_capset, &header, self().capabilities.data());
}

/// The umask is shared by CLONE_FS, so a thread first gets one of its own. Returns whether it
/// could.
bool set_umask(mode_t mask) {
    thread_local const bool own_fs = ::unshare(CLONE_FS) == 0;
    thread_local std::optional<mode_t> current;
    if (own_fs && current != mask) {
        ::umask(mask);
        current = mask;
    }
    return own_fs;
}

} // namespace

CallerIdentity::CallerIdentity(uid_t uid, gid_t gid, mode_t mask) {
    if (!set_umask(mask)) {
        left_to_mask_ = mask;
    }
    if (!self().may_switch) {
        return;
    }
    gid_changed_ = gid != self().gid;
    uid_changed_ = uid != self().uid;
    if (gid_changed_) {
        set_fsgid(gid);
    }
    if (uid_changed_) {
        set_fsuid(uid);
        restore_capabilities();
    }
}

CallerIdentity::~CallerIdentity() {
    if (uid_changed_) {
        set_fsuid(self().uid);
    }
    if (gid_changed_) {
        set_fsgid(self().gid);
    }
}

bool may_open_any_file() {
    return has(self().capabilities, CAP_DAC_OVERRIDE);
}

} // namespace partialfs::fuse
