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
    // A range that follows the last one is joined to it. Beyond this many ranges, any new one is,
    // with the bytes between them: writing those again does no harm.
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
    // If any_ is set, bytes were written during the system call, and their ranges must stay.
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
