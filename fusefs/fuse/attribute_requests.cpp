#include "fusefs/fuse/attribute_requests.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/fuse/reply.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace partialfs::fuse {
namespace {

using base::Errno;
using base::Result;

constexpr std::string_view kAccessAcl = "system.posix_acl_access";

void reply_attributes(fuse_req_t req, const Inode& inode) {
    const double timeout = attribute_timeout(mount_of(req), inode);
    const auto status = attributes_of(inode);
    if (status) {
        fuse_reply_attr(req, &*status, timeout);
    } else {
        reply(req, status.error());
    }
}

void getattr(fuse_req_t req, fuse_ino_t number, fuse_file_info*) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    reply_attributes(req, *inode);
}

Result<void> set_owner(const Inode& inode, const struct stat& wanted, int to_set) {
    if ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) == 0) {
        return {};
    }
    const uid_t uid = (to_set & FUSE_SET_ATTR_UID) != 0 ? wanted.st_uid : static_cast<uid_t>(-1);
    const gid_t gid = (to_set & FUSE_SET_ATTR_GID) != 0 ? wanted.st_gid : static_cast<gid_t>(-1);
    return backing::change_owner(inode.fd(), uid, gid);
}

Result<void> set_mode(const Inode& inode, const struct stat& wanted, int to_set) {
    if ((to_set & FUSE_SET_ATTR_MODE) == 0) {
        return {};
    }
    return backing::change_mode(inode.fd(), wanted.st_mode & 07777U);
}

Result<void> set_size(const Inode& inode, const struct stat& wanted, int to_set) {
    if ((to_set & FUSE_SET_ATTR_SIZE) == 0) {
        return {};
    }
    if (inode.data() == nullptr) {
        return base::failed(inode.type() == S_IFDIR ? EISDIR : EINVAL);
    }
    const model::ByteOffset size{static_cast<std::uint64_t>(wanted.st_size)};
    if (size.value > 0) {
        // While growth is held back, SOURCE would not be asked.
        const model::ByteOffset last{size.value - 1};
        if (const auto fits = inode.data()->within_largest_size(last, 1); !fits) {
            return std::unexpected(fits.error());
        }
    }
    return inode.data()->truncate(size);
}

/// What utimensat(2) gets for one time: the time, now, or to leave it.
timespec time_to_set(const timespec& wanted, int to_set, int when_given, int when_now) {
    if ((to_set & when_now) != 0) {
        return {0, UTIME_NOW};
    }
    return (to_set & when_given) != 0 ? wanted : timespec{0, UTIME_OMIT};
}

Result<void> set_times(const Inode& inode, const struct stat& wanted, int to_set) {
    const std::array times{
        time_to_set(wanted.st_atim, to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW),
        time_to_set(wanted.st_mtim, to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW)};
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) {
        return {};
    }
    const auto changed = backing::change_times(inode.fd(), times);
    if (changed && times[1].tv_nsec != UTIME_OMIT && inode.data() != nullptr) {
        const auto status = backing::status_of(inode.fd());
        if (!status) {
            return std::unexpected(status.error());
        }
        inode.data()->mtime_was_set(status->st_mtim);
    }
    return changed;
}

/// In this order: a change of owner takes setuid and setgid bits away that the same request may
/// mean to keep, and a change of size moves the times that it may mean to set.
Result<void> set_all(const Inode& inode, const struct stat& wanted, int to_set) {
    for (const auto set : {set_owner, set_mode, set_size, set_times}) {
        if (auto changed = set(inode, wanted, to_set); !changed) {
            return changed;
        }
    }
    return {};
}

void setattr(fuse_req_t req, fuse_ino_t number, struct stat* wanted, int to_set, fuse_file_info*) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    if (const auto changed = set_all(*inode, *wanted, to_set); !changed) {
        reply(req, changed);
        return;
    }
    if (inode->data() != nullptr) {
        inode->data()->attributes_changed();
    }
    reply_attributes(req, *inode);
}

void readlink(fuse_req_t req, fuse_ino_t number) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    const auto target = backing::link_target(inode->fd());
    if (target) {
        fuse_reply_readlink(req, target->c_str());
    } else {
        reply(req, target.error());
    }
}

void statfs(fuse_req_t req, fuse_ino_t number) {
    // 0: no inode in particular.
    const auto inode = number == 0 ? mount_of(req).inodes.root() : inode_of(req, number);
    struct statvfs status{};
    if (!inode) {
        reply(req, Errno{ESTALE});
    } else if (::fstatvfs(inode->fd().get(), &status) != 0) {
        reply(req, Errno::last());
    } else {
        fuse_reply_statfs(req, &status);
    }
}

