#include "fusefs/fuse/attribute_requests.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/fuse/caller_capabilities.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/set_id_bits.hpp"
#include "fusefs/journal/change.hpp"

#include <linux/capability.h>
#include <linux/fuse.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace partialfs::fuse {
namespace {

using base::Result;

constexpr std::string_view kAccessAcl = "system.posix_acl_access";

Answer getattr(fuse_req_t req, const InodePtr& inode, fuse_file_info* /*info*/) {
    Mount& mount = mount_of(req);
    // The daemon's own look also causes getattr requests, while it opens the file.
    const bool looking = mount.page_cache.is_probing(fuse_req_ctx(req)->pid);
    const auto now = TRY(attributes_of(mount, *inode));
    if (looking || !now.wants_look) {
        return now;
    }
    // Not on this thread, which may be needed to serve the requests that the look causes.
    mount.control.submit([req, inode, &mount](bool serving) {
        if (serving) {
            inode->data()->look(mount.page_cache);
        }
        const auto then = attributes_of(mount, *inode);
        answer(req, then ? Answer{*then} : std::unexpected(then.error()));
    });
    return Later{};
}

Result<void> set_owner(Mount& /*mount*/, const InodePtr& inode, const struct stat& wanted,
                       int to_set) {
    if ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) == 0) {
        return {};
    }
    const uid_t uid = (to_set & FUSE_SET_ATTR_UID) != 0 ? wanted.st_uid : static_cast<uid_t>(-1);
    const gid_t gid = (to_set & FUSE_SET_ATTR_GID) != 0 ? wanted.st_gid : static_cast<gid_t>(-1);
    return change_privileges(*inode, [&] { return backing::change_owner(inode->fd(), uid, gid); });
}

Result<void> set_mode(Mount& /*mount*/, const InodePtr& inode, const struct stat& wanted,
                      int to_set) {
    if ((to_set & FUSE_SET_ATTR_MODE) == 0) {
        return {};
    }
    return change_privileges(
        *inode, [&] { return backing::change_mode(inode->fd(), wanted.st_mode & 07777U); });
}

Result<void> set_size(Mount& mount, const InodePtr& inode, const struct stat& wanted, int to_set) {
    if ((to_set & FUSE_SET_ATTR_SIZE) == 0) {
        return {};
    }
    if (inode->data() == nullptr) {
        return base::failed(inode->type() == S_IFDIR ? EISDIR : EINVAL);
    }
    const model::ByteOffset size = model::offset_of(wanted.st_size);
    if (size.value > 0) {
        // While growth is held back, SOURCE cannot refuse the size, so its limit is checked here.
        const model::ByteOffset last{size.value - 1};
        TRY(inode->data()->within_largest_size(last, 1));
    }
    const journal::Change change(mount.journal, shared_data(inode));
    return inode->data()->truncate(size);
}

/// The argument of utimensat(2) for one time: a time, UTIME_NOW or UTIME_OMIT.
timespec time_to_set(const timespec& wanted, int to_set, int when_given, int when_now) {
    if ((to_set & when_now) != 0) {
        return {0, UTIME_NOW};
    }
    return (to_set & when_given) != 0 ? wanted : timespec{0, UTIME_OMIT};
}

Result<void> set_times(Mount& mount, const InodePtr& inode, const struct stat& wanted, int to_set) {
    const std::array times{
        time_to_set(wanted.st_atim, to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW),
        time_to_set(wanted.st_mtim, to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW)};
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) {
        return {};
    }
    return inode->data() != nullptr ? inode->data()->set_times(times, mount.page_cache)
                                    : backing::change_times(inode->fd(), times);
}

/// In this order: a change of owner removes setuid and setgid bits that the same request may set,
/// and a change of size changes times that it may set.
Result<void> set_all(Mount& mount, const InodePtr& inode, const struct stat& wanted, int to_set) {
    for (const auto set : {set_owner, set_mode, set_size, set_times}) {
        TRY(set(mount, inode, wanted, to_set));
    }
    return {};
}

/// As inode_owner_or_capable() of the kernel: whether the caller might change the mode.
bool owns(fuse_req_t req, const struct stat& status) {
    const fuse_ctx& caller = *fuse_req_ctx(req);
    return caller.uid == status.st_uid ||
           is_capable_over(caller.pid, CAP_FOWNER, status.st_uid, status.st_gid);
}

