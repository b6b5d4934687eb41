// Reads SOURCE without the layers between the daemon and it, one piece at a time.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/base/errno.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace partialfs::power {

/// The most bytes that are held in memory at a time.
inline constexpr model::ByteCount kPiece{std::size_t{1} << 20U};

/// The plain system calls, without faults or cuts. Thread-safe.
backing::FileIo& system_calls();

/// Fills `target` from the file, with zeros beyond its end. The errno of pread(2).
base::Result<void> read_zero_filled(int fd, model::ByteOffset offset, std::span<std::byte> target);

inline model::ByteOffset size_of(const struct stat& status) {
    return model::offset_of(status.st_size);
}

/// Calls `visit(part)` for the parts of `range` of at most kPiece bytes, until it returns an errno.
/// Returns that errno, or 0.
template <typename Visit>
int for_each_piece(model::ByteRange range, Visit visit) {
    for (model::ByteOffset at = range.begin; at < range.end;) {
        const model::ByteRange part{at, std::min(range.end, at + kPiece)};
        if (const int error = visit(part); error != 0) {
            return error;
        }
        at = part.end;
    }
    return 0;
}

} // namespace partialfs::power
