#include "fusefs/fuse/control_requests.hpp"

#include "fusefs/base/try.hpp"
#include "fusefs/fuse/listing.hpp"
#include "fusefs/fuse/power_files.hpp"

#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <string>
#include <utility>

namespace partialfs::fuse {
namespace {

using model::InodeId;

struct Node {
    fuse_ino_t number;
    std::string_view name;
    mode_t mode;
};
constexpr std::array kNodes{
    Node{kControlDirectory, ".", S_IFDIR | 0700},
    Node{kInodeDirectory, "inode", S_IFDIR | 0500},
    Node{kStatusFile, "status", S_IFREG | 0400},
    Node{kLedgerFile, "ledger", S_IFREG | 0400},
    Node{kTraceFile, "trace", S_IFREG | 0400},
    Node{kContractFile, "contract", S_IFREG | 0600},
    Node{kPolicyFile, "flush-policy", S_IFREG | 0600},
    Node{kAfterWriteErrorFile, "after-write-error", S_IFREG | 0600},
    Node{kFaultsFile, "faults", S_IFREG | 0600},
    Node{kCommitFile, "commit", S_IFREG | 0200},
    Node{kEvictFile, "evict", S_IFREG | 0200},
    Node{kPowerFile, "power", S_IFREG | 0600},
    Node{kFiredFile, "fired", S_IFREG | 0400},
    Node{kUnsyncedFile, "unsynced", S_IFREG | 0400},
};

/// Whether a mount has this node.
bool has(const Mount& mount, const Node& node) {
    const bool of_power =
        node.number == kPowerFile || node.number == kFiredFile || node.number == kUnsyncedFile;
    return !of_power || mount.context.power != nullptr;
}

/// Where `..` of the control directory leads.
constexpr Node kRoot{FUSE_ROOT_ID, "..", S_IFDIR};

/// The st_ino and d_ino of a node.
ino_t number_of(const Mount& mount, const Node& node) {
    return node.number == FUSE_ROOT_ID ? mount.inodes.root()->number()
                                       : FileNumbers::control(node.number - kFirstControlNode);
}

/// Names of the control directory never change.
constexpr double kForever = 86400;

/// When the daemon started: used for all times of the control directory's objects.
const timespec kBegin = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now;
}();

/// Null if there is none of that number.
const Node* node_of(const Mount& mount, fuse_ino_t number) {
    const auto* const node = std::ranges::find(kNodes, number, &Node::number);
    return node == kNodes.end() || !has(mount, *node) ? nullptr : node;
}

struct stat attributes(const Mount& mount, const Node& node) {
    struct stat status{};
    status.st_ino = number_of(mount, node);
    status.st_mode = node.mode;
    const bool directory = S_ISDIR(node.mode);
    status.st_nlink = node.number == kControlDirectory ? 3 : (directory ? 2 : 1);
    status.st_uid = ::getuid();
    status.st_gid = ::getgid();
    status.st_size = directory ? 0 : static_cast<off_t>(size_of_contents(mount, node.number));
    status.st_atim = status.st_mtim = status.st_ctim = kBegin;
    status.st_blksize = static_cast<blksize_t>(model::kPageSize);
    return status;
}

/// The size of a file changes with its contents, so the kernel must not keep it.
double attributes_timeout(const Node& node) {
    return S_ISDIR(node.mode) ? kForever : 0;
}

Entry entry_of_node(const Mount& mount, const Node& node) {
    Entry entry;
    entry.parameters.ino = node.number;
    entry.parameters.attr = attributes(mount, node);
    entry.parameters.attr_timeout = attributes_timeout(node);
    entry.parameters.entry_timeout = kForever;
    return entry;
}

/// `inode/N`: the inode itself, under an additional name that the kernel must not keep.
Answer lookup_inode(Mount& mount, std::string_view name) {
    std::uint64_t number = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    auto inode = problem == std::errc{} && end == name.data() + name.size()
                     ? mount.inodes.remember_known(InodeId{number})
                     : nullptr;
    if (!inode) {
        return base::failed(ENOENT);
    }
    auto entry = TRY(entry_of(mount, std::move(inode)));
    entry.parameters.entry_timeout = 0;
    // Nor may it keep the attributes. They could be older than those that a program gets at the
    // same time by another name, and would then show the program a state from before a change that
    // it has already seen.
    entry.parameters.attr_timeout = 0;
    return entry;
}

/// Calls `add(name, node, next)` for each entry of a directory after `position`, until it returns
/// false.
template <typename Add>
void list(const Mount& mount, const Node& directory, off_t position, Add add) {
    off_t at = 0;
    const auto entry = [&](std::string_view name, const Node& node) {
        ++at;
        return at <= position || add(std::string(name).c_str(), node, at);
    };
    const bool whole = directory.number == kControlDirectory;
    if (!entry(".", directory) || !entry("..", whole ? kRoot : kNodes.front()) || !whole) {
        return;
    }
    for (const Node& node : kNodes) {
        if (node.number != kControlDirectory && has(mount, node) && !entry(node.name, node)) {
            return;
        }
    }
}

/// The directory of this number, or the errno why it cannot be listed.
base::Result<const Node*> directory_of(const Mount& mount, fuse_ino_t number) {
    const Node* node = node_of(mount, number);
    if (node == nullptr) {
        return base::failed(ESTALE);
    }
    if (!S_ISDIR(node->mode)) {
        return base::failed(ENOTDIR);
    }
    return node;
}

} // namespace