/// Whether a change removes setuid and setgid, where that is left to the daemon (set_id_bits.hpp).
/// EPERM: a change of owner would remove them, and the caller may not change the mode; the kernel
/// refuses that as well where it removes them itself.
Result<bool> takes_set_id(fuse_req_t req, const Inode& inode, int to_set) {
    const bool changes_owner = (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0;
    if (!mount_of(req).agreed.clears_set_id ||
        (to_set != 0 && (to_set & FATTR_KILL_SUIDGID) == 0)) {
        return false;
    }
    const auto status = TRY(backing::status_of(inode.fd()));
    if (set_id_of(status.st_mode) == 0) {
        return false;
    }
    if (changes_owner && !owns(req, status)) {
        return base::failed(EPERM);
    }
    return to_set != 0 || owns(req, status);
}

Answer setattr(fuse_req_t req, const InodePtr& inode, struct stat* wanted, int to_set,
               fuse_file_info* /*info*/) {
    const bool takes = TRY(takes_set_id(req, *inode, to_set));
    TRY(set_all(mount_of(req), inode, *wanted, to_set));
    if (takes) {
        TRY(clear_set_id(*inode));
    }
    if (inode->data() != nullptr) {
        inode->data()->attributes_changed();
    }
    return TRY(attributes_of(mount_of(req), *inode));
}

Answer readlink(fuse_req_t /*req*/, const InodePtr& inode) {
    auto target = TRY(backing::link_target(inode->fd()));
    return LinkTarget{std::move(target)};
}

Answer statfs(fuse_req_t req, fuse_ino_t number) {
    // 0: concerns no particular inode.
    Mount& mount = mount_of(req);
    const auto inode =
        number == 0 ? mount.inodes.root() : mount.inodes.find(model::InodeId{number});
    if (!inode) {
        return base::failed(ESTALE);
    }
    Space space{};
    if (::fstatvfs(inode->fd().get(), &space.status) != 0) {
        return base::last_error();
    }
    return space;
}

/// Answers with a value of `length` bytes, for a caller who has room for `room` bytes, or with the
/// length alone if `room` is 0. ERANGE: too little room.
Answer sized(std::string value, std::size_t length, std::size_t room) {
    if (room == 0) {
        return Length{length};
    }
    if (length > room) {
        return base::failed(ERANGE);
    }
    value.resize(length);
    return Bytes{std::move(value)};
}

Answer getxattr(fuse_req_t /*req*/, const InodePtr& inode, const char* name, std::size_t size) {
    std::string value(size, '\0');
    const auto length = TRY(
        look_at_privileges(*inode, [&] { return backing::get_xattr(inode->fd(), name, value); }));
    return sized(std::move(value), length, size);
}

/// A list of names without those that listxattr(2) shows only to privileged callers.
std::string without_trusted(std::string_view names) {
    std::string kept;
    while (!names.empty()) {
        const std::string_view name =
            names.substr(0, std::min(names.find('\0'), names.size() - 1) + 1);
        if (!name.starts_with("trusted.")) {
            kept += name;
        }
        names.remove_prefix(name.size());
    }
    return kept;
}

/// As listxattr(2): each name ends with a zero byte.
Result<std::string> names_of_xattrs(const Inode& inode) {
    return look_at_privileges(inode, [&]() -> Result<std::string> {
        std::string names(TRY(backing::list_xattrs(inode.fd(), {})), '\0');
        if (!names.empty()) {
            names.resize(TRY(backing::list_xattrs(inode.fd(), names)));
        }
        return names;
    });
}

Answer listxattr(fuse_req_t req, const InodePtr& inode, std::size_t size) {
    std::string names = TRY(names_of_xattrs(*inode)); // also if only the length is asked for
    // The daemon sees all names; the caller gets those that ext4_xattr_trusted_list() would show.
    std::string untrusted = without_trusted(names);
    if (untrusted.size() != names.size() && !is_capable(fuse_req_ctx(req)->pid, CAP_SYS_ADMIN)) {
        names = std::move(untrusted);
    }
    const std::size_t shown = names.size();
    return sized(std::move(names), shown, size);
}

/// Whether the caller is in the group.
bool in_group(fuse_req_t req, gid_t group) {
    if (fuse_req_ctx(req)->gid == group) {
        return true;
    }
    std::array<gid_t, 64> few{};
    const int count = fuse_req_getgroups(req, static_cast<int>(few.size()), few.data());
    if (count <= static_cast<int>(few.size())) {
        return std::find(few.begin(), few.begin() + std::max(count, 0), group) !=
               few.begin() + std::max(count, 0);
    }
    std::vector<gid_t> many(static_cast<std::size_t>(count));
    const int got = fuse_req_getgroups(req, count, many.data());
    return std::find(many.begin(), many.begin() + std::clamp(got, 0, count), group) !=
           many.begin() + std::clamp(got, 0, count);
}

/// The file loses its setgid bit if a caller outside its group sets its access ACL. A local
/// filesystem decides that by the caller's credentials (posix_acl_update_mode()). SOURCE sees those
/// of the daemon, which is privileged, so the daemon has to do it.
Result<void> drop_setgid_after_acl(fuse_req_t req, const Inode& inode) {
    const auto status = TRY(backing::status_of(inode.fd()));
    // As the kernel's in_group_or_capable().
    if ((status.st_mode & S_ISGID) == 0 || in_group(req, status.st_gid) ||
        is_capable_over(fuse_req_ctx(req)->pid, CAP_FSETID, status.st_uid, status.st_gid)) {
        return {};
    }
    return backing::change_mode(inode.fd(), status.st_mode & 07777U & ~mode_t{S_ISGID});
}

/// The answer to a change of an extended attribute.
Answer xattr_changed(const Inode& inode, const Result<void>& changed) {
    TRY(changed);
    if (inode.data() != nullptr) {
        inode.data()->attributes_changed();
    }
    return Done{};
}

Answer setxattr(fuse_req_t req, const InodePtr& inode, const char* name, const char* value,
                std::size_t size, int flags) {
    return xattr_changed(*inode, change_privileges(*inode, [&]() -> Result<void> {
        TRY(backing::set_xattr(inode->fd(), name, {value, size}, flags));
        return name == kAccessAcl ? drop_setgid_after_acl(req, *inode) : Result<void>();
    }));
}

Answer removexattr(fuse_req_t /*req*/, const InodePtr& inode, const char* name) {
    return xattr_changed(*inode, change_privileges(*inode, [&] {
        return backing::remove_xattr(inode->fd(), name);
    }));
}

} // namespace

void add_attribute_requests(fuse_lowlevel_ops& ops) {
    using Ops = fuse_lowlevel_ops;
    serve<&Ops::getattr, getattr>(ops);
    serve<&Ops::setattr, setattr>(ops);
    serve<&Ops::readlink, readlink>(ops);
    serve<&Ops::statfs, statfs>(ops);
    serve<&Ops::getxattr, getxattr>(ops);
    serve<&Ops::listxattr, listxattr>(ops);
    serve<&Ops::setxattr, setxattr>(ops);
    serve<&Ops::removexattr, removexattr>(ops);
}

} // namespace partialfs::fuse
