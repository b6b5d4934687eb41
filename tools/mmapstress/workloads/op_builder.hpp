// Puts a workload's operations together, with ids whose colours tell versions apart.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace mmapstress {

/// Counts ids up, leaving some out, so that an operation's colour (pattern.hpp) is one that has not
/// been used on the same place for as long as possible: at least the last ten writers of a place
/// have other colours, unless the operation is so large that there is none left. Then whatever
/// stands in the place of a lost store differs from it in every byte. Remembers eight bytes for
/// each place of 512 bytes, of 4096 in files larger than 64 MiB. Not thread-safe.
class IdPicker {
  public:
    explicit IdPicker(const Header& header);

    /// The id of an operation that stores nothing.
    OpId next() { return ++last_; }
    /// The id of one that stores into `range`.
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

    /// Who does the operations that follow.
    void set_worker(WorkerIndex by) { by_ = by; }

    /// An operation of no file: commit, sync.
    void plain(std::vector<Op>& out, OpKind kind);
    /// One of a whole file, or of a whole mapping: fsync, evict, msync of all...
    void whole(std::vector<Op>& out, OpKind kind, FileIndex file, MapIndex map = MapIndex{0});
    /// One of a range that stores nothing.
    void range(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range,
               MapIndex map = MapIndex{0});
    /// A truncate.
    void resize(std::vector<Op>& out, FileIndex file, ByteCount size);
    /// A copy or a clone into the range; of a clone-file the range is all of the source.
    void copy(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range, FileIndex source,
              ByteOffset from);
    /// One that stores the pattern into a range: store, write, fork-store. Of an append the range
    /// is where the file ends.
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
