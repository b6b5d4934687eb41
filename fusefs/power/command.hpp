// The commands that are written to .partialfs/power, as values.
//
//     cut [tear=all|none|512|4096] [keep-order] [seed=N]     everything not on disk is gone
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

/// The moments that an armed cut counts.
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
    before, ///< the operation is not done
    after,  ///< the operation is done, but its success is not reported
};
inline constexpr std::array kWhens{
    base::EnumName{When::before, "before"},
    base::EnumName{When::after, "after"},
};
constexpr const auto& enum_names(When) {
    return kWhens;
}
using base::name_of;

/// Which changes of SOURCE that no sync has made durable survive a cut.
struct Tear {
    enum class Kind : std::uint8_t {
        all,     ///< all of them
        none,    ///< none of them
        sectors, ///< decided for each sector of each change, by the seed
    };
    Kind kind = Kind::all;
    std::uint32_t sector = 512; ///< bytes: 512 or 4096
    bool keep_order = false;    ///< a prefix of all sectors, in the order of writing, survives
    std::uint64_t seed = 0;

    bool operator==(const Tear&) const = default;
};

/// The moment of an armed cut.
struct Trigger {
    Moment at = Moment::op;
    std::uint64_t nth = 1;
    When when = When::before;
    std::string path{}; ///< fnmatch(3) pattern for the whole path in the mount, without a
                        ///< leading slash; empty: any

    bool operator==(const Trigger&) const = default;
};

struct Command {
    enum class Verb : std::uint8_t { cut, cut_and_on, on, disarm };
    Verb verb = Verb::cut;
    Tear tear{};
    std::optional<Trigger> at{}; ///< no value: at once

    bool operator==(const Command&) const = default;
};

/// Parses a command. An error is one line that says what is wrong.
std::expected<Command, std::string> parse_command(std::string_view text);

/// The command as text, as parse_command() reads it.
std::string to_text(const Command& command);

} // namespace partialfs::power
