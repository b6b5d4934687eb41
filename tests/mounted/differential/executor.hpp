// Carries operations out on both sides and compares what they answer.
#pragma once

#include "tests/mounted/differential/world.hpp"

namespace partialfs::differential {

/// Does one operation on both sides. Throws Difference when the mount's answer, or what can be
/// seen of the file afterwards, is not what the plain directory's is. An operation that is not
/// possible at all (no such handle, a store past the end) does nothing.
void execute(World& world, const Operation& operation);

/// The groups that execute() chooses from.
void execute_on_handle(World& world, const Operation& operation);
void execute_on_mapping(World& world, const Operation& operation);
void execute_on_name(World& world, const Operation& operation);

/// The times of day that `utimens` and `futimens` set, by row; the modification time is set by all
/// rows but for the one that leaves it.
struct TimesToSet {
    std::array<timespec, 2> times{};
    [[nodiscard]] bool sets_modified() const { return times[1].tv_nsec != UTIME_OMIT; }
    [[nodiscard]] bool sets_access_exactly() const {
        return times[0].tv_nsec != UTIME_OMIT && times[0].tv_nsec != UTIME_NOW;
    }
};
[[nodiscard]] TimesToSet times_to_set(unsigned value);

/// Compares a file's bytes through descriptors of both sides; all of them up to the end.
void compare_contents(World& world, std::string_view what, const Both<int>& fds);
/// Compares what SEEK_DATA and SEEK_HOLE, and st_blocks, say of a file: every byte that is not zero
/// must lie in data.
void compare_data_found(World& world, std::string_view what, const Handle& handle);

} // namespace partialfs::differential
