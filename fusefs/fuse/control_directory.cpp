#include "fusefs/fuse/control_directory.hpp"

#include "fusefs/fuse/control_files.hpp"
#include "fusefs/fuse/control_nodes.hpp"
#include "fusefs/fuse/directory_requests.hpp"
#include "fusefs/fuse/reply.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace partialfs::fuse {
namespace {

using base::Errno;
using model::InodeId;

struct Node {
    fuse_ino_t number;
    const char* name;
    mode_t mode;
};
constexpr std::array kNodes{
    Node{kInodeDirectory, "inode", S_IFDIR | 0500},
    Node{kStatusFile, "status", S_IFREG | 0400},
    Node{kLedgerFile, "ledger", S_IFREG | 0400},
    Node{kTraceFile, "trace", S_IFREG | 0400},
    Node{kContractFile, "contract", S_IFREG | 0600},
    Node{kPolicyFile, "flush-policy", S_IFREG | 0600},
    Node{kCommitFile, "commit", S_IFREG | 0200},
    Node{kEvictFile, "evict", S_IFREG | 0200},
};

bool is_control(fuse_ino_t number) {
    return number >= kFirstControlNode;
}

/// Names and attributes of the control directory never change, but for contents, which are read
/// past the page cache.
constexpr double kForever = 86400;

mode_t mode_of(fuse_ino_t number) {
    for (const Node& node : kNodes) {
        if (node.number == number) {
            return node.mode;
        }
    }
    return S_IFDIR | 0700;
}

struct stat attributes(fuse_ino_t number) {
    struct stat status{};
    status.st_ino = number;
    status.st_mode = mode_of(number);
    status.st_nlink = S_ISDIR(status.st_mode) ? 2 : 1;
    status.st_uid = getuid();
    status.st_gid = getgid();
    status.st_blksize = static_cast<blksize_t>(model::kPageSize);
    return status;
}

void reply_node(fuse_req_t req, fuse_ino_t number) {
    fuse_entry_param entry{};
    entry.ino = number;
    entry.attr = attributes(number);
    entry.attr_timeout = kForever;
    entry.entry_timeout = kForever;
    fuse_reply_entry(req, &entry);
}

/// `inode/N`: the inode itself, under one more name that the kernel must not keep.
void lookup_inode(fuse_req_t req, std::string_view name) {
    Mount& mount = mount_of(req);
    std::uint64_t number = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    const auto inode = problem == std::errc{} && end == name.data() + name.size()
                           ? mount.inodes.remember_known(InodeId{number})
                           : nullptr;
    if (!inode) {
        reply(req, Errno{ENOENT});
        return;
    }
    auto entry = entry_of(mount, *inode);
    if (!entry) {
        mount.inodes.forget(inode->id(), 1);
        reply(req, entry.error());
        return;
    }
    entry->entry_timeout = 0;
    if (fuse_reply_entry(req, &*entry) != 0) {
        mount.inodes.forget(inode->id(), 1);
    }
}

void control_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
    if (parent == kInodeDirectory) {
        lookup_inode(req, name);
        return;
    }
    const auto* node = std::ranges::find_if(
        kNodes, [&](const Node& one) { return std::strcmp(one.name, name) == 0; });
    if (parent != kControlDirectory || node == kNodes.end()) {
        reply(req, Errno{parent == kControlDirectory ? ENOENT : ENOTDIR});
        return;
    }
    reply_node(req, node->number);
}

void control_getattr(fuse_req_t req, fuse_ino_t number, fuse_file_info*) {
    const struct stat status = attributes(number);
    fuse_reply_attr(req, &status, kForever);
}

void control_setattr(fuse_req_t req, fuse_ino_t number, struct stat*, int to_set, fuse_file_info*) {
    // A shell's `>` truncates first; there is nothing to truncate.
    const int harmless = FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW |
                         FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_CTIME;
    if ((to_set & ~harmless) != 0) {
        reply(req, Errno{EPERM});
        return;
    }
    control_getattr(req, number, nullptr);
}

