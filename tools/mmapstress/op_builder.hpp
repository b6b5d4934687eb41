// Puts a workload's operations together, with ids whose colours tell versions apart.
#pragma once

#include "tools/mmapstress/schedule.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace mmapstress {

/// Counts ids up, leaving some out, so that an operation's colour (pattern.hpp) differs from those
/// of the last four operations that wrote to the same places. Then a lost store differs from what
/// stands there instead in every byte. Remembers two bytes for each KiB written. Not thread-safe.
class IdPicker {
  public:
    /// The id of an operation that stores nothing.
    OpId next() { return ++last_; }
    /// The id of one that stores into `range`.
    OpId next(FileIndex file, ByteRange range);
    [[nodiscard]] OpId last() const { return last_; }

  private:
    static constexpr std::uint64_t kGrain = 1024;
    static constexpr std::uint64_t kStretch = 65536;
    /// The colours of the last four writers of a KiB, four bits each, the latest lowest.
    using Recent = std::array<std::uint16_t, kStretch / kGrain>;

    template <typename Visit>
    void visit(FileIndex file, ByteRange range, Visit visit);

    OpId last_;
    std::map<std::pair<FileIndex, std::uint64_t>, Recent> recent_;
};

/// Appends operations to a list. Not thread-safe.
class OpBuilder {
  public:
    /// Who does the operations that follow.
    void set_worker(WorkerIndex by) { by_ = by; }

    /// An operation of no file: commit, sync.
    void plain(std::vector<Op>& out, OpKind kind);
    /// One of a whole file: fsync, evict, msync of all...
    void whole(std::vector<Op>& out, OpKind kind, FileIndex file);
    /// One of a range that stores nothing.
    void range(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range);
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
