// What the command lines of the tools share.
#pragma once

#include "fusefs/base/nearest_name.hpp"
#include "fusefs/base/units.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
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

/// The values that `--help` writes as words, and what each stands for.
template <typename Value>
using Choices = std::vector<std::pair<std::string, Value>>;

/// An option whose value is one of several words. Those of `also` are accepted, but --help does not
/// list them. The caller sets the default.
template <typename Value>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Value& to,
                        const Choices<Value>& choices, const std::string& help,
                        const Choices<Value>& also = {}) {
    std::string words;
    for (const auto& choice : choices) {
        words += (words.empty() ? "" : ", ") + choice.first;
    }
    Choices<Value> all = choices;
    all.insert(all.end(), also.begin(), also.end());
    return command
        .add_option_function<std::string>(
            name,
            [&to, name, words, all = std::move(all)](const std::string& text) {
                const auto found = std::ranges::find(all, text, &Choices<Value>::value_type::first);
                if (found == all.end()) {
                    throw CLI::ValidationError(name, "'" + text + "' is none of " + words);
                }
                to = found->second;
            },
            help + ": " + words)
        ->type_name("WORD");
}

/// `--format`, the first of `choices` by default; and --json for those who are used to it. `also`
/// are earlier names.
template <typename Format>
void add_format(CLI::App& command, Format& to, const Choices<Format>& choices, Format json,
                const Choices<Format>& also) {
    to = choices.front().second;
    add_choice(command, "--format", to, choices, "what is printed", also)
        ->default_str(choices.front().first);
    command.add_flag_function("--json", [&to, json](std::int64_t /*times*/) { to = json; })
        ->group("");
}

/// An option whose value is a size: "64KiB", "8MiB"; 64K and 8M mean the same. Anything else is a
/// usage error.
template <typename Take>
CLI::Option* add_size(CLI::App& command, const std::string& name, const Take& take,
                      const std::string& help) {
    return command
        .add_option_function<std::string>(
            name,
            [take, name](const std::string& text) {
                const auto size = base::parse_size(text);
                if (!size) {
                    throw CLI::ValidationError(
                        name, "'" + text + "' is not a size, such as 64KiB, 8MiB, 2GiB");
                }
                take(*size);
            },
            help)
        ->type_name("SIZE");
}

/// Adds a command whose --help ends with the units of its options' values and an example.
inline CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                             const std::string& example, const std::string& units = {}) {
    CLI::App* const command = app.add_subcommand(name, what);
    command->footer((units.empty() ? "" : units + "\n\n") + "Example: " + app.get_name() + " " +
                    name + (example.empty() ? "" : " ") + example);
    return command;
}
/// For add_command: the units of SIZE and TIME.
inline const std::string kSizeIs = "SIZE is a number of bytes, or a number and " +
                                   std::string(base::kSizeUnits) + " (K, M, G, T\nmean the same).";
inline const std::string kTimeIs =
    "TIME is a number and " + std::string(base::kDurationUnits) + ".";

/// The command that is named first on the command line, or nothing.
inline const CLI::App* command_of(const CLI::App& app, int argc, char** argv) {
    const std::string_view word = argc > 1 ? argv[1] : "";
    const auto commands =
        app.get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
    return commands.empty() ? nullptr : commands.front();
}

/// A message about the first option that `command` does not have, with the long option that was
/// probably meant; empty if it has all of them.
inline std::string meant_option(const CLI::App& command, int argc, char** argv) {
    std::vector<std::string> known;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            known.push_back("--" + name);
        }
    }
    const std::vector<std::string_view> names(known.begin(), known.end());
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const std::string_view option = word.substr(0, word.find('='));
        if (option.starts_with("--") && option.size() > 2 &&
            std::ranges::find(names, option) == names.end()) {
            const auto nearest = base::nearest_name(option, names);
            return nearest ? "no such option: '" + std::string(option) + "'; did you mean '" +
                                 std::string(*nearest) + "'?"
                           : "no such option: '" + std::string(option) + "'";
        }
    }
    return {};
}

/// What is wrong with a command line that `app` refused with `error`, and where to read on. A
/// command or an option that does not exist is named, with the one that was probably meant.
inline std::string what_is_wrong(const CLI::App& app, int argc, char** argv,
                                 const CLI::Error& error) {
    const std::string_view word = argc > 1 ? argv[1] : "";
    if (const CLI::App* command = command_of(app, argc, argv)) {
        std::string said;
        if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
            dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
            said = meant_option(*command, argc, argv);
        }
        return (said.empty() ? error.what() : said) + "; see " + app.get_name() + " " +
               command->get_name() + " --help";
    }
    const std::string see = "; see " + app.get_name() + " --help";
    if (word.empty() || word.starts_with('-')) {
        return error.what() + see;
    }
    std::vector<std::string> commands;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        commands.push_back(command->get_name());
    }
    const std::vector<std::string_view> names(commands.begin(), commands.end());
    const auto nearest = base::nearest_name(word, names);
    std::string said = "no such command: '" + std::string(word) + "'; ";
    if (nearest) {
        return said + "did you mean '" + std::string(*nearest) + "'?" + see;
    }
    for (std::size_t i = 0; i < commands.size(); ++i) {
        said += (i == 0 ? "there are " : ", ") + commands[i];
    }
    return said + see;
}

} // namespace partialfs::tools
