#include "fusefs/startup/settings.hpp"

#include "fusefs/base/try.hpp"
#include "fusefs/base/units.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <sstream>

namespace partialfs::startup {
namespace {

using Set = std::expected<void, std::string>;

/// The message for a value that an option does not accept.
std::unexpected<std::string> bad_value(std::string_view option, std::string_view value,
                                       std::string_view expected) {
    std::ostringstream message;
    message << option << ": '" << value << "' is not " << expected;
    return std::unexpected(message.str());
}

template <typename Value>
std::expected<Value, std::string> checked(std::string_view option, const std::string& text,
                                          std::optional<Value> value, std::string_view expected) {
    if (!value) {
        return bad_value(option, text, expected);
    }
    return *value;
}

/// The value of an enumeration whose name is `text`.
template <base::NamedEnum Enum>
std::expected<Enum, std::string> named(std::string_view option, const std::string& text) {
    return checked(option, text, base::from_name<Enum>(text), base::all_names<Enum>());
}

/// Several of the smallest writes that the kernel sends must fit.
constexpr std::uint64_t kLeastDirtyLimit = std::uint64_t{64} << 10U;

constexpr std::array kSettings{
    Setting{"contract", "NAME",
            "what the VM promises before writepage: linux-2.6.19 (default; mapped stores get "
            "lost), linux-2.6.20 (the fix) or linux-6.12-blockdev (lost again, on block devices "
            "without buffer heads; implies --flush-policy writeback)",
            [](Options& options, const std::string& value) -> Set {
                options.contract = TRY(named<model::Contract>("--contract", value));
                return {};
            }},
    Setting{
        "flush-policy", "NAME",
        "what a commit writes by itself: ext3 (default; as jbd did), eager (every dirty block) or "
        "writeback (no mapped page: nothing is lost)",
        [](Options& options, const std::string& value) -> Set {
            options.flush_policy = TRY(named<model::FlushPolicy>("--flush-policy", value));
            options.flush_policy_is_given = true;
            return {};
        }},
    Setting{"after-write-error", "HOW",
            "what happens to blocks after a write error: keep (default; they stay dirty and are "
            "tried again), clean (as Linux 4.13 and later: they are lost, and fsync reports the "
            "error once to each open file) or forget (as before 4.13: only the first fsync reports "
            "it)",
            [](Options& options, const std::string& value) -> Set {
                options.after_write_error =
                    TRY(named<model::AfterWriteError>("--after-write-error", value));
                return {};
            }},
    Setting{
        "block-size", "BYTES",
        "bytes of a block, the part of a page that is dirty or clean: 512, 1024 (default), 2048 or "
        "4096",
        [](Options& options, const std::string& value) -> Set {
            const auto bytes = base::parse_size(value);
            options.block_size =
                TRY(checked("--block-size", value,
                            bytes ? model::BlockSize::from_bytes(bytes->value) : std::nullopt,
                            "512, 1024, 2048 or 4096"));
            return {};
        }},
    Setting{"commit-interval", "TIME",
            "time between commits, a number and ms, s, min or h (default 5s; 0: no timer)",
            [](Options& options, const std::string& value) -> Set {
                options.commit_interval =
                    TRY(checked("--commit-interval", value, base::parse_duration(value),
                                "a time such as 250ms, 5s or 1min, or 0"));
                return {};
            }},
    Setting{"dirty-limit", "SIZE",
            "how much written data may wait in memory, a number and KiB, MiB, GiB or TiB (default "
            "256MiB, at least 64KiB)",
            [](Options& options, const std::string& value) -> Set {
                options.dirty_limit = TRY(checked("--dirty-limit", value, base::parse_size(value),
                                                  "a size such as 64MiB or 1GiB"));
                if (options.dirty_limit.value < kLeastDirtyLimit) {
                    return bad_value("--dirty-limit", value, "at least 64KiB");
                }
                return {};
            }},
    Setting{"probe", "HOW",
            "how pages that were stored into through a mapping are found: auto (default), "
            "cachestat (needs "
            "Linux 6.5) or compare (retrieves the cached pages; slower)",
            [](Options& options, const std::string& value) -> Set {
                options.probe = TRY(named<ProbeChoice>("--probe", value));
                return {};
            }},
    Setting{"power-undo", "SIZE",
            "with --power: how much of what unsynced changes overwrote is kept (default 256MiB); "
            "when it is full, all files are synced",
            [](Options& options, const std::string& value) -> Set {
                options.power_undo = TRY(checked("--power-undo", value, base::parse_size(value),
                                                 "a size such as 64MiB or 1GiB"));
                options.power_undo_is_given = true;
                return {};
            }},
    Setting{"trace", "FILE", "write every event to FILE as JSON Lines",
            [](Options& options, const std::string& value) -> Set {
                options.trace = absolute(value);
                return {};
            }},
    Setting{"faults", "FILE",
            "start with the fault rules in FILE, as if they were written to .partialfs/faults",
            [](Options& options, const std::string& value) -> Set {
                options.faults = absolute(value);
                return {};
            }},
    Setting{"log-level", "LEVEL",
            "how much is logged: trace, debug, info (default), warning, error or off",
            [](Options& options, const std::string& value) -> Set {
                options.log_level = TRY(named<LogLevel>("--log-level", value));
                options.log_level_is_given = true;
                return {};
            }},
    Setting{"log-file", "FILE",
            "log to FILE (default: to stderr in the foreground, to syslog in the background)",
            [](Options& options, const std::string& value) -> Set {
                options.log_file = absolute(value);
                return {};
            }},
    Setting{"threads", "N",
            "how many threads may serve requests, 1 to 1024 (default 10; 1 means two, as one "
            "request may wait for another)",
            [](Options& options, const std::string& value) -> Set {
                const auto number = base::parse_whole_number(value);
                options.threads = static_cast<unsigned>(
                    TRY(checked("--threads", value,
                                number && *number >= 1 && *number <= 1024 ? number : std::nullopt,
                                "a number from 1 to 1024")));
                return {};
            }},
};

constexpr std::array kFlags{
    Flag{"foreground", [](Options& options) { options.foreground = true; }},
    Flag{"debug", [](Options& options) { options.debug = true; }},
    Flag{"nonempty", [](Options& options) { options.nonempty = true; }},
    Flag{"power", [](Options& options) { options.power = true; }},
};

} // namespace

std::span<const Setting> settings() {
    return kSettings;
}

std::span<const Flag> flags() {
    return kFlags;
}

std::filesystem::path absolute(const std::filesystem::path& path) {
    return std::filesystem::absolute(path).lexically_normal();
}

} // namespace partialfs::startup
