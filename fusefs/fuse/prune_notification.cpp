#include "fusefs/fuse/prune_notification.hpp"

#include <linux/fuse.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <vector>

namespace partialfs::fuse {
namespace {

// From <linux/fuse.h> of Linux 6.18; the installed one is older.
constexpr std::int32_t kNotifyPrune = 9;
struct NotifyPruneOut {
    std::uint32_t count;
    std::uint32_t padding;
    std::uint64_t spare;
};

} // namespace

base::Result<void> prune_inodes(fuse_session* session, std::span<const model::InodeId> inodes) {
    std::vector<std::uint64_t> numbers;
    numbers.reserve(inodes.size());
    for (const model::InodeId inode : inodes) {
        numbers.push_back(inode.value);
    }
    fuse_out_header header{};
    header.error = kNotifyPrune;
    NotifyPruneOut prune{
        .count = static_cast<std::uint32_t>(numbers.size()), .padding = 0, .spare = 0};
    const std::array<iovec, 3> parts{
        iovec{&header, sizeof header}, iovec{&prune, sizeof prune},
        iovec{numbers.data(), numbers.size() * sizeof numbers.front()}};
    for (const iovec& part : parts) {
        header.len += static_cast<std::uint32_t>(part.iov_len);
    }
    if (::writev(fuse_session_fd(session), parts.data(), static_cast<int>(parts.size())) < 0) {
        return base::last_error();
    }
    return {};
}

} // namespace partialfs::fuse
