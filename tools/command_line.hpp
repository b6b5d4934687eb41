// What the command lines of the tools share.
#pragma once

#include "fusefs/base/nearest_name.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace partialfs::tools {

/// A whole number from `least` to `most`, digits only: strtoull would take "-1" for the largest.
/// Unlike CLI::Range it shows its bounds only when they are violated.
inline CLI::Validator whole_number(std::uint64_t least, std::uint64_t most = UINT64_MAX) {
    return {[least, most](const std::string& text) -> std::string {
                std::uint64_t value = 0;
                const auto [end, error] =
                    std::from_chars(text.data(), text.data() + text.size(), value);
                const bool good = error == std::errc{} && end == text.data() + text.size() &&
                                  value >= least && value <= most;
                return good ? std::string{}
                            : "'" + text + "' is not a whole number from " + std::to_string(least) +
                                  " to " + std::to_string(most);
            },
            ""};
}
inline const CLI::Validator kWholeNumber = whole_number(0);

/// What is wrong with a command line that `app` refused with `error`. A command that does not exist
/// is named, with the one that was probably meant.
inline std::string what_is_wrong(const CLI::App& app, int argc, char** argv,
                                 const CLI::Error& error) {
    const std::string_view word = argc > 1 ? argv[1] : "";
    if (word.empty() || word.starts_with('-')) {
        return error.what();
    }
    std::vector<std::string> commands;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        commands.push_back(command->get_name());
    }
    const std::vector<std::string_view> names(commands.begin(), commands.end());
    if (std::ranges::find(names, word) != names.end()) {
        return error.what();
    }
    const auto nearest = base::nearest_name(word, names);
    std::string said = "no such command: '" + std::string(word) + "'; ";
    if (nearest) {
        return said + "did you mean '" + std::string(*nearest) + "'?";
    }
    for (std::size_t i = 0; i < commands.size(); ++i) {
        said += (i == 0 ? "there are " : ", ") + commands[i];
    }
    return said;
}

} // namespace partialfs::tools
