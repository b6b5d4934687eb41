// Finds out whether two workers touch the same bytes.
#pragma once

#include "tools/schedule/op.hpp"

#include <map>
#include <utility>

namespace mmapstress {

/// The bytes that workers have touched since the last clear(). Not thread-safe.
class ConflictSet {
  public:
    /// Notes that `by` touches `range`. False, with nothing noted, if another worker has touched
    /// any of it before.
    bool add(FileIndex file, ByteRange range, WorkerIndex by);
    void clear() { ranges_.clear(); }

  private:
    struct Touched {
        ByteOffset end;
        WorkerIndex by;
    };
    /// By file and begin. Ranges of different workers never overlap.
    std::map<std::pair<FileIndex, ByteOffset>, Touched> ranges_;
};

} // namespace mmapstress
