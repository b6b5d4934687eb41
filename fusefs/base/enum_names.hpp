// The names of an enumeration's values: one table, looked up in both directions.
//
// An enumeration gets names by a table in the order of its enumerators, and two lines beside it:
//
//     enum class Colour : std::uint8_t { red, green };
//     inline constexpr std::array kColours{base::EnumName{Colour::red, "red"}, ...};
//     constexpr const auto& enum_names(Colour) { return kColours; }
//     using base::name_of;
//
// A row may be of another type than EnumName, with more members than `value` and `name`.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace partialfs::base {

template <typename Enum>
struct EnumName {
    Enum value;
    std::string_view name;
};

/// An enumeration that has a table of names.
template <typename Enum>
concept NamedEnum = requires(Enum value) { enum_names(value).size(); };

/// The value's row in its table.
template <NamedEnum Enum>
constexpr const auto& row_of(Enum value) {
    constexpr const auto& rows = enum_names(Enum{});
    constexpr bool in_order = [] {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (rows[i].value != static_cast<Enum>(i)) {
                return false;
            }
        }
        return true;
    }();
    static_assert(in_order, "the enumerator is the index of its row");
    return rows[static_cast<std::size_t>(value)];
}

template <NamedEnum Enum>
constexpr std::string_view name_of(Enum value) {
    return row_of(value).name;
}

/// The value of that name; nothing for any other text.
template <NamedEnum Enum>
constexpr std::optional<Enum> from_name(std::string_view name) {
    for (const auto& row : enum_names(Enum{})) {
        if (row.name == name) {
            return row.value;
        }
    }
    return std::nullopt;
}

/// Every name, for messages: "trace, debug or info".
template <NamedEnum Enum>
std::string all_names() {
    const auto& rows = enum_names(Enum{});
    std::string names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const bool last = i + 1 == rows.size();
        names += i == 0 ? "" : last ? " or " : ", ";
        names += rows[i].name;
    }
    return names;
}

} // namespace partialfs::base
