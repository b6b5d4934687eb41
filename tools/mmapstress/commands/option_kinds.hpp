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

/// An option whose value is a time: "500ms", "30s"; 0, too, unless `take` refuses it. Anything else
/// is a usage error.
CLI::Option* add_time(CLI::App& command, const char* name,
                      const std::function<void(std::chrono::milliseconds)>& take, const char* help);

/// The shard that "3/8" names: the third of eight. Its seed is not set. Nothing for any other text.
std::optional<Shard> parse_shard(std::string_view text);

} // namespace mmapstress
