// The words of a line that somebody writes, as a rule of faults or a command of power cuts.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::base {

/// The words of a line up to its comment, which a '#' before a word begins. Blanks, tabs and
/// carriage returns are between them, but for those in double quotes, which a word may have parts
/// in; or what is wrong.
std::expected<std::vector<std::string>, std::string> words_of(std::string_view line);

/// A value, as it must be written behind KEY= so that words_of() reads it: in double quotes if need
/// be. It must not have double quotes in it, as no value that words_of() reads has.
std::string word_for(std::string_view value);

} // namespace partialfs::base
