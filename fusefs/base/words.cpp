#include "fusefs/base/words.hpp"

#include <utility>

namespace partialfs::base {

namespace {

constexpr std::string_view kBlanks = " \t\r";

} // namespace

std::expected<std::vector<std::string>, std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool quoted = false;
    bool inside = false; // a word has begun; it may still be empty, as in ""
    for (const char c : line) {
        if (c == '"') {
            quoted = !quoted;
            inside = true;
        } else if (quoted || kBlanks.find(c) == std::string_view::npos) {
            if (c == '#' && !quoted && !inside) {
                break;
            }
            inside = true;
            word += c;
        } else if (std::exchange(inside, false)) {
            words.push_back(std::exchange(word, {}));
        }
    }
    if (quoted) {
        return std::unexpected("a double quote is not closed");
    }
    if (inside) {
        words.push_back(std::move(word));
    }
    return words;
}

std::string word_for(std::string_view value) {
    return value.find_first_of(kBlanks) == std::string_view::npos && !value.empty()
               ? std::string(value)
               : '"' + std::string(value) + '"';
}

} // namespace partialfs::base
