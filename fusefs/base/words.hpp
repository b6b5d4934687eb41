// Splits a line that a user writes (a rule of faults, a command of power cuts) into words.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::base {

/// The words of a line, or what is wrong with it. Words are separated by blanks, tabs and carriage
/// returns, except inside double quotes, which may enclose a part of a word. A '#' at the begin of
/// a word starts a comment.
std::expected<std::vector<std::string>, std::string> words_of(std::string_view line);

/// `value` as it must be written after KEY= for words_of(): in double quotes if necessary. It must
/// not contain a double quote; no word that words_of() returns does.
std::string word_for(std::string_view value);

} // namespace partialfs::base
