#include "tests/fuzz/fuse/numbers.hpp"

#include "fusefs/fuse/control_nodes.hpp"

#include <linux/fuse.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace partialfs::fuzz {
namespace {

/// The byte of the first control inode.
constexpr std::uint8_t kFirstControl = 240;

/// The byte for a number: its last position in a list of those given out.
std::uint8_t byte_of(const std::vector<std::uint64_t>& given, std::uint64_t number) {
    const auto found = std::ranges::find(given.rbegin(), given.rend(), number);
    const auto place = static_cast<std::size_t>(given.rend() - found);
    return place >= kFirstControl ? std::uint8_t{0} : static_cast<std::uint8_t>(place);
}

using Convert = std::function<std::uint64_t(std::uint64_t)>;

/// Well-formed arguments, with the inodes and handles in them converted.
Bytes converted(const RequestLayout& layout, std::span<const std::byte> arguments,
                const Convert& inode, const Convert& handle) {
    Bytes bytes = well_formed(layout, arguments);
    const auto change = [&](std::size_t offset, const Convert& convert) {
        set_u64(bytes, offset, convert(get_u64(bytes, offset)));
    };
    if (layout.node != RequestLayout::kNone) {
        change(layout.node, inode);
    }
    if (layout.handle != RequestLayout::kNone) {
        change(layout.handle, handle);
    }
    if (layout.lists_inodes) {
        for (std::size_t at = layout.fixed; at < bytes.size(); at += sizeof(fuse_forget_one)) {
            change(at + offsetof(fuse_forget_one, nodeid), inode);
        }
    }
    return bytes;
}

/// Aborts unless `condition` holds, without which the kernel would reject the answer.
void must_be(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "the daemon's answer is not what FUSE wants: %s\n", what);
        std::abort();
    }
}

} // namespace

Numbers::Numbers() : inodes_{FUSE_ROOT_ID} {}

void Numbers::learn_inode(std::uint64_t number) {
    const bool known = std::ranges::find(inodes_, number) != inodes_.end();
    if (number != 0 && number < fuse::kFirstControlNode && !known) {
        inodes_.push_back(number);
    }
}

void Numbers::learn_entries(std::span<const std::byte> listing) {
    while (!listing.empty()) {
        must_be(listing.size() > FUSE_NAME_OFFSET_DIRENTPLUS, "an entry is cut off");
        learn_inode(get_u64(listing, offsetof(fuse_entry_out, nodeid)));
        const std::uint32_t name =
            get_u32(listing, offsetof(fuse_direntplus, dirent) + offsetof(fuse_dirent, namelen));
        const std::size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + name);
        must_be(name != 0 && size <= listing.size(), "a name is empty or cut off");
        listing = listing.subspan(size);
    }
}

void Numbers::learn(std::uint32_t opcode, std::span<const std::byte> body) {
    switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_SYMLINK:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_LINK:
        must_be(body.size() == sizeof(fuse_entry_out), "size of an entry");
        learn_inode(get_u64(body, offsetof(fuse_entry_out, nodeid)));
        break;
    case FUSE_CREATE:
        must_be(body.size() == sizeof(fuse_entry_out) + sizeof(fuse_open_out), "size of CREATE");
        learn_inode(get_u64(body, offsetof(fuse_entry_out, nodeid)));
        handles_.push_back(get_u64(body, sizeof(fuse_entry_out) + offsetof(fuse_open_out, fh)));
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        must_be(body.size() == sizeof(fuse_open_out), "size of OPEN");
        handles_.push_back(get_u64(body, offsetof(fuse_open_out, fh)));
        break;
    case FUSE_READDIRPLUS:
        learn_entries(body);
        break;
    default:
        break;
    }
}

std::uint64_t Numbers::inode(std::uint8_t byte) const {
    if (byte >= kFirstControl) {
        return fuse::kFirstControlNode + (byte - kFirstControl);
    }
    return byte == 0 || byte > inodes_.size() ? std::uint64_t{1000000} + byte : inodes_[byte - 1U];
}

std::uint64_t Numbers::handle(std::uint8_t byte) const {
    return byte == 0 || byte > handles_.size() ? byte : handles_[byte - 1U];
}

std::uint8_t Numbers::byte_of_inode(std::uint64_t number) const {
    if (number >= fuse::kFirstControlNode) {
        return static_cast<std::uint8_t>(kFirstControl + (number - fuse::kFirstControlNode));
    }
    return byte_of(inodes_, number);
}

std::uint8_t Numbers::byte_of_handle(std::uint64_t number) const {
    return byte_of(handles_, number);
}

Bytes Numbers::filled_in(const RequestLayout& layout, std::span<const std::byte> arguments) const {
    return converted(
        layout, arguments,
        [this](std::uint64_t field) { return inode(static_cast<std::uint8_t>(field)); },
        [this](std::uint64_t field) { return handle(static_cast<std::uint8_t>(field)); });
}

Bytes Numbers::taken_out(const RequestLayout& layout, std::span<const std::byte> arguments) const {
    return converted(
        layout, arguments, [this](std::uint64_t field) { return byte_of_inode(field); },
        [this](std::uint64_t field) { return byte_of_handle(field); });
}

} // namespace partialfs::fuzz
