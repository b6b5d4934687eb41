// Operations that a run does without.
#pragma once

#include "tools/schedule/leaving_out.hpp"
#include "tools/schedule/schedule.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// Operations that were not carried out, though the schedule, or the workload, has them.
struct LeftOut {
    std::string operation; ///< a kind's name, or kSizeChanges
    std::string reason;    ///< the errno in words, or who did not want it

    /// In the place of a kind's name: whatever changes a file's size.
    static constexpr std::string_view kSizeChanges = "size-changes";

    bool operator==(const LeftOut&) const = default;
};

/// What of a schedule these are.
LeaveOut all_of(const std::vector<LeftOut>& left_out);

/// Operations that one may do without, for the faults of kernels that they are known to meet.
enum class OpGroup : std::uint8_t {
    gup,      ///< stores that the kernel makes into a mapping
    grow,     ///< whatever changes a file's size
    past_eof, ///< stores past the end of a file
    punch,    ///< zeroing by fallocate
};
inline constexpr std::array kOpGroups{
    EnumName{OpGroup::gup, "gup"}, EnumName{OpGroup::grow, "grow"},
    EnumName{OpGroup::past_eof, "past-eof"}, EnumName{OpGroup::punch, "punch"}};
constexpr const auto& enum_names(OpGroup) {
    return kOpGroups;
}

/// The operations of a group, each with this reason.
std::vector<LeftOut> all_in(OpGroup group, const std::string& reason);

/// Appends those of `more` that are not there yet.
void add_left_out(std::vector<LeftOut>& all, const std::vector<LeftOut>& more);

} // namespace mmapstress
