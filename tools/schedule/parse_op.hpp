// One operation's line of a schedule's text.
#pragma once

#include "tools/schedule/op.hpp"
#include "tools/schedule/text_words.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace mmapstress::text {

/// The operation whose number is `first` and whose name and settings are `words`. OpChecker decides
/// whether it may come at its place in the schedule. Pure; any thread.
std::expected<Op, std::string> parse_op(std::string_view first, Words words);

} // namespace mmapstress::text
