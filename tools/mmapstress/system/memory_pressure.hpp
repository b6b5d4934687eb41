// Memory pressure: less memory than the dirty data needs, so that background writeback and reclaim
// do the writing.
#pragma once

#include "tools/mmapstress/system/failure.hpp"
#include "tools/mmapstress/system/memory_group.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mmapstress {

/// While it lives, this process and those it forks have `limit` bytes of memory, in the first of
/// these ways that is possible:
/// - a memory control group of their own;
/// - a ballast: allocated memory that leaves only `limit` available in the system, if 1 GiB of
///   ballast is enough: filling a large machine would harm all its users;
/// - by hand: the workers ask the kernel again and again to write and reclaim the files' pages
///   (ask_to_leave() in page_cache.hpp), before more than the limit can be dirty. On FUSE they do
///   so in a control group, too: pages that a daemon passes on by splice are charged to the daemon,
///   and the group alone would leave whole files in memory.
///
/// One at a time; not thread-safe; made before there are threads.
class MemoryPressure {
  public:
    /// A limit of 0 applies no pressure. Fails if no way works, or for a limit below 16 MiB.
    /// `filesystem`: the type of the files', as in /proc/self/mountinfo.
    /// `any_group`, `most_ballast`: for tests, which ways may be used.
    static Outcome<MemoryPressure> apply(ByteCount limit, std::string_view filesystem,
                                         bool any_group = true,
                                         ByteCount most_ballast = ByteCount{1U << 30U});

    MemoryPressure(MemoryPressure&& other) noexcept;
    MemoryPressure& operator=(MemoryPressure&&) = delete;
    MemoryPressure(const MemoryPressure&) = delete;
    MemoryPressure& operator=(const MemoryPressure&) = delete;
    ~MemoryPressure() { release(); }

    /// Ends the pressure, for all processes in the group.
    void release();

    /// By hand: after all workers together have stored into so many bytes of pages, call
    /// ask_to_leave(). 0: that is not needed.
    [[nodiscard]] ByteCount by_hand() const;

    /// For the result, before it is released: "64 MiB by a control group". Empty without pressure.
    [[nodiscard]] std::string how() const;

  private:
    MemoryPressure() = default;
    ByteCount limit_{0};
    bool by_hand_ = false;
    std::string no_group_; ///< why there is none
    std::optional<MemoryGroup> group_;
    std::byte* ballast_ = nullptr;
    std::size_t ballast_size_ = 0;
};

} // namespace mmapstress
