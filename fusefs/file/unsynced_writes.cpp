#include "fusefs/file/unsynced_writes.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace partialfs::file {

using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

void UnsyncedWrites::add(ByteRange range) {
    // Neighbours are joined; beyond this many, what lies between two is taken with them: writing it
    // again does no harm.
    constexpr std::size_t kMost = 65536;
    any_ = true;
    if (!ranges_.empty() && ranges_.back().end == range.begin) {
        ranges_.back().end = range.end;
    } else if (ranges_.size() < kMost) {
        ranges_.push_back(range);
    } else {
        ByteRange& last = ranges_.back();
        last = {std::min(last.begin, range.begin), std::max(last.end, range.end)};
    }
}

void UnsyncedWrites::sync_succeeded() {
    // What was written while the system call ran has put its range here as well.
    if (!any_) {
        ranges_.clear();
    }
}

void UnsyncedWrites::write_again(BackingFile& file, const std::vector<ByteRange>& ranges,
                                 ByteOffset size) {
    std::vector<std::byte> copy(std::size_t{256} * 1024);
    for (const ByteRange& range : ranges) {
        const ByteRange left = intersect(range, {ByteOffset{0}, size});
        for (ByteOffset at = left.begin; at < left.end;) {
            const std::span<std::byte> part =
                std::span(copy).first(std::min<std::size_t>(copy.size(), (left.end - at).value));
            const Result<std::size_t> got = file.read(at, part);
            if (!got || *got == 0) {
                break;
            }
            iovec iov{part.data(), *got};
            if (!file.write(at, {&iov, 1})) {
                break;
            }
            at = at + ByteCount{*got};
        }
    }
}

void UnsyncedWrites::clear() {
    any_ = false;
    ranges_.clear();
}

} // namespace partialfs::file
