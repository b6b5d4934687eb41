// The options of ours, one by one: what each is called, takes and does. Long options and those of
// -o alike.
#pragma once

#include "fusefs/startup/options.hpp"

#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace partialfs::startup {

/// An option of ours that takes a value: its long name and what its value does.
struct Setting {
    std::string_view name;
    std::string_view value_name;
    std::string_view help;
    /// A message for the user for a value that it does not take.
    std::expected<void, std::string> (*set)(Options&, const std::string& value);
};

[[nodiscard]] std::span<const Setting> settings();

/// An option of ours that takes no value, when given to -o.
struct Flag {
    std::string_view name;
    void (*set)(Options&);
};
[[nodiscard]] std::span<const Flag> flags();

/// The path from the root: the daemon leaves the directory that relative paths start from.
std::filesystem::path absolute(const std::filesystem::path& path);

} // namespace partialfs::startup
