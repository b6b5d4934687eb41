// The name that somebody probably meant who mistyped it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace partialfs::base {

/// The one of `names` that `text` becomes by the fewest changes (a letter added, removed or
/// replaced, or two neighbours swapped), the first of several. Nothing if it takes more changes
/// than a third of the name's letters: the suggestion would mislead. Pure.
std::optional<std::string_view> nearest_name(std::string_view text,
                                             std::span<const std::string_view> names);

} // namespace partialfs::base
