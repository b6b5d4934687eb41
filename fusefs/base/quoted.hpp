// A word of the user's, quoted for a message about it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace partialfs::base {

/// The word in single quotes, cut off after kMost bytes, with control characters as question marks;
/// UTF-8 stays. Not named `quoted`, as overload resolution would find std::quoted too.
inline std::string in_quotes(std::string_view word) {
    constexpr std::size_t kMost = 80;
    std::string text(word.substr(0, kMost));
    std::ranges::replace_if(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, '?');
    return "'" + text + (word.size() > kMost ? "..." : "") + "'";
}

} // namespace partialfs::base
