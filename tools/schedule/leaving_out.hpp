// A source without some of its operations: those that nobody asked for, or that the kernel or the
// filesystem lacks.
#pragma once

#include "tools/schedule/op_source.hpp"

#include <string>
#include <vector>

namespace mmapstress {

/// What is left out of a schedule.
struct LeaveOut {
    /// With past-eof-store also other stores that end past the end of their file.
    OpSet kinds;
    /// Whatever changes a file's size, or sets it.
    bool size_changes = false;

    bool operator==(const LeaveOut&) const = default;
    [[nodiscard]] bool nothing() const { return kinds.none() && !size_changes; }
};

/// `factory`'s operations without those of `what`, and without those that cannot be carried out
/// any more without them: a store, say, behind the end of a file that has not grown. Ids stay as
/// they are.
OpSourceFactory leaving_out(OpSourceFactory factory, const LeaveOut& what);

/// The kinds that a schedule has.
OpSet kinds_in(const Schedule& schedule);

} // namespace mmapstress
