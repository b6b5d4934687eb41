// Carries operations out on both sides and compares the results.
#pragma once

#include "tests/mounted/differential/world.hpp"

namespace partialfs::differential {

/// Carries one operation out on both sides. Throws Difference if the mount's answer, or the state
/// of the file afterwards, differs from the plain directory's. An operation that is impossible (no
/// such handle, a store past the end) does nothing.
void execute(World& world, const Operation& operation);

/// The groups of operations that execute() dispatches to.
void execute_on_handle(World& world, const Operation& operation);
void execute_on_mapping(World& world, const Operation& operation);
void execute_on_name(World& world, const Operation& operation);

/// The times that `utimens` and `futimens` set, by row. All rows set the modification time, except
/// the one that leaves it.
struct TimesToSet {
    std::array<timespec, 2> times{};
    [[nodiscard]] bool sets_modified() const { return times[1].tv_nsec != UTIME_OMIT; }
    [[nodiscard]] bool sets_access_exactly() const {
        return times[0].tv_nsec != UTIME_OMIT && times[0].tv_nsec != UTIME_NOW;
    }
};
[[nodiscard]] TimesToSet times_to_set(unsigned value);

/// Compares a file's bytes through descriptors of both sides, up to the end of the file.
void compare_contents(World& world, std::string_view what, const Both<int>& fds);
/// Checks SEEK_DATA, SEEK_HOLE and st_blocks of a file: every byte that is not zero must lie in
/// data.
void compare_data_found(World& world, std::string_view what, const Handle& handle);

} // namespace partialfs::differential
