#include "fusefs/startup/options.hpp"

#include "fusefs/base/nearest_name.hpp"
#include "fusefs/base/units.hpp"
#include "fusefs/startup/mount_options.hpp"
#include "fusefs/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <iterator>
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
            "what the VM promises before writepage: linux-2.6.19 (default; mapped stores get "
            "lost), linux-2.6.20 (the fix) or linux-6.12-blockdev (lost again, on block devices "
            "without buffer heads; implies --flush-policy writeback)",
            [](Options& options, const std::string& value) {
                options.contract = named<model::Contract>("--contract", value);
            }},
    Setting{
        "flush-policy", "NAME",
        "what a commit writes by itself: ext3 (default; as jbd did), eager (every dirty block) or "
        "writeback (no mapped page: nothing is lost)",
        [](Options& options, const std::string& value) {
            options.flush_policy = named<model::FlushPolicy>("--flush-policy", value);
            options.flush_policy_is_given = true;
        }},
    Setting{"after-write-error", "HOW",
            "what becomes of blocks that the disk refuses: keep (default; tried again), clean (as "
            "Linux 4.13 on: called clean and lost, each open file told once at fsync) or forget "
            "(as before that: the first fsync alone is told)",
            [](Options& options, const std::string& value) {
                options.after_write_error =
                    named<model::AfterWriteError>("--after-write-error", value);
            }},
    Setting{
        "block-size", "BYTES",
        "bytes of a block, the part of a page that is dirty or clean: 512, 1024 (default), 2048 or "
        "4096",
        [](Options& options, const std::string& value) {
            const auto bytes = base::parse_size(value);
            options.block_size =
                checked("--block-size", value,
                        bytes ? model::BlockSize::from_bytes(bytes->value) : std::nullopt,
                        "512, 1024, 2048 or 4096");
        }},
    Setting{"commit-interval", "TIME",
            "time between commits, a number of ms, s, min or h (default 5s; 0: no timer)",
            [](Options& options, const std::string& value) {
                options.commit_interval =
                    checked("--commit-interval", value, base::parse_duration(value),
                            "a time such as 250ms, 5s or 1min, or 0");
            }},
    Setting{
        "dirty-limit", "SIZE",
        "most bytes of write(2) that memory holds before they are on disk, a number of KiB, MiB, "
        "GiB or TiB (default 256MiB, at least 64KiB)",
        [](Options& options, const std::string& value) {
            options.dirty_limit = checked("--dirty-limit", value, base::parse_size(value),
                                          "a size such as 64MiB or 1GiB");
            if (options.dirty_limit.value < kLeastDirtyLimit) {
                bad_value("--dirty-limit", value, "at least 64KiB");
            }
        }},
    Setting{"probe", "HOW",
            "how pages stored into through a mapping are found: auto (default), cachestat (needs "
            "Linux 6.5) or compare (retrieves the cached pages; slower)",
            [](Options& options, const std::string& value) {
                options.probe = named<ProbeChoice>("--probe", value);
            }},
    Setting{"power-undo", "SIZE",
            "with --power: most bytes kept beside SOURCE of what unsynced changes have replaced "
            "there (default 256MiB); at more, all is synced",
            [](Options& options, const std::string& value) {
                options.power_undo = checked("--power-undo", value, base::parse_size(value),
                                             "a size such as 64MiB or 1GiB");
            }},
    Setting{"trace", "FILE", "write every event to FILE as JSON Lines",
            [](Options& options, const std::string& value) { options.trace = absolute(value); }},
    Setting{"faults", "FILE",
            "begin with the rules of faults in FILE, as if they were written to .partialfs/faults: "
            "what fails, or is slow, torn, skipped, wrong",
            [](Options& options, const std::string& value) { options.faults = absolute(value); }},
    Setting{"log-level", "LEVEL",
            "how much is logged: trace, debug, info (default), warning, error or off",
            [](Options& options, const std::string& value) {
                options.log_level = named<LogLevel>("--log-level", value);
                options.log_level_is_given = true;
            }},
    Setting{"log-file", "FILE",
            "log to FILE (default: to stderr in the foreground, to syslog in the background)",
            [](Options& options, const std::string& value) { options.log_file = absolute(value); }},
    Setting{"threads", "N",
            "most threads that serve requests, 1 to 1024 (default 10; 1 means two, as one request "
            "may wait "
            "for another)",
            [](Options& options, const std::string& value) {
                const auto number = base::parse_whole_number(value);
                options.threads = static_cast<unsigned>(
                    checked("--threads", value,
                            number && *number >= 1 && *number <= 1024 ? number : std::nullopt,
                            "a number from 1 to 1024"));
            }},
};

