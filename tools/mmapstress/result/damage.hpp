// A damaged range: bytes that are not as they should be, and what is known about them.
#pragma once

#include "tools/schedule/golden.hpp"
#include "tools/schedule/op.hpp"
#include "tools/schedule/schedule.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace mmapstress {

/// The ways in which the bytes are read for comparison, in their order.
enum class Stage : std::uint8_t {
    during,  ///< a check operation in the middle of the schedule
    live,    ///< through the mapping, before the end
    pread,   ///< pread() before the end, from the page cache
    evicted, ///< pread() after the file has left the page cache
    direct,  ///< O_DIRECT
    disk,    ///< the file behind the filesystem
};
inline constexpr std::array kStageNames{
    EnumName{Stage::during, "during"}, EnumName{Stage::live, "live"},
    EnumName{Stage::pread, "pread"},   EnumName{Stage::evicted, "evicted"},
    EnumName{Stage::direct, "direct"}, EnumName{Stage::disk, "disk"}};
constexpr const auto& enum_names(Stage) {
    return kStageNames;
}
inline constexpr std::size_t kStages = kStageNames.size();

/// What is there instead of the expected bytes.
enum class DamageKind : std::uint8_t {
    stale,      ///< bytes that an earlier operation, `origin`, stored at the same place
    zeros,      ///< zeros
    misplaced,  ///< bytes that an operation stored elsewhere: `origin`, `origin_file`,
                ///< `origin_offset`
    foreign,    ///< bytes that come from no operation
    unclear,    ///< no version of their place, and too few to see whether they belong elsewhere
    missing,    ///< the file is too short, or gone
    unreadable, ///< reading them fails although the file's sync had returned
    past_eof,   ///< what `origin` stored past the end of the file, before it grew
};
inline constexpr std::array kDamageKinds{
    EnumName{DamageKind::stale, "stale"},           EnumName{DamageKind::zeros, "zeros"},
    EnumName{DamageKind::misplaced, "misplaced"},   EnumName{DamageKind::foreign, "foreign"},
    EnumName{DamageKind::unclear, "unclear"},       EnumName{DamageKind::missing, "missing"},
    EnumName{DamageKind::unreadable, "unreadable"}, EnumName{DamageKind::past_eof, "past-eof"}};
constexpr const auto& enum_names(DamageKind) {
    return kDamageKinds;
}

/// Adjacent wrong bytes inside one page, last written by one operation, and wrong in one way.
struct DamagedRange {
    FileIndex file;
    ByteRange range;
    std::uint8_t stages = 0; ///< bit i: seen in stage i
    DamageKind kind = DamageKind::foreign;
    /// The operation whose bytes, or whose zeros (a truncate's, a punch's), should be there; 0 is
    /// the file's start.
    OpId lost;
    /// Of stale, misplaced and past-eof bytes: the operation that stored them; 0 is the start.
    OpId origin;
    FileIndex origin_file;    ///< of misplaced bytes
    ByteOffset origin_offset; ///< of misplaced bytes: where they belong
    /// The operations that wrote, truncated or punched any of these bytes, in order: the last
    /// kOpsKept of them.
    std::vector<OpId> ops;

    static constexpr std::size_t kOpsKept = 32;

    bool operator==(const DamagedRange&) const = default;
    [[nodiscard]] bool in(Stage stage) const {
        return ((stages >> static_cast<unsigned>(stage)) & 1U) != 0;
    }
};

/// Bytes that were stored past the end of the file, in its last page, and appeared when the file
/// grew. mmap(2) leaves open whether they appear.
struct PastEof {
    FileIndex file;
    ByteRange range;
    OpId stored_by;

    bool operator==(const PastEof&) const = default;
};

/// The largest power of two, up to a page, of which both ends of the range are multiples.
std::uint64_t alignment_of(ByteRange range);

/// The wrong bytes of one stage as the fewest ranges, ordered: adjacent ones joined.
std::vector<DamagedBytes> wrong_bytes(const std::vector<DamagedRange>& damage, Stage stage);

} // namespace mmapstress
