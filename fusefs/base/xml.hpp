// Text as it may stand in an XML document.
#pragma once

#include <string>
#include <string_view>

namespace partialfs::base {

/// `text` for an element or a quoted attribute: the four special characters as entities, control
/// characters as question marks, except line breaks and tabs, which XML 1.0 allows. Pure.
inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        switch (letter) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += (letter >= 0 && letter < ' ' && letter != '\n' && letter != '\t') ? '?' : letter;
        }
    }
    return out;
}

} // namespace partialfs::base
