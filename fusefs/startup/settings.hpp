// partialfs' own options: the name, value and effect of each, both as a long option and in -o.
#pragma once

#include "fusefs/startup/options.hpp"

#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace partialfs::startup {

/// An option that takes a value: its long name, and the effect of its value.
struct Setting {
    std::string_view name;
    std::string_view value_name;
    std::string_view help;
    /// Sets the value, or returns a message for the user if the option does not accept it.
    std::expected<void, std::string> (*set)(Options&, const std::string& value);
};

[[nodiscard]] std::span<const Setting> settings();

/// An option that takes no value, as given to -o.
struct Flag {
    std::string_view name;
    void (*set)(Options&);
};
[[nodiscard]] std::span<const Flag> flags();

/// An absolute path: the daemon leaves the directory from which relative paths start.
std::filesystem::path absolute(const std::filesystem::path& path);

} // namespace partialfs::startup
