// One operation's line of a schedule's text.
#pragma once

#include "tools/schedule/op.hpp"
#include "tools/schedule/text_words.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace mmapstress::text {

/// The operation whose number is `first` and whose name and settings are `words`. Whether it may
/// come where it stands is OpChecker's to say. Pure; any thread.
std::expected<Op, std::string> parse_op(std::string_view first, Words words);

} // namespace mmapstress::text
