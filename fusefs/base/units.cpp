#include "fusefs/base/units.hpp"

#include <charconv>
#include <cstdint>
#include <utility>

namespace partialfs::base {
namespace {

/// The leading digits as a number, and the text after them. Nothing without digits, or from 2^64
/// on.
std::optional<std::pair<std::uint64_t, std::string_view>> split(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    return std::pair{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

} // namespace

std::optional<std::uint64_t> parse_whole_number(std::string_view text) {
    const auto parts = split(text);
    return parts && parts->second.empty() ? std::optional{parts->first} : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    constexpr std::uint64_t kTenYears = std::uint64_t{10} * 365 * 24 * 3600 * 1000;
    const auto parts = split(text);
    if (!parts) {
        return std::nullopt;
    }
    const auto [number, unit] = *parts;
    std::uint64_t factor = 0;
    if (unit == "ms") {
        factor = 1;
    } else if (unit == "s") {
        factor = 1000;
    } else if (unit == "min") {
        factor = 60'000;
    } else if (unit == "h") {
        factor = 3'600'000;
    } else if (!unit.empty() || number != 0) {
        return std::nullopt;
    }
    if (factor != 0 && number > kTenYears / factor) {
        return std::nullopt;
    }
    return std::chrono::milliseconds(number * factor);
}

std::optional<model::ByteCount> parse_size(std::string_view text) {
    const auto parts = split(text);
    if (!parts) {
        return std::nullopt;
    }
    auto [number, unit] = *parts;
    unsigned shift = 0;
    if (!unit.empty()) {
        const auto power = std::string_view{"KMGT"}.find(unit.front());
        const std::string_view rest = unit.substr(1);
        if (power == std::string_view::npos || !(rest.empty() || rest == "iB")) {
            return std::nullopt;
        }
        shift = static_cast<unsigned>(power + 1) * 10;
    }
    if (number > (UINT64_MAX >> 1U) >> shift) {
        return std::nullopt;
    }
    return model::ByteCount{number << shift};
}

} // namespace partialfs::base
