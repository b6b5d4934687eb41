// Colours of text on a terminal.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

namespace partialfs::base {

/// Escape sequences that begin and end a colour; all empty where no colours are wanted.
struct Colours {
    std::string_view bad;      ///< red: DAMAGED, lost
    std::string_view good;     ///< green: clean
    std::string_view doubtful; ///< yellow: could not tell
    std::string_view strong;   ///< bold
    std::string_view end;

    [[nodiscard]] static std::string paint(std::string_view colour, std::string_view text,
                                           std::string_view end) {
        return std::string(colour).append(text).append(end);
    }
    [[nodiscard]] std::string as_bad(std::string_view text) const { return paint(bad, text, end); }
    [[nodiscard]] std::string as_good(std::string_view text) const {
        return paint(good, text, end);
    }
    [[nodiscard]] std::string as_doubtful(std::string_view text) const {
        return paint(doubtful, text, end);
    }
    [[nodiscard]] std::string as_strong(std::string_view text) const {
        return paint(strong, text, end);
    }
};

inline constexpr Colours kAnsiColours{"\033[1;31m", "\033[1;32m", "\033[1;33m", "\033[1m",
                                      "\033[0m"};

/// The colours to use. None if the output is no terminal, if the environment has a NO_COLOR that is
/// not empty (no-color.org), or if TERM=dumb.
inline Colours colours_for(bool terminal) {
    const char* const none = std::getenv("NO_COLOR");
    const char* const name = std::getenv("TERM");
    const bool plain =
        (none != nullptr && *none != '\0') || (name != nullptr && std::string_view(name) == "dumb");
    return plain || !terminal ? Colours{} : kAnsiColours;
}

} // namespace partialfs::base
