#include "fusefs/file/disk_batch.hpp"

#include "fusefs/base/exceptions.hpp"

#include <sys/uio.h>

#include <cstddef>

namespace partialfs::file {

namespace {

const std::byte* end_of(const iovec& part) {
    return static_cast<const std::byte*>(part.iov_base) + part.iov_len;
}

/// Appends a piece to what one pwritev(2) writes, joined to the last part if it goes on in memory.
void append(std::vector<iovec>& parts, const Piece& piece) {
    auto* const data = const_cast<std::byte*>(piece.bytes.data());
    if (!parts.empty() && end_of(parts.back()) == data) {
        parts.back().iov_len += piece.bytes.size();
    } else {
        parts.push_back({data, piece.bytes.size()});
    }
}

} // namespace

int DiskBatch::write(FileParts& file) {
    const auto write_runs = [&]() NO_THREAD_SAFETY_ANALYSIS -> base::Result<void> { // as write()
        std::vector<iovec> parts;
        for (std::size_t first = 0; first < pieces_.size();) {
            parts.clear();
            std::size_t next = first;
            model::ByteOffset end = pieces_[first].at;
            for (; next < pieces_.size() && pieces_[next].at == end; ++next) {
                append(parts, pieces_[next]);
                end = end + model::ByteCount{pieces_[next].bytes.size()};
            }
            if (auto done = file.put_on_disk(pieces_[first].at, parts); !done) {
                return done;
            }
            bytes_ += (end - pieces_[first].at).value;
            first = next;
        }
        return {};
    };
    const base::Result<void> done = base::without_exceptions(write_runs);
    return done ? 0 : done.error().value;
}

} // namespace partialfs::file
