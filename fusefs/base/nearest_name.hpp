// What somebody who mistyped a name probably meant.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace partialfs::base {

/// The one of `names` that takes the fewest changes (a letter put in, left out, replaced, or two
/// neighbours swapped) to make of `text`; nothing if even that one takes more than a third of its
/// letters, so that nobody is sent to something quite different. Of several the first. Pure.
std::optional<std::string_view> nearest_name(std::string_view text,
                                             std::span<const std::string_view> names);

} // namespace partialfs::base
