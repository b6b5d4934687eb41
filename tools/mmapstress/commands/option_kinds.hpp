// Options of kinds that CLI11 does not know: words, sizes, times, shards.
#pragma once

#include "tools/mmapstress/result/shard.hpp"
#include "tools/schedule/op.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mmapstress {

/// An option that is one of several words.
template <typename Value>
CLI::Option* add_choice(CLI::App& command, const char* name, Value& to,
                        std::vector<std::pair<std::string, Value>> choices, const char* help) {
    std::string words;
    for (const auto& choice : choices) {
        words += (words.empty() ? "" : ", ") + choice.first;
    }
    return command
        .add_option_function<std::string>(
            name,
            [&to, name, words, choices = std::move(choices)](const std::string& text) {
                for (const auto& [word, value] : choices) {
                    if (word == text) {
                        to = value;
                        return;
                    }
                }
                throw CLI::ValidationError(name, "'" + text + "' is none of " + words);
            },
            std::string(help) + ": " + words)
        ->type_name("WORD");
}

/// As "64K", "8M". What is no size is wrong usage.
CLI::Option* add_size(CLI::App& command, const char* name, std::optional<ByteCount>& to,
                      const char* help);

/// As "500ms", "30s"; 0 where `take` does not refuse it. What is no time is wrong usage.
CLI::Option* add_time(CLI::App& command, const char* name,
                      const std::function<void(std::chrono::milliseconds)>& take, const char* help);

/// Of "3/8": the third of eight; the seed is not in it. Nothing for any other text.
std::optional<Shard> parse_shard(std::string_view text);

} // namespace mmapstress
