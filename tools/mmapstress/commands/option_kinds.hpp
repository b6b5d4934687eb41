// Options of kinds that CLI11 does not know: times and shards. Words and sizes:
// tools/command_line.hpp.
#pragma once

#include "tools/mmapstress/result/shard.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

namespace mmapstress {

/// As "500ms", "30s"; 0 where `take` does not refuse it. What is no time is wrong usage.
CLI::Option* add_time(CLI::App& command, const char* name,
                      const std::function<void(std::chrono::milliseconds)>& take, const char* help);

/// Of "3/8": the third of eight; the seed is not in it. Nothing for any other text.
std::optional<Shard> parse_shard(std::string_view text);

} // namespace mmapstress
