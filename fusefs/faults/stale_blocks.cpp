#include "fusefs/faults/stale_blocks.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace partialfs::faults {

void StaleBlocks::begin(std::uint64_t period) {
    if (period_ != period) {
        period_ = period;
        blocks_.clear();
        order_.clear();
    }
}

void StaleBlocks::note(std::uint64_t period, int fd, off_t offset, std::size_t length) {
    struct stat status{};
    if (length == 0 || ::fstat(fd, &status) != 0) {
        return;
    }
    const std::uint64_t first = static_cast<std::uint64_t>(offset) / kBlockSize;
    const std::uint64_t last = (static_cast<std::uint64_t>(offset) + length - 1) / kBlockSize;
    for (std::uint64_t number = first; number <= last; ++number) {
        Block block{}; // zeros past the end
        if (::pread(fd, block.data(), kBlockSize, static_cast<off_t>(number * kBlockSize)) < 0) {
            return;
        }
        const Key key{status.st_dev, status.st_ino, number};
        const base::Lock lock(mutex_);
        begin(period);
        if (blocks_.insert_or_assign(key, block).second) {
            order_.push_back(key);
        }
        if (order_.size() > kKept) {
            blocks_.erase(order_.front());
            order_.pop_front();
        }
    }
}

bool StaleBlocks::lay_over(std::uint64_t period, int fd, off_t offset, std::span<std::byte> bytes) {
    struct stat status{};
    if (bytes.empty() || ::fstat(fd, &status) != 0) {
        return false;
    }
    const auto start = static_cast<std::uint64_t>(offset);
    bool any = false;
    for (std::uint64_t at = start; at < start + bytes.size();) {
        const std::uint64_t number = at / kBlockSize;
        const std::uint64_t within = at % kBlockSize;
        const std::size_t length =
            std::min<std::size_t>(kBlockSize - within, start + bytes.size() - at);
        const base::Lock lock(mutex_);
        begin(period);
        const auto old = blocks_.find({status.st_dev, status.st_ino, number});
        if (old != blocks_.end()) {
            std::memcpy(bytes.data() + (at - start), old->second.data() + within, length);
            any = true;
        }
        at += length;
    }
    return any;
}

} // namespace partialfs::faults
