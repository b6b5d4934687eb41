// A memory control group of this process's own.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace mmapstress {

/// While it lives, this process and those it forks have so much memory, what they have in the page
/// cache included. In version 2 the limit is memory.high: beyond it they are made to wait, never
/// killed. Version 1 has only a hard limit: there the kernel is told not to kill but to let them
/// wait, and where waiting does not help (all of it dirty, the filesystem slow), a process outside
/// of the group raises the limit step by step. It also removes the group if this process is killed.
///
/// One at a time; not thread-safe; forks, so made before there are threads.
class MemoryGroup {
  public:
    /// In the process's own group, else in the next above it where one may be made. The failure is
    /// that of the last attempt.
    static Outcome<MemoryGroup> join(ByteCount limit);

    MemoryGroup(MemoryGroup&& other) noexcept;
    MemoryGroup& operator=(MemoryGroup&&) = delete;
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;
    ~MemoryGroup() { leave(); }

    /// All processes in it go back to where this one came from, and the group is removed.
    void leave();

    /// The limit, as it is by now.
    [[nodiscard]] ByteCount limit() const;

  private:
    MemoryGroup() = default;
    void watch(ByteCount limit);

    std::string directory_;  ///< empty: left, or moved from
    std::string limit_file_; ///< name in it
    std::string home_;       ///< the group to go back to
    partialfs::base::Fd
        alive_; ///< what is written to it, or that all have closed it, ends the keeper
    pid_t keeper_ = 0;
};

namespace detail {

/// Where to look for this process's groups: `mount` is that of the memory controller.
struct GroupPlaces {
    std::vector<std::string> directories; ///< the process's own, then those above it
    bool version_1 = false;
};

/// From the text of /proc/self/cgroup. No directory if it names no group that can limit memory.
GroupPlaces group_places(const std::string& text);

} // namespace detail

} // namespace mmapstress
