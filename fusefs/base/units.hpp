// Numbers with units, as a person writes them on a command line.
#pragma once

#include "fusefs/model/types.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace partialfs::base {

/// What help texts and messages call the units.
inline constexpr std::string_view kDurationUnits = "ms, s, min or h";
inline constexpr std::string_view kSizeUnits = "KiB, MiB, GiB or TiB";

/// Digits and nothing else; nothing for any other text or for 2^64 and more.
std::optional<std::uint64_t> parse_whole_number(std::string_view text);

/// A duration: digits and one of ms, s, min, h ("250ms", "5s", "2min", "1h"), or "0". Nothing for
/// any other text, for a number without a unit, or for more than ten years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A size: digits and optionally KiB, MiB, GiB or TiB, each also as "K" and so on, which are the
/// same powers of 1024 ("4096", "256MiB", "1G"). Nothing for any other text or for 2^63 and more.
std::optional<model::ByteCount> parse_size(std::string_view text);

} // namespace partialfs::base
