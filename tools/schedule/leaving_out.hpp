// A source without some of its operations: those that the user does not want, or that the kernel or
// the filesystem lacks.
#pragma once

#include "tools/schedule/op_source.hpp"

#include <string>
#include <vector>

namespace mmapstress {

/// What is left out of a schedule.
struct LeaveOut {
    /// past-eof-store stands for other stores that end past the end of their file, too.
    OpSet kinds;
    /// Operations that change a file's size, or set it.
    bool size_changes = false;

    bool operator==(const LeaveOut&) const = default;
    [[nodiscard]] bool nothing() const { return kinds.none() && !size_changes; }
};

/// The operations of `factory` without those of `what`, and without those that depend on them: for
/// example, a store past the end of a file that has not grown. Ids stay the same.
OpSourceFactory leaving_out(OpSourceFactory factory, const LeaveOut& what);

/// The kinds that a schedule has.
OpSet kinds_in(const Schedule& schedule);

} // namespace mmapstress