/// Answers with a value of a length that is only known after asking: `ask` fills a buffer and
/// returns the length; with no buffer it returns the length alone. `size` as in the request.
template <typename Ask>
void reply_sized(fuse_req_t req, std::size_t size, Ask ask) {
    std::vector<char> value(size);
    const Result<std::size_t> length = ask(std::span<char>(value));
    if (!length) {
        reply(req, length.error());
    } else if (size == 0) {
        fuse_reply_xattr(req, *length);
    } else {
        fuse_reply_buf(req, value.data(), *length);
    }
}

void getxattr(fuse_req_t req, fuse_ino_t number, const char* name, std::size_t size) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    reply_sized(req, size,
                [&](std::span<char> to) { return backing::get_xattr(inode->fd(), name, to); });
}

/// Takes out of a list of names what listxattr(2) shows to the privileged alone. The new length.
std::size_t without_trusted(std::span<char> names) {
    std::size_t kept = 0;
    for (std::size_t at = 0; at < names.size();) {
        const std::size_t length = std::string_view(&names[at]).size() + 1;
        if (!std::string_view(&names[at]).starts_with("trusted.")) {
            std::copy_n(names.begin() + static_cast<std::ptrdiff_t>(at), length,
                        names.begin() + static_cast<std::ptrdiff_t>(kept));
            kept += length;
        }
        at += length;
    }
    return kept;
}

/// Whether the caller is taken for one who may see trusted attributes, for want of its
/// capabilities.
bool sees_trusted(fuse_req_t req) {
    return fuse_req_ctx(req)->uid == 0;
}

void listxattr(fuse_req_t req, fuse_ino_t number, std::size_t size) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    // All of them, also if only their length is asked for.
    const auto length = backing::list_xattrs(inode->fd(), {});
    std::vector<char> names(length.value_or(0));
    auto got = length && *length != 0 ? backing::list_xattrs(inode->fd(), names) : length;
    if (got && !sees_trusted(req)) {
        got = without_trusted(std::span(names).first(*got));
    }
    if (got && size != 0 && *got > size) {
        got = base::failed(ERANGE);
    }
    if (!got) {
        reply(req, got.error());
    } else if (size == 0) {
        fuse_reply_xattr(req, *got);
    } else {
        fuse_reply_buf(req, names.data(), *got);
    }
}

/// Whether the caller is root or in the group, as in_group_or_capable() of the kernel asks it.
bool in_group(fuse_req_t req, gid_t group) {
    const fuse_ctx* caller = fuse_req_ctx(req);
    if (caller->uid == 0 || caller->gid == group) {
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

/// A caller outside the file's group who sets its access ACL loses it the setgid bit. A local
/// filesystem does that with the caller's credentials (posix_acl_update_mode()); the daemon, which
/// is privileged, has to do it itself.
Result<void> drop_setgid_after_acl(fuse_req_t req, const Inode& inode) {
    const auto status = backing::status_of(inode.fd());
    if (!status) {
        return std::unexpected(status.error());
    }
    if ((status->st_mode & S_ISGID) == 0 || in_group(req, status->st_gid)) {
        return {};
    }
    return backing::change_mode(inode.fd(), status->st_mode & 07777U & ~mode_t{S_ISGID});
}

void setxattr(fuse_req_t req, fuse_ino_t number, const char* name, const char* value,
              std::size_t size, int flags) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    auto changed = backing::set_xattr(inode->fd(), name, {value, size}, flags);
    if (changed && name == kAccessAcl) {
        changed = drop_setgid_after_acl(req, *inode);
    }
    if (changed && inode->data() != nullptr) {
        inode->data()->attributes_changed();
    }
    reply(req, changed);
}

void removexattr(fuse_req_t req, fuse_ino_t number, const char* name) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    const auto removed = backing::remove_xattr(inode->fd(), name);
    if (removed && inode->data() != nullptr) {
        inode->data()->attributes_changed();
    }
    reply(req, removed);
}

} // namespace

void add_attribute_requests(fuse_lowlevel_ops& ops) {
    ops.getattr = getattr;
    ops.setattr = setattr;
    ops.readlink = readlink;
    ops.statfs = statfs;
    ops.getxattr = getxattr;
    ops.listxattr = listxattr;
    ops.setxattr = setxattr;
    ops.removexattr = removexattr;
}

} // namespace partialfs::fuse
