// Operations that a run leaves out.
#pragma once

#include "tools/schedule/leaving_out.hpp"
#include "tools/schedule/schedule.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// Operations of the schedule or the workload that were not carried out.
struct LeftOut {
    std::string operation; ///< a kind's name, or kSizeChanges
    std::string reason;    ///< in words: an errno, or for example the option that excludes it

    /// In the place of a kind's name: whatever changes a file's size.
    static constexpr std::string_view kSizeChanges = "size-changes";

    bool operator==(const LeftOut&) const = default;
};

/// The same as a set of operations to leave out of a schedule.
LeaveOut all_of(const std::vector<LeftOut>& left_out);

/// Operations that the user may leave out, because they are known to meet faults of kernels.
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
