// Numbers with units, as a person writes them on a command line.
#pragma once

#include "fusefs/model/types.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace partialfs::base {

/// A duration: digits and one of ms, s, min, h ("250ms", "5s", "2min", "1h"), or "0". Nothing for
/// any other text, for a number without a unit, or for more than ten years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A size: digits and optionally K, M, G or T, powers of 1024, each also as "KiB" and so on
/// ("4096", "256M", "1GiB"). Nothing for any other text or for 2^63 and more.
std::optional<model::ByteCount> parse_size(std::string_view text);

} // namespace partialfs::base
