#include "tools/mmapstress/commands/option_kinds.hpp"

#include "fusefs/base/units.hpp"

#include <cstdint>

namespace mmapstress {

namespace {

/// No campaign has more machines.
constexpr std::uint64_t kMostShards = 1'000'000;

} // namespace

CLI::Option* add_time(CLI::App& command, const char* name,
                      const std::function<void(std::chrono::milliseconds)>& take,
                      const char* help) {
    return command
        .add_option_function<std::string>(
            name,
            [take, name](const std::string& text) {
                const auto time = partialfs::base::parse_duration(text);
                if (!time) {
                    throw CLI::ValidationError(
                        name, "'" + text + "' is not a time, such as 500ms, 30s, 5min");
                }
                take(*time);
            },
            help)
        ->type_name("TIME");
}

std::optional<Shard> parse_shard(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto number = partialfs::base::parse_whole_number(text.substr(0, slash));
    const auto of = slash == text.npos
                        ? std::nullopt
                        : partialfs::base::parse_whole_number(text.substr(slash + 1));
    if (!number || !of || *number == 0 || *number > *of || *of > kMostShards) {
        return std::nullopt;
    }
    return Shard{static_cast<std::uint32_t>(*number), static_cast<std::uint32_t>(*of)};
}

} // namespace mmapstress
