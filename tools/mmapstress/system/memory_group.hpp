// A memory control group of this process's own.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace mmapstress {

/// While it lives, the memory of this process and of those that it forks is limited, their part of
/// the page cache included. In version 2 the limit is memory.high: beyond it the processes are made
/// to wait, never killed. Version 1 has only a hard limit: there the OOM killer is switched off, so
/// that they wait; where waiting does not help (all memory is dirty, the filesystem is slow), a
/// keeper process outside of the group raises the limit step by step. In both versions the keeper
/// removes the group if this process is killed.
///
/// One at a time; not thread-safe; forks, so made before there are threads.
class MemoryGroup {
  public:
    /// Makes the group in the process's own group, or else in the nearest one above it where that
    /// is possible. The failure is that of the last attempt.
    static Outcome<MemoryGroup> join(ByteCount limit);

    MemoryGroup(MemoryGroup&& other) noexcept;
    MemoryGroup& operator=(MemoryGroup&&) = delete;
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;
    ~MemoryGroup() { leave(); }

    /// Moves all processes in it to the group where this one came from, and removes the group.
    void leave();

    /// The present limit: the keeper may have raised it.
    [[nodiscard]] ByteCount limit() const;

  private:
    MemoryGroup() = default;
    void watch(ByteCount limit);

    std::string directory_;  ///< empty: left, or moved from
    std::string limit_file_; ///< a file name in `directory_`
    std::string home_;       ///< the group to go back to
    partialfs::base::Fd
        alive_; ///< the keeper ends when it is written to, or when all processes have closed it
    pid_t keeper_ = 0;
};

namespace detail {

/// Where to look for this process's memory control groups.
struct GroupPlaces {
    std::vector<std::string> directories; ///< the process's own, then those above it
    bool version_1 = false;
};

/// From the text of /proc/self/cgroup. No directory if the text names no group that can limit
/// memory.
GroupPlaces group_places(const std::string& text);

} // namespace detail

} // namespace mmapstress