void control_open(fuse_req_t req, fuse_ino_t number, fuse_file_info* fi) {
    if (!S_ISREG(mode_of(number))) {
        reply(req, Errno{EISDIR});
        return;
    }
    OpenHandles& handles = mount_of(req).handles;
    fi->fh = handles.add(std::make_unique<std::string>(contents_of(mount_of(req), number)));
    fi->direct_io = 1;
    if (fuse_reply_open(req, fi) != 0) {
        handles.take(fi->fh); // there will be no control_release()
    }
}

void control_release(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
    mount_of(req).handles.take(fi->fh);
    reply(req, Errno{0});
}

void reply_part(fuse_req_t req, std::string_view whole, std::size_t size, off_t offset) {
    const auto begin = std::min<std::size_t>(static_cast<std::size_t>(offset), whole.size());
    const std::string_view part = whole.substr(begin, size);
    fuse_reply_buf(req, part.data(), part.size());
}

void control_read(fuse_req_t req, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* fi) {
    const std::shared_ptr<const std::string> text =
        mount_of(req).handles.share<std::string>(fi->fh);
    reply_part(req, *text, size, offset);
}

void control_fsync(fuse_req_t req, fuse_ino_t, int, fuse_file_info*) {
    reply(req, Errno{0});
}
void control_flush(fuse_req_t req, fuse_ino_t, fuse_file_info*) {
    reply(req, Errno{0});
}

void control_opendir(fuse_req_t req, fuse_ino_t number, fuse_file_info* fi) {
    if (!S_ISDIR(mode_of(number))) {
        reply(req, Errno{ENOTDIR});
        return;
    }
    fuse_reply_open(req, fi);
}

void control_readdir(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t offset,
                     fuse_file_info*) {
    std::string listing;
    off_t position = 0;
    const auto add = [&](const char* name, fuse_ino_t entry) {
        const struct stat status = attributes(entry);
        const std::size_t length = fuse_add_direntry(req, nullptr, 0, name, nullptr, 0);
        ++position;
        if (position > offset && listing.size() + length <= size) {
            const std::size_t at = listing.size();
            listing.resize(at + length);
            fuse_add_direntry(req, listing.data() + at, length, name, &status, position);
        }
    };
    add(".", number);
    add("..", kControlDirectory);
    if (number == kControlDirectory) {
        for (const Node& node : kNodes) {
            add(node.name, node.number);
        }
    }
    fuse_reply_buf(req, listing.data(), listing.size());
}

void control_releasedir(fuse_req_t req, fuse_ino_t, fuse_file_info*) {
    reply(req, Errno{0});
}

void control_statfs(fuse_req_t req, fuse_ino_t) {
    struct statvfs status{};
    status.f_bsize = model::kPageSize;
    status.f_namemax = NAME_MAX;
    fuse_reply_statfs(req, &status);
}

void control_getxattr(fuse_req_t req, fuse_ino_t, const char*, std::size_t) {
    reply(req, Errno{ENODATA});
}
void control_listxattr(fuse_req_t req, fuse_ino_t, std::size_t size) {
    if (size == 0) {
        fuse_reply_xattr(req, 0);
    } else {
        fuse_reply_buf(req, nullptr, 0);
    }
}

/// Answers any request with EPERM, for what the control directory does not allow.
template <typename... Arguments>
void forbid(fuse_req_t req, fuse_ino_t, Arguments...) {
    reply(req, Errno{EPERM});
}

fuse_lowlevel_ops plain; // the handlers that were there before, written once, at start-up

/// A handler that sends a request where its inode belongs.
template <auto member, auto control>
struct Sorted;
template <typename... Arguments, void (*fuse_lowlevel_ops::*member)(fuse_req_t, Arguments...),
          auto control>
struct Sorted<member, control> {
    static void handle(fuse_req_t req, Arguments... arguments) { pick(req, arguments...); }

  private:
    template <typename... Rest>
    static void pick(fuse_req_t req, fuse_ino_t number, Rest... rest) {
        if (is_control(number)) {
            control(req, number, rest...);
        } else {
            (plain.*member)(req, number, rest...);
        }
    }
};

