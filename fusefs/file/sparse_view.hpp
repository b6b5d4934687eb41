// Where a file has data and holes while part of its data is still buffered.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/file/backing_file.hpp"
#include "fusefs/file/write_buffer.hpp"
#include "fusefs/model/types.hpp"

#include <cstdint>

namespace partialfs::file {

/// lseek(2) with SEEK_DATA on the backing file `fd` with `buffers` laid over it: the first byte of
/// data at or after `from`, which lies below `size`. ENXIO if there is none.
base::Result<model::ByteOffset> seek_data(int fd, const WriteBuffer& buffers,
                                          model::ByteOffset from, model::ByteOffset size);
/// The same with SEEK_HOLE; the end of the file is a hole.
base::Result<model::ByteOffset> seek_hole(int fd, const WriteBuffer& buffers,
                                          model::ByteOffset from, model::ByteOffset size);

/// The bytes of disk space that `buffers` will take when they are flushed, in whole pages as with
/// delayed allocation. `backing_size` is the present size of the backing file. With more than 256
/// extents the result is an upper bound: all of the backing file counts as holes.
std::uint64_t space_to_come(const WriteBuffer& buffers, model::ByteOffset backing_size,
                            BackingFile& file);

} // namespace partialfs::file