/// An option of ours that takes no value, when given to -o.
struct Flag {
    std::string_view name;
    void (*set)(Options&);
};
constexpr std::array kFlags{
    Flag{"foreground", [](Options& options) { options.foreground = true; }},
    Flag{"debug", [](Options& options) { options.debug = true; }},
    Flag{"nonempty", [](Options& options) { options.nonempty = true; }},
    Flag{"power", [](Options& options) { options.power = true; }},
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
            const std::string value = option.substr(equals + 1);
            setting.set(options, value);
            options.given.emplace_back(name, value);
            return true;
        }
    }
    const auto* const flag = std::ranges::find(kFlags, name, &Flag::name);
    if (has_value || flag == kFlags.end()) {
        return false;
    }
    flag->set(options);
    return true;
}

/// "; did you mean '--contract'?", or what else helps where no name is near.
std::string proposal(std::string_view mistyped, const std::vector<std::string_view>& names) {
    const auto nearest = base::nearest_name(mistyped, names);
    return nearest ? "; did you mean '" + std::string(*nearest) + "'?" : "; see partialfs --help";
}

[[noreturn]] void unknown_mount_option(const std::string& option) {
    std::vector<std::string> own;
    for (const Setting& setting : kSettings) {
        std::ranges::replace(own.emplace_back(setting.name), '-', '_');
    }
    std::vector<std::string_view> names(own.begin(), own.end());
    for (const Flag& flag : kFlags) {
        names.push_back(flag.name);
    }
    std::ranges::copy(MountOptions::names(), std::back_inserter(names));
    throw CLI::ValidationError("-o " + option + ": no such mount option" +
                               proposal(option.substr(0, option.find('=')), names));
}

void apply_mount_options(Options& options, const std::vector<std::string>& lists) {
    std::vector<std::string> all;
    for (const std::string& list : lists) {
        std::ranges::move(split_mount_options(list), std::back_inserter(all));
    }
    if (std::erase(all, "remount") != 0) {
        options.action = Action::remount;
    }
    MountOptions mount_options(options.action == Action::remount);
    for (const std::string& option : all) {
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
            unknown_mount_option(option);
        }
    }
    options.read_only = mount_options.read_only();
    options.fuse_options = mount_options.for_libfuse(options.source);
    options.remount_flags = mount_options.flags();
}

std::string epilogue() {
    return "A long option that takes a value may also be given as -o NAME=VALUE (contract=...,\n"
           "block_size=...), besides the usual mount options: " +
           MountOptions::known() +
           ".\n\n"
           "While mounted, MOUNTPOINT/.partialfs holds: status, ledger, trace, contract,\n"
           "flush-policy, after-write-error, faults, commit, evict; with --power also power, "
           "fired,\n"
           "unsynced.\n\n"
           "Example: run a program on a mount that commits every 50 ms, see what it lost, "
           "unmount:\n"
           "  mkdir disk mnt\n"
           "  partialfs disk mnt --commit-interval 50ms\n"
           "  my-program mnt/data\n"
           "  cat mnt/.partialfs/ledger\n"
           "  umount mnt && partialfs --wait disk\n\n"
           "See partialfs(8) for all of it.";
}

class HelpFormatter final : public CLI::Formatter {
  public:
    std::string make_usage(const CLI::App*, std::string) const override {
        return "Usage: partialfs SOURCE MOUNTPOINT [options]\n"
               "       partialfs --wait SOURCE\n"
               "       partialfs --unmount MOUNTPOINT\n";
    }
};

/// What CLI11 fills in, beside Options.
struct Words {
    std::string source;
    std::string mountpoint;
    std::string wait;
    std::string unmount;
    bool single_threaded = false;
    std::vector<std::string> mount_options;
};

