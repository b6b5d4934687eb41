// Memory pressure: less memory than the dirty data needs, so that background writeback and reclaim
// do the writing.
#pragma once

#include "tools/mmapstress/schedule/op.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace mmapstress {

/// While it lives, this process and those it forks have `limit` bytes of memory: by a memory
/// control group of their own (version 2 or 1) where one may be made, else by a ballast of
/// locked-in pages that leaves no more than that available in the system. One at a time; not
/// thread-safe.
class MemoryPressure {
  public:
    /// A limit of 0 applies no pressure. Fails if neither way works, or for a limit below 16 MiB.
    static Outcome<MemoryPressure> apply(ByteCount limit);

    MemoryPressure(MemoryPressure&& other) noexcept;
    MemoryPressure& operator=(MemoryPressure&&) = delete;
    MemoryPressure(const MemoryPressure&) = delete;
    MemoryPressure& operator=(const MemoryPressure&) = delete;
    ~MemoryPressure() { release(); }

    /// Takes the pressure off, of all processes in the group.
    void release();

    /// How it is done: "none", "control group", "ballast".
    [[nodiscard]] const char* how() const;

  private:
    MemoryPressure() = default;

    std::string group_;  ///< the control group's directory; empty: none
    std::string parent_; ///< the group to go back to
    std::byte* ballast_ = nullptr;
    std::size_t ballast_size_ = 0;
};

} // namespace mmapstress