template <auto member, auto control>
void sort_requests(fuse_lowlevel_ops& ops) {
    if (ops.*member != nullptr) {
        ops.*member = Sorted<member, control>::handle;
    }
}

void sorted_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
    if (is_control(parent)) {
        control_lookup(req, parent, name);
    } else if (parent == FUSE_ROOT_ID && name == kControlName) {
        reply_node(req, kControlDirectory);
    } else {
        plain.lookup(req, parent, name);
    }
}

/// Whether a request would make, remove or replace the control directory's name.
bool names_control(fuse_ino_t parent, const char* name) {
    return is_control(parent) || (parent == FUSE_ROOT_ID && name == kControlName);
}

void sorted_symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
    if (names_control(parent, name)) {
        reply(req, Errno{EPERM});
    } else {
        plain.symlink(req, target, parent, name);
    }
}
void sorted_link(fuse_req_t req, fuse_ino_t number, fuse_ino_t parent, const char* name) {
    if (is_control(number) || names_control(parent, name)) {
        reply(req, Errno{EPERM});
    } else {
        plain.link(req, number, parent, name);
    }
}
void sorted_rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
                   const char* new_name, unsigned flags) {
    if (names_control(parent, name) || names_control(new_parent, new_name)) {
        reply(req, Errno{EPERM});
    } else {
        plain.rename(req, parent, name, new_parent, new_name, flags);
    }
}
/// For requests that begin with a directory and a name in it.
template <auto member>
struct Named;
template <typename... Rest,
          void (*fuse_lowlevel_ops::*member)(fuse_req_t, fuse_ino_t, const char*, Rest...)>
struct Named<member> {
    static void handle(fuse_req_t req, fuse_ino_t parent, const char* name, Rest... rest) {
        if (names_control(parent, name)) {
            reply(req, Errno{EPERM});
        } else {
            (plain.*member)(req, parent, name, rest...);
        }
    }
};
template <auto member>
void protect_name(fuse_lowlevel_ops& ops) {
    if (ops.*member != nullptr) {
        ops.*member = Named<member>::handle;
    }
}

} // namespace

void add_control_requests(fuse_lowlevel_ops& ops) {
    plain = ops;
    using Ops = fuse_lowlevel_ops;
    ops.lookup = sorted_lookup;
    ops.symlink = sorted_symlink;
    ops.link = sorted_link;
    ops.rename = sorted_rename;
    protect_name<&Ops::mknod>(ops);
    protect_name<&Ops::mkdir>(ops);
    protect_name<&Ops::create>(ops);
    protect_name<&Ops::unlink>(ops);
    protect_name<&Ops::rmdir>(ops);
    sort_requests<&Ops::getattr, control_getattr>(ops);
    sort_requests<&Ops::setattr, control_setattr>(ops);
    sort_requests<&Ops::open, control_open>(ops);
    sort_requests<&Ops::release, control_release>(ops);
    sort_requests<&Ops::read, control_read>(ops);
    sort_requests<&Ops::write, control_write>(ops);
    sort_requests<&Ops::fsync, control_fsync>(ops);
    sort_requests<&Ops::opendir, control_opendir>(ops);
    sort_requests<&Ops::readdir, control_readdir>(ops);
    sort_requests<&Ops::releasedir, control_releasedir>(ops);
    sort_requests<&Ops::fsyncdir, control_fsync>(ops);
    sort_requests<&Ops::statfs, control_statfs>(ops);
    sort_requests<&Ops::getxattr, control_getxattr>(ops);
    sort_requests<&Ops::listxattr, control_listxattr>(ops);
    sort_requests<&Ops::setxattr, forbid<const char*, const char*, std::size_t, int>>(ops);
    sort_requests<&Ops::removexattr, forbid<const char*>>(ops);
    sort_requests<&Ops::readlink, forbid<>>(ops);
    sort_requests<&Ops::flush, control_flush>(ops);
    sort_requests<&Ops::fallocate, forbid<int, off_t, off_t, fuse_file_info*>>(ops);
    sort_requests<&Ops::lseek, forbid<off_t, int, fuse_file_info*>>(ops);
}

} // namespace partialfs::fuse
