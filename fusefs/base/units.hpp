// Numbers with units, as a person writes them on a command line.
#pragma once

#include "fusefs/model/types.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace partialfs::base {

/// The units as help texts and messages list them.
inline constexpr std::string_view kDurationUnits = "ms, s, min or h";
inline constexpr std::string_view kSizeUnits = "KiB, MiB, GiB or TiB";

/// A number of digits only. No value for any other text, or from 2^64 on.
std::optional<std::uint64_t> parse_whole_number(std::string_view text);

/// A duration: digits and one of ms, s, min, h ("250ms", "5s", "2min", "1h"), or "0". No value for
/// any other text, for another number without a unit, or for more than ten years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A size: digits and optionally KiB, MiB, GiB or TiB, each also as "K" and so on, which are the
/// same powers of 1024 ("4096", "256MiB", "1G"). No value for any other text, or from 2^63 on.
std::optional<model::ByteCount> parse_size(std::string_view text);

} // namespace partialfs::base
