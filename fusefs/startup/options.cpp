#include "fusefs/startup/options.hpp"

#include "fusefs/base/units.hpp"
#include "fusefs/startup/mount_options.hpp"
#include "fusefs/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <string_view>

namespace partialfs::startup {
namespace {

/// The daemon leaves the directory that relative paths start from.
std::filesystem::path absolute(const std::filesystem::path& path) {
    return std::filesystem::absolute(path).lexically_normal();
}

/// A value that an option does not take.
[[noreturn]] void bad_value(std::string_view option, std::string_view value,
                            std::string_view expected) {
    std::ostringstream message;
    message << option << ": '" << value << "' is not " << expected;
    throw CLI::ValidationError(message.str());
}

template <typename Value>
Value checked(std::string_view option, const std::string& text, std::optional<Value> value,
              std::string_view expected) {
    if (!value) {
        bad_value(option, text, expected);
    }
    return *value;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

/// The value of an enumeration that `text` names.
template <base::NamedEnum Enum>
Enum named(std::string_view option, const std::string& text) {
    return checked(option, text, base::from_name<Enum>(text), base::all_names<Enum>());
}

/// Several writes of the least size that the kernel sends must fit.
constexpr std::uint64_t kLeastDirtyLimit = std::uint64_t{64} << 10U;

/// An option of ours that takes a value: its long name and what its value does.
struct Setting {
    std::string_view name;
    std::string_view value_name;
    std::string_view help;
    void (*set)(Options&, const std::string& value);
};

constexpr std::array kSettings{
    Setting{"contract", "NAME",
            "what the VM promises before writepage: linux-2.6.19 (default; mapped stores get lost) "
            "or linux-2.6.20 (the fix)",
            [](Options& options, const std::string& value) {
                options.contract = named<model::Contract>("--contract", value);
            }},
    Setting{"flush-policy", "NAME",
            "what a commit writes: eager (default; every dirty block) or ext3 (as jbd did)",
            [](Options& options, const std::string& value) {
                options.flush_policy = named<model::FlushPolicy>("--flush-policy", value);
            }},
    Setting{"block-size", "BYTES", "512, 1024 (default), 2048 or 4096",
            [](Options& options, const std::string& value) {
                const auto bytes = base::parse_size(value);
                options.block_size =
                    checked("--block-size", value,
                            bytes ? model::BlockSize::from_bytes(bytes->value) : std::nullopt,
                            "512, 1024, 2048 or 4096");
            }},
    Setting{"commit-interval", "TIME",
            "time between commits, with a unit: ms, s, min or h (default 5s; 0: no timer)",
            [](Options& options, const std::string& value) {
                options.commit_interval =
                    checked("--commit-interval", value, base::parse_duration(value),
                            "a time such as 250ms, 5s or 1min, or 0");
            }},
    Setting{"dirty-limit", "SIZE",
            "buffered dirty data above which writers wait for a flush (default 256M)",
            [](Options& options, const std::string& value) {
                options.dirty_limit = checked("--dirty-limit", value, base::parse_size(value),
                                              "a size such as 64M or 1G");
                if (options.dirty_limit.value < kLeastDirtyLimit) {
                    bad_value("--dirty-limit", value, "at least 64K");
                }
            }},
    Setting{"probe", "HOW",
            "how pages stored into through a mapping are found: auto (default), cachestat (needs "
            "Linux 6.5) or compare (retrieves the cached pages; slower)",
            [](Options& options, const std::string& value) {
                options.probe = named<ProbeChoice>("--probe", value);
            }},
    Setting{"trace", "FILE", "write every event to FILE as JSON Lines",
            [](Options& options, const std::string& value) { options.trace = absolute(value); }},
    Setting{"log-level", "LEVEL", "trace, debug, info (default), warning, error or off",
            [](Options& options, const std::string& value) {
                options.log_level = named<LogLevel>("--log-level", value);
            }},
    Setting{"log-file", "FILE",
            "log to FILE; otherwise to stderr in the foreground, to syslog in the background",
            [](Options& options, const std::string& value) { options.log_file = absolute(value); }},
    Setting{"threads", "N", "request threads at most (default 10; two are the least)",
            [](Options& options, const std::string& value) {
                const auto number = whole_number(value);
                options.threads = static_cast<unsigned>(
                    checked("--threads", value,
                            number && *number >= 1 && *number <= 1024 ? number : std::nullopt,
                            "a number from 1 to 1024"));
            }},
};

/// One option of -o. Whether it is one of ours.
bool apply_own_option(Options& options, const std::string& option) {
    const auto equals = option.find('=');
    std::string name = option.substr(0, equals);
    std::ranges::replace(name, '_', '-');
    const bool has_value = equals != std::string::npos;
    for (const Setting& setting : kSettings) {
        if (setting.name == name) {
            if (!has_value || equals + 1 == option.size()) {
                throw CLI::ValidationError("-o " + option + ": write " + std::string(setting.name) +
                                           "=" + std::string(setting.value_name));
            }
            setting.set(options, option.substr(equals + 1));
            return true;
        }
    }
    if (has_value) {
        return false;
    }
    if (name == "foreground") {
        return options.foreground = true;
    }
    if (name == "debug") {
        return options.debug = options.foreground = true;
    }
    if (name == "nonempty") {
        return options.nonempty = true;
    }
    return false;
}

void apply_mount_options(Options& options, const std::vector<std::string>& lists) {
    MountOptions mount_options;
    for (const std::string& list : lists) {
        for (const std::string& option : split_mount_options(list)) {
            if (apply_own_option(options, option)) {
                continue;
            }
            switch (mount_options.add(option)) {
            case MountOptions::Kind::ignored:
            case MountOptions::Kind::passed_on:
                break;
            case MountOptions::Kind::malformed:
                throw CLI::ValidationError("-o " + option + ": its value is missing or wrong");
            case MountOptions::Kind::unknown:
                throw CLI::ValidationError("-o " + option +
                                           ": no such mount option; see partialfs --help");
            }
        }
    }
    options.read_only = mount_options.read_only();
    options.fuse_options = mount_options.for_libfuse(options.source);
}

std::string epilogue() {
    return "Every long option may also be given as -o NAME=VALUE (contract=..., block_size=...),\n"
           "besides the usual mount options: " +
           MountOptions::known() +
           ".\n\n"
           "While mounted, MOUNTPOINT/.partialfs holds: status, ledger, trace, contract,\n"
           "flush-policy, commit, evict. See partialfs(8).";
}

class HelpFormatter final : public CLI::Formatter {
  public:
    std::string make_usage(const CLI::App*, std::string) const override {
        return "Usage: partialfs SOURCE MOUNTPOINT [options]\n";
    }
};

} // namespace

std::expected<Options, ExitRequest> parse_options(int argc, const char* const* argv) {
    Options options;
    CLI::App app{"Mounts the directory SOURCE at MOUNTPOINT as a filesystem that loses stores "
                 "through shared mappings as Linux 2.6.19 did, and keeps a ledger of them.",
                 "partialfs"};
    app.formatter(std::make_shared<HelpFormatter>());
    app.set_version_flag("-V,--version", std::string("partialfs ") + std::string(kVersion));
    app.footer(epilogue());
    std::string source;
    std::string mountpoint;
    app.add_option("SOURCE", source, "the directory underneath: the \"disk\"")->required();
    app.add_option("MOUNTPOINT", mountpoint, "an empty directory")->required();
    for (const Setting& setting : kSettings) {
        app.add_option_function<std::string>(
               "--" + std::string(setting.name),
               [&](const std::string& value) { setting.set(options, value); },
               std::string(setting.help))
            ->type_name(std::string(setting.value_name))
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    app.add_flag("-f,--foreground", options.foreground, "stay in the foreground");
    bool single_threaded = false;
    app.add_flag("-s", single_threaded, "as few request threads as can be: --threads 1");
    app.add_flag("-d,--debug", options.debug, "print every request; implies -f");
    std::vector<std::string> mount_option_lists;
    app.add_option("-o", mount_option_lists, "mount options, separated by commas")
        ->type_name("OPTION,...")
        ->expected(1)
        ->allow_extra_args(false) // what follows is SOURCE
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    try {
        app.parse(argc, argv);
        options.source = absolute(source);
        options.mountpoint = absolute(mountpoint);
        apply_mount_options(options, mount_option_lists);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            std::ostringstream text;
            app.exit(error, text, text);
            return std::unexpected(ExitRequest{0, text.str()});
        }
        return std::unexpected(ExitRequest{
            2, std::string("partialfs: ") + error.what() +
                   (error.get_name() == "RequiredError" ? "; see partialfs --help" : "")});
    }
    if (single_threaded) {
        options.threads = 1;
    }
    options.foreground = options.foreground || options.debug;
    return options;
}

} // namespace partialfs::startup
