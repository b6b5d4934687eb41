// What is written to .partialfs/power, as values.
//
//     cut [tear=all|none|512|4096] [keep-order] [seed=N]     all that is not on disk is gone
//     cut-and-on ...                                         the same, and the power is on again
//     cut at=MOMENT:N [when=before|after] [path=GLOB] ...    the same, at the Nth MOMENT from now
//     on                                                     the power is on again
//     disarm                                                 nothing is armed any more
//
// One line; a value with blanks is put in double quotes, as in the rules of faults.
//
// Pure; any thread.
#pragma once

#include "fusefs/base/enum_names.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace partialfs::power {

/// What an armed cut counts.
enum class Moment : std::uint8_t {
    commit,    ///< of the journal
    fsync,     ///< fsync(2) and fdatasync(2) of a file
    writepage, ///< the kernel's writeback of pages, one request
    rename,    ///< of any object
    op,        ///< any request of a program, or of the kernel's writeback
};
inline constexpr std::array kMoments{
    base::EnumName{Moment::commit, "commit"},
    base::EnumName{Moment::fsync, "fsync"},
    base::EnumName{Moment::writepage, "writepage"},
    base::EnumName{Moment::rename, "rename"},
    base::EnumName{Moment::op, "op"},
};
constexpr const auto& enum_names(Moment) {
    return kMoments;
}

enum class When : std::uint8_t {
    before, ///< it is not done any more
    after,  ///< it is done, and nobody is told
};
inline constexpr std::array kWhens{
    base::EnumName{When::before, "before"},
    base::EnumName{When::after, "after"},
};
constexpr const auto& enum_names(When) {
    return kWhens;
}
using base::name_of;

/// What becomes of changes that SOURCE has got and that no sync has made durable.
struct Tear {
    enum class Kind : std::uint8_t {
        all,     ///< all of them survive
        none,    ///< none does
        sectors, ///< each sector of each change by itself, as the seed says
    };
    Kind kind = Kind::all;
    std::uint32_t sector = 512; ///< bytes: 512 or 4096
    bool keep_order = false;    ///< what survives is a prefix of all sectors, in their order
    std::uint64_t seed = 0;

    bool operator==(const Tear&) const = default;
};

/// An armed moment.
struct Trigger {
    Moment at = Moment::op;
    std::uint64_t nth = 1;
    When when = When::before;
    std::string path{}; ///< fnmatch(3) pattern for the whole path in the mount, without a
                        ///< slash before it; empty: any

    bool operator==(const Trigger&) const = default;
};

struct Command {
    enum class Verb : std::uint8_t { cut, cut_and_on, on, disarm };
    Verb verb = Verb::cut;
    Tear tear{};
    std::optional<Trigger> at{}; ///< nothing: at once

    bool operator==(const Command&) const = default;
};

/// The command in `text`, or in one line what is wrong with it.
std::expected<Command, std::string> parse_command(std::string_view text);

/// The command as one would write it.
std::string to_text(const Command& command);

} // namespace partialfs::power
