#include "fusefs/file/disk_batch.hpp"

#include "fusefs/base/exceptions.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>

namespace partialfs::file {

namespace {

const std::byte* end_of(const iovec& part) {
    return static_cast<const std::byte*>(part.iov_base) + part.iov_len;
}

/// Appends a piece to the parts of one pwritev(2); joined to the last part if it follows that in
/// memory.
void append(std::vector<iovec>& parts, const Piece& piece) {
    auto* const data = const_cast<std::byte*>(piece.bytes.data());
    if (!parts.empty() && end_of(parts.back()) == data) {
        parts.back().iov_len += piece.bytes.size();
    } else {
        parts.push_back({data, piece.bytes.size()});
    }
}

} // namespace

base::Result<void> DiskBatch::write_run(FileParts& file, std::size_t first, std::size_t last) {
    std::vector<iovec> parts;
    for (std::size_t i = first; i < last; ++i) {
        append(parts, pieces_[i]);
    }
    const model::ByteOffset begin = pieces_[first].at;
    const model::ByteOffset end =
        pieces_[last - 1].at + model::ByteCount{pieces_[last - 1].bytes.size()};
    base::Result<void> done = file.put_on_disk(begin, parts);
    if (done) {
        bytes_ += (end - begin).value;
        return done;
    }
    const int error = done.error().value;
    if (!model::tries_again(file.after_write_error(), error)) {
        lost_.push_back({begin, end});
        for (std::size_t i = first; i < last && !file.nameless; ++i) {
            file.losses.refused_for_good(pieces_[i].at, pieces_[i].bytes, error);
        }
    }
    return done;
}

int DiskBatch::write(FileParts& file) {
    int first_error = 0;
    const auto write_runs = [&]() NO_THREAD_SAFETY_ANALYSIS -> base::Result<void> { // as write()
        for (std::size_t first = 0; first < pieces_.size();) {
            std::size_t next = first;
            model::ByteOffset end = pieces_[first].at;
            for (; next < pieces_.size() && pieces_[next].at == end; ++next) {
                end = end + model::ByteCount{pieces_[next].bytes.size()};
            }
            const base::Result<void> done = write_run(file, first, next);
            if (!done && (lost_.empty() || lost_.back().end != end)) {
                return done;
            }
            first_error = first_error != 0 || done ? first_error : done.error().value;
            first = next;
        }
        return {};
    };
    const base::Result<void> done = base::without_exceptions(write_runs);
    unfinished_ = !done;
    return done ? first_error : done.error().value;
}

bool DiskBatch::lost_any_of(model::PageIndex page) const {
    return std::ranges::any_of(lost_, [&](const model::ByteRange& range) {
        return !intersect(range, range_of(page)).empty();
    });
}

} // namespace partialfs::file