void add_options(CLI::App& app, Options& options, Words& words) {
    app.add_option("SOURCE", words.source, "the directory underneath: the \"disk\"");
    app.add_option("MOUNTPOINT", words.mountpoint, "an empty directory");
    for (const Setting& setting : kSettings) {
        app.add_option_function<std::string>(
               "--" + std::string(setting.name),
               [&](const std::string& value) { setting.set(options, value); },
               std::string(setting.help))
            ->type_name(std::string(setting.value_name))
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    app.add_flag("--power", options.power,
                 "let .partialfs/power cut the power: what is not on disk is gone, as on a machine "
                 "whose power fails");
    app.add_flag("-f,--foreground", options.foreground, "stay in the foreground");
    app.add_flag("-s", words.single_threaded, "as few request threads as can be: --threads 1");
    app.add_flag("-d,--debug", options.debug,
                 "log every request and reply of the kernel's, at level debug; implies -f");
    app.add_option("-o", words.mount_options, "mount options, separated by commas")
        ->type_name("OPTION,...")
        ->expected(1)
        ->allow_extra_args(false) // what follows is SOURCE
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--wait", words.wait,
                   "mount nothing: return when the daemon of a mount of SOURCE that is being "
                   "unmounted has made its last commit; the exit status is that commit's errno")
        ->type_name("SOURCE");
    app.add_option("--unmount", words.unmount,
                   "mount nothing: unmount MOUNTPOINT, then as --wait for its SOURCE")
        ->type_name("MOUNTPOINT");
}

/// Refuses what is no option or one argument too many.
void refuse_extras(const CLI::App& app, const std::vector<std::string>& extras) {
    if (extras.empty()) {
        return;
    }
    const auto option =
        std::ranges::find_if(extras, [](const std::string& word) { return word.starts_with('-'); });
    if (option == extras.end()) {
        throw CLI::ValidationError("'" + extras.front() +
                                   "' is one argument too many: partialfs takes SOURCE and "
                                   "MOUNTPOINT; see partialfs --help");
    }
    std::vector<std::string> own;
    for (const CLI::Option* known : app.get_options()) {
        for (const std::string& name : known->get_lnames()) {
            own.push_back("--" + name);
        }
    }
    const std::string name = option->substr(0, option->find('='));
    throw CLI::ValidationError("no such option: '" + name + "'" +
                               proposal(name, {own.begin(), own.end()}));
}

void require(const std::string& word, std::string_view name) {
    if (word.empty()) {
        throw CLI::ValidationError(
            std::string(name) + " is missing: partialfs SOURCE MOUNTPOINT; see partialfs --help");
    }
}

/// What the words mean together. Throws CLI::ValidationError for what contradicts itself.
void interpret(Options& options, const Words& words) {
    const bool waits = !words.wait.empty();
    const bool unmounts = !words.unmount.empty();
    if (waits || unmounts) {
        if (waits == unmounts || !words.source.empty() || !words.mount_options.empty()) {
            throw CLI::ValidationError(std::string(waits ? "--wait" : "--unmount") +
                                       " stands alone with its directory; see partialfs --help");
        }
        options.action = waits ? Action::wait_for_source : Action::unmount;
        (waits ? options.source : options.mountpoint) =
            absolute(waits ? words.wait : words.unmount);
        return;
    }
    require(words.source, "SOURCE");
    require(words.mountpoint, "MOUNTPOINT");
    options.source = absolute(words.source);
    options.mountpoint = absolute(words.mountpoint);
    apply_mount_options(options, words.mount_options);
    if (!model::go_together(options.contract, options.flush_policy)) {
        if (options.flush_policy_is_given) {
            throw CLI::ValidationError(
                "--contract " + std::string(name_of(options.contract)) +
                " goes with --flush-policy writeback alone: a block device has no journal");
        }
        options.flush_policy = model::FlushPolicy::writeback;
    }
    if (words.single_threaded) {
        options.threads = 1;
    }
    if (options.debug) {
        if (options.log_level_is_given && options.log_level > LogLevel::debug) {
            throw CLI::ValidationError("--debug logs at level debug, which --log-level " +
                                       std::string(name_of(options.log_level)) +
                                       " leaves out: give one of the two");
        }
        options.foreground = true;
        options.log_level = std::min(options.log_level, LogLevel::debug);
    }
}

} // namespace

std::expected<Options, ExitRequest> parse_options(int argc, const char* const* argv) {
    Options options;
    Words words;
    CLI::App app{"Mounts the directory SOURCE at MOUNTPOINT as a filesystem that loses stores "
                 "through shared mappings as Linux 2.6.19 did, and keeps a ledger of them.",
                 "partialfs"};
    app.formatter(std::make_shared<HelpFormatter>());
    app.set_version_flag("-V,--version", std::string("partialfs ") + std::string(kVersion));
    app.footer(epilogue());
    app.allow_extras();
    add_options(app, options, words);
    try {
        app.parse(argc, argv);
        refuse_extras(app, app.remaining());
        interpret(options, words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            std::ostringstream text;
            app.exit(error, text, text);
            return std::unexpected(ExitRequest{0, text.str()});
        }
        return std::unexpected(ExitRequest{2, std::string("partialfs: ") + error.what()});
    }
    return options;
}

} // namespace partialfs::startup
