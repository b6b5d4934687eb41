#include "tests/fuzz/fuse/request_layout.hpp"

#include <linux/fuse.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

namespace partialfs::fuzz {
namespace {

/// The size without FUSE_SETXATTR_EXT, which the daemon never requests.
constexpr std::size_t kSetxattrFixed = FUSE_COMPAT_SETXATTR_IN_SIZE;

/// FUSE_STATX of Linux 6.6, which our <linux/fuse.h> is too old to have.
constexpr std::uint32_t kStatx = 52;

constexpr std::array kLayouts{
    RequestLayout{.opcode = FUSE_LOOKUP, .names = 1},
    RequestLayout{.opcode = FUSE_FORGET, .fixed = sizeof(fuse_forget_in), .answered = false},
    RequestLayout{.opcode = FUSE_GETATTR,
                  .fixed = sizeof(fuse_getattr_in),
                  .handle = offsetof(fuse_getattr_in, fh)},
    RequestLayout{.opcode = FUSE_SETATTR,
                  .fixed = sizeof(fuse_setattr_in),
                  .handle = offsetof(fuse_setattr_in, fh)},
    RequestLayout{.opcode = FUSE_READLINK},
    RequestLayout{.opcode = FUSE_SYMLINK, .names = 2},
    RequestLayout{.opcode = FUSE_MKNOD, .fixed = sizeof(fuse_mknod_in), .names = 1},
    RequestLayout{.opcode = FUSE_MKDIR, .fixed = sizeof(fuse_mkdir_in), .names = 1},
    RequestLayout{.opcode = FUSE_UNLINK, .names = 1},
    RequestLayout{.opcode = FUSE_RMDIR, .names = 1},
    RequestLayout{.opcode = FUSE_RENAME,
                  .fixed = sizeof(fuse_rename_in),
                  .node = offsetof(fuse_rename_in, newdir),
                  .names = 2},
    RequestLayout{.opcode = FUSE_LINK,
                  .fixed = sizeof(fuse_link_in),
                  .node = offsetof(fuse_link_in, oldnodeid),
                  .names = 1},
    RequestLayout{.opcode = FUSE_OPEN, .fixed = sizeof(fuse_open_in)},
    RequestLayout{.opcode = FUSE_READ,
                  .fixed = sizeof(fuse_read_in),
                  .handle = offsetof(fuse_read_in, fh),
                  .room = offsetof(fuse_read_in, size)},
    RequestLayout{.opcode = FUSE_WRITE,
                  .fixed = sizeof(fuse_write_in),
                  .handle = offsetof(fuse_write_in, fh),
                  .length = offsetof(fuse_write_in, size)},
    RequestLayout{.opcode = FUSE_STATFS},
    RequestLayout{.opcode = FUSE_RELEASE,
                  .fixed = sizeof(fuse_release_in),
                  .handle = offsetof(fuse_release_in, fh)},
    RequestLayout{.opcode = FUSE_FSYNC,
                  .fixed = sizeof(fuse_fsync_in),
                  .handle = offsetof(fuse_fsync_in, fh)},
    RequestLayout{.opcode = FUSE_SETXATTR,
                  .fixed = kSetxattrFixed,
                  .names = 1,
                  .length = offsetof(fuse_setxattr_in, size)},
    RequestLayout{.opcode = FUSE_GETXATTR,
                  .fixed = sizeof(fuse_getxattr_in),
                  .names = 1,
                  .room = offsetof(fuse_getxattr_in, size)},
    RequestLayout{.opcode = FUSE_LISTXATTR,
                  .fixed = sizeof(fuse_getxattr_in),
                  .room = offsetof(fuse_getxattr_in, size)},
    RequestLayout{.opcode = FUSE_REMOVEXATTR, .names = 1},
    RequestLayout{.opcode = FUSE_FLUSH,
                  .fixed = sizeof(fuse_flush_in),
                  .handle = offsetof(fuse_flush_in, fh)},
    RequestLayout{.opcode = FUSE_OPENDIR, .fixed = sizeof(fuse_open_in)},
    RequestLayout{.opcode = FUSE_READDIR,
                  .fixed = sizeof(fuse_read_in),
                  .handle = offsetof(fuse_read_in, fh),
                  .room = offsetof(fuse_read_in, size)},
    RequestLayout{.opcode = FUSE_RELEASEDIR,
                  .fixed = sizeof(fuse_release_in),
                  .handle = offsetof(fuse_release_in, fh)},
    RequestLayout{.opcode = FUSE_FSYNCDIR,
                  .fixed = sizeof(fuse_fsync_in),
                  .handle = offsetof(fuse_fsync_in, fh)},
    RequestLayout{
        .opcode = FUSE_GETLK, .fixed = sizeof(fuse_lk_in), .handle = offsetof(fuse_lk_in, fh)},
    RequestLayout{
        .opcode = FUSE_SETLK, .fixed = sizeof(fuse_lk_in), .handle = offsetof(fuse_lk_in, fh)},
    RequestLayout{
        .opcode = FUSE_SETLKW, .fixed = sizeof(fuse_lk_in), .handle = offsetof(fuse_lk_in, fh)},
    RequestLayout{.opcode = FUSE_ACCESS, .fixed = sizeof(fuse_access_in)},
    RequestLayout{.opcode = FUSE_CREATE, .fixed = sizeof(fuse_create_in), .names = 1},
    RequestLayout{.opcode = FUSE_INTERRUPT, .fixed = sizeof(fuse_interrupt_in), .answered = false},
    RequestLayout{.opcode = FUSE_BMAP, .fixed = sizeof(fuse_bmap_in)},
    RequestLayout{.opcode = FUSE_IOCTL,
                  .fixed = sizeof(fuse_ioctl_in),
                  .handle = offsetof(fuse_ioctl_in, fh),
                  .length = offsetof(fuse_ioctl_in, in_size),
                  .room = offsetof(fuse_ioctl_in, out_size)},
    RequestLayout{
        .opcode = FUSE_POLL, .fixed = sizeof(fuse_poll_in), .handle = offsetof(fuse_poll_in, fh)},
    RequestLayout{.opcode = FUSE_BATCH_FORGET,
                  .fixed = sizeof(fuse_batch_forget_in),
                  .lists_inodes = true,
                  .answered = false},
    RequestLayout{.opcode = FUSE_FALLOCATE,
                  .fixed = sizeof(fuse_fallocate_in),
                  .handle = offsetof(fuse_fallocate_in, fh)},
    RequestLayout{.opcode = FUSE_READDIRPLUS,
                  .fixed = sizeof(fuse_read_in),
                  .handle = offsetof(fuse_read_in, fh),
                  .room = offsetof(fuse_read_in, size)},
    RequestLayout{.opcode = FUSE_RENAME2,
                  .fixed = sizeof(fuse_rename2_in),
                  .node = offsetof(fuse_rename2_in, newdir),
                  .names = 2},
    RequestLayout{.opcode = FUSE_LSEEK,
                  .fixed = sizeof(fuse_lseek_in),
                  .handle = offsetof(fuse_lseek_in, fh)},
    RequestLayout{.opcode = FUSE_COPY_FILE_RANGE,
                  .fixed = sizeof(fuse_copy_file_range_in),
                  .node = offsetof(fuse_copy_file_range_in, nodeid_out),
                  .handle = offsetof(fuse_copy_file_range_in, fh_in)},
    RequestLayout{.opcode = FUSE_SYNCFS, .fixed = sizeof(fuse_syncfs_in)},
    RequestLayout{.opcode = kStatx, .fixed = 40},
};

template <typename Value>
Value get(std::span<const std::byte> bytes, std::size_t offset) {
    Value value{};
    std::memcpy(&value, bytes.subspan(offset, sizeof value).data(), sizeof value);
    return value;
}

template <typename Value>
void set(std::span<std::byte> bytes, std::size_t offset, Value value) {
    std::memcpy(bytes.subspan(offset, sizeof value).data(), &value, sizeof value);
}

std::string harmless(std::string name) {
    std::ranges::replace(name, '/', '_');
    return name == "." || name == ".." ? "dot" : name;
}

/// Removes and returns the bytes up to a zero, or all, from the front of `rest`.
std::string take_name(std::span<const std::byte>& rest) {
    const auto end = std::ranges::find(rest, std::byte{0});
    const auto length = static_cast<std::size_t>(end - rest.begin());
    std::string name(reinterpret_cast<const char*>(rest.data()), length);
    rest = rest.subspan(std::min(length + 1, rest.size()));
    return name;
}

} // namespace

const RequestLayout* layout_of(std::uint32_t opcode) {
    const auto* const found = std::ranges::find(kLayouts, opcode, &RequestLayout::opcode);
    return found == kLayouts.end() ? nullptr : found;
}

Bytes well_formed(const RequestLayout& layout, std::span<const std::byte> arguments) {
    const std::size_t have = std::min(layout.fixed, arguments.size());
    Bytes bytes(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(have));
    bytes.resize(layout.fixed);
    std::span<const std::byte> rest = arguments.subspan(have);
    for (std::size_t i = 0; i < layout.names; ++i) {
        const std::string name = harmless(take_name(rest));
        const auto* const begin = reinterpret_cast<const std::byte*>(name.c_str());
        bytes.insert(bytes.end(), begin, begin + name.size() + 1);
    }
    if (layout.length != RequestLayout::kNone) {
        set_u32(bytes, layout.length, static_cast<std::uint32_t>(rest.size()));
        bytes.insert(bytes.end(), rest.begin(), rest.end());
    }
    if (layout.room != RequestLayout::kNone) {
        set_u32(bytes, layout.room, std::min(get_u32(bytes, layout.room), kMostRoom));
    }
    if (layout.lists_inodes) {
        const std::size_t count = rest.size() / sizeof(fuse_forget_one);
        set_u32(bytes, offsetof(fuse_batch_forget_in, count), static_cast<std::uint32_t>(count));
        rest = rest.first(count * sizeof(fuse_forget_one));
        bytes.insert(bytes.end(), rest.begin(), rest.end());
    }
    return bytes;
}

std::uint64_t get_u64(std::span<const std::byte> bytes, std::size_t offset) {
    return get<std::uint64_t>(bytes, offset);
}
void set_u64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value) {
    set(bytes, offset, value);
}
std::uint32_t get_u32(std::span<const std::byte> bytes, std::size_t offset) {
    return get<std::uint32_t>(bytes, offset);
}
void set_u32(std::span<std::byte> bytes, std::size_t offset, std::uint32_t value) {
    set(bytes, offset, value);
}

} // namespace partialfs::fuzz
