// Builds a workload's operations, with ids whose colours distinguish the versions of a place.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace mmapstress {

/// Counts ids up, but skips some, so that an operation has the colour (pattern.hpp) that has not
/// been used for the longest time on the same place. At least the last ten writers of a place have
/// other colours, unless the operation is so large that no such colour is left. So if a store is
/// lost, the bytes on disk differ from it in every byte. A place is 512 bytes, or 4096 in files
/// larger than 64 MiB; each takes eight bytes of memory. Not thread-safe.
class IdPicker {
  public:
    explicit IdPicker(const Header& header);

    /// The id of an operation that stores nothing.
    OpId next() { return ++last_; }
    /// The id of an operation that stores into `range`.
    OpId next(FileIndex file, ByteRange range);
    [[nodiscard]] OpId last() const { return last_; }

  private:
    static constexpr std::size_t kPlaces = 128;
    /// The colours of a place's last ten writers, each once, six bits each, the latest lowest.
    using Stretch = std::array<std::uint64_t, kPlaces>;

    template <typename Visit>
    void visit(FileIndex file, ByteRange range, Visit visit);

    OpId last_;
    std::vector<std::uint64_t> place_sizes_; ///< of each file, in bytes
    std::map<std::pair<FileIndex, std::uint64_t>, Stretch> stretches_;
};

/// Appends operations to a list. Not thread-safe.
class OpBuilder {
  public:
    explicit OpBuilder(const Header& header) : ids_(header) {}

    /// Sets the worker of the operations that follow.
    void set_worker(WorkerIndex by) { by_ = by; }

    /// An operation without a file: commit, sync.
    void plain(std::vector<Op>& out, OpKind kind);
    /// An operation on a whole file, or on a whole mapping: fsync, evict, msync of all...
    void whole(std::vector<Op>& out, OpKind kind, FileIndex file, MapIndex map = MapIndex{0});
    /// An operation on a range, which stores nothing.
    void range(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range,
               MapIndex map = MapIndex{0});
    /// A truncate.
    void resize(std::vector<Op>& out, FileIndex file, ByteCount size);
    /// A copy or a clone into the range; for a clone-file the range is as long as the source.
    void copy(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range, FileIndex source,
              ByteOffset from);
    /// An operation that stores the pattern into a range: store, write, fork-store. For an append,
    /// the range begins where the file ends.
    void content(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range,
                 MapIndex map = MapIndex{0});
    void pause(std::vector<Op>& out, std::uint64_t microseconds);
    /// The number of operations so far.
    [[nodiscard]] std::uint64_t count() const { return count_; }

  private:
    Op& add(std::vector<Op>& out, OpKind kind, OpId id);

    IdPicker ids_;
    WorkerIndex by_;
    std::uint64_t count_ = 0;
};

} // namespace mmapstress
