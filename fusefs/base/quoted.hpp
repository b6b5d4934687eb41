// A word that somebody has written, for a message about it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace partialfs::base {

/// The word in single quotes: at most so many bytes of it, and what is no printable ASCII but for
/// UTF-8's bytes as a question mark. Not called quoted: std::quoted would be found as well.
inline std::string in_quotes(std::string_view word) {
    constexpr std::size_t kMost = 80;
    std::string text(word.substr(0, kMost));
    std::ranges::replace_if(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, '?');
    return "'" + text + (word.size() > kMost ? "..." : "") + "'";
}

} // namespace partialfs::base