namespace control {

Entry directory(Mount& mount) {
    return entry_of_node(mount, kNodes.front());
}

Answer lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
    TRY(directory_of(mount_of(req), parent));
    if (parent == kInodeDirectory) {
        return lookup_inode(mount_of(req), name);
    }
    const auto* const node = std::ranges::find(kNodes, std::string_view(name), &Node::name);
    if (node == kNodes.end() || !has(mount_of(req), *node)) {
        return base::failed(ENOENT);
    }
    return entry_of_node(mount_of(req), *node);
}

Answer getattr(fuse_req_t req, fuse_ino_t number, fuse_file_info* /*info*/) {
    const Node* node = node_of(mount_of(req), number);
    if (node == nullptr) {
        return base::failed(ESTALE);
    }
    return Attributes{attributes(mount_of(req), *node), attributes_timeout(*node)};
}

Answer setattr(fuse_req_t req, fuse_ino_t number, struct stat* /*wanted*/, int to_set,
               fuse_file_info* /*info*/) {
    // A shell's `>` truncates first, which has no effect here.
    constexpr int kHarmless = FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW |
                              FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_CTIME;
    if ((to_set & ~kHarmless) != 0) {
        return base::failed(EPERM);
    }
    return getattr(req, number, nullptr);
}

Answer open(fuse_req_t req, fuse_ino_t number, fuse_file_info* info) {
    const Node* node = node_of(mount_of(req), number);
    if (node == nullptr) {
        return base::failed(ESTALE);
    }
    if (!S_ISREG(node->mode)) {
        return base::failed(EISDIR);
    }
    Mount& mount = mount_of(req);
    if (number == kUnsyncedFile) {
        return open_unsynced(req, *info);
    }
    info->fh = mount.handles.add(open_control_file(mount, number));
    info->direct_io = 1; // read past the page cache, and beyond the size that stat(2) showed
    return Opened{info};
}

Answer read(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t offset,
            const std::shared_ptr<ControlReader>& reader) {
    if (number == kFiredFile) {
        return read_fired(req, size, offset, reader);
    }
    return Bytes{reader->read(static_cast<std::uint64_t>(offset), size)};
}

Answer write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size,
             off_t /*offset*/, fuse_file_info* /*info*/) {
    return write_control_file(req, number, {data, size});
}

Answer release(fuse_req_t req, fuse_ino_t /*number*/, fuse_file_info* info) {
    mount_of(req).handles.take(info->fh);
    return Done{};
}

Answer flush(fuse_req_t /*req*/, fuse_ino_t /*number*/, fuse_file_info* /*info*/) {
    return Done{};
}

Answer fsync(fuse_req_t /*req*/, fuse_ino_t /*number*/, int /*data_only*/,
             fuse_file_info* /*info*/) {
    return Done{};
}

Answer opendir(fuse_req_t req, fuse_ino_t number, fuse_file_info* info) {
    TRY(directory_of(mount_of(req), number));
    return Opened{info};
}

Answer readdir(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t position,
               fuse_file_info* /*info*/) {
    const auto directory = TRY(directory_of(mount_of(req), number));
    const Mount& mount = mount_of(req);
    Listing listing(req, size);
    list(mount_of(req), *directory, position, [&](const char* name, const Node& node, off_t next) {
        return listing.add(name, number_of(mount, node), node.mode, next);
    });
    return listing.take();
}

Answer readdirplus(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t position,
                   fuse_file_info* /*info*/) {
    const auto directory = TRY(directory_of(mount_of(req), number));
    Mount& mount = mount_of(req);
    Listing listing(req, size);
    list(mount_of(req), *directory, position, [&](const char* name, const Node& node, off_t next) {
        return listing.add_plus(name, entry_of_node(mount, node).parameters, next);
    });
    return listing.take();
}

Answer statfs(fuse_req_t /*req*/, fuse_ino_t /*number*/) {
    Space space{};
    space.status.f_bsize = model::kPageSize;
    space.status.f_namemax = NAME_MAX;
    return space;
}

Answer getxattr(fuse_req_t /*req*/, fuse_ino_t /*number*/, const char* /*name*/,
                std::size_t /*size*/) {
    return base::failed(ENODATA);
}

Answer listxattr(fuse_req_t /*req*/, fuse_ino_t /*number*/, std::size_t size) {
    if (size == 0) {
        return Length{0};
    }
    return Bytes{};
}

} // namespace control
} // namespace partialfs::fuse
