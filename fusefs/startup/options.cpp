#include "fusefs/startup/options.hpp"

#include "fusefs/base/nearest_name.hpp"
#include "fusefs/startup/mount_options.hpp"
#include "fusefs/startup/settings.hpp"
#include "fusefs/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>

namespace partialfs::startup {
namespace {

void apply(const Setting& setting, Options& options, const std::string& value) {
    if (const auto set = setting.set(options, value); !set) {
        throw CLI::ValidationError(set.error());
    }
}

/// Applies one option of -o. False if it is not one of partialfs' own.
bool apply_own_option(Options& options, const std::string& option) {
    const auto equals = option.find('=');
    std::string name = option.substr(0, equals);
    std::ranges::replace(name, '_', '-');
    const bool has_value = equals != std::string::npos;
    for (const Setting& setting : settings()) {
        if (setting.name == name) {
            if (!has_value || equals + 1 == option.size()) {
                throw CLI::ValidationError("-o " + option + ": write " + std::string(setting.name) +
                                           "=" + std::string(setting.value_name));
            }
            const std::string value = option.substr(equals + 1);
            apply(setting, options, value);
            options.given.emplace_back(name, value);
            return true;
        }
    }
    const auto flag = std::ranges::find(flags(), name, &Flag::name);
    if (has_value || flag == flags().end()) {
        return false;
    }
    flag->set(options);
    return true;
}

/// "; did you mean '--contract'?", or a hint to --help if no name is near.
std::string proposal(std::string_view mistyped, const std::vector<std::string_view>& names) {
    const auto nearest = base::nearest_name(mistyped, names);
    return nearest ? "; did you mean '" + std::string(*nearest) + "'?" : "; see partialfs --help";
}

[[noreturn]] void unknown_mount_option(const std::string& option) {
    std::vector<std::string> own;
    for (const Setting& setting : settings()) {
        std::ranges::replace(own.emplace_back(setting.name), '-', '_');
    }
    std::vector<std::string_view> names(own.begin(), own.end());
    for (const Flag& flag : flags()) {
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
           "unmount.\n"
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

/// Values that CLI11 fills in, besides those in Options.
struct Words {
    std::string source;
    std::string mountpoint;
    std::string wait;
    std::string unmount;
    bool single_threaded = false;
    std::vector<std::string> mount_options;
};

void add_options(CLI::App& app, Options& options, Words& words) {
    app.add_option("SOURCE", words.source, "the directory that holds the files: the \"disk\"")
        ->type_name("");
    app.add_option("MOUNTPOINT", words.mountpoint, "an empty directory")->type_name("");
    for (const Setting& setting : settings()) {
        app.add_option_function<std::string>(
               "--" + std::string(setting.name),
               [&](const std::string& value) { apply(setting, options, value); },
               std::string(setting.help))
            ->type_name(std::string(setting.value_name))
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    app.add_flag("--power", options.power,
                 "allow power cuts by .partialfs/power: what is not on disk then is lost, as when "
                 "a machine's power fails");
    app.add_flag("-f,--foreground", options.foreground, "stay in the foreground");
    app.add_flag("-s", words.single_threaded, "the same as --threads 1");
    app.add_flag("-d,--debug", options.debug,
                 "log every request of the kernel and its reply, at level debug; implies -f");
    app.add_option("-o", words.mount_options, "mount options, separated by commas")
        ->type_name("OPTION,...")
        ->expected(1)
        ->allow_extra_args(false) // the next argument is SOURCE
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--wait", words.wait,
                   "mount nothing; after an unmount, wait until the daemon of SOURCE has made its "
                   "last commit; the exit status is that commit's errno")
        ->type_name("SOURCE");
    app.add_option("--unmount", words.unmount,
                   "mount nothing; unmount MOUNTPOINT, then do as --wait for its SOURCE")
        ->type_name("MOUNTPOINT");
}

/// Refuses an unknown option, or an argument too many.
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

/// Fills in `options` from the words. Throws CLI::ValidationError for contradictions.
void interpret(Options& options, const Words& words) {
    const bool waits = !words.wait.empty();
    const bool unmounts = !words.unmount.empty();
    if (waits || unmounts) {
        if (waits == unmounts || !words.source.empty() || !words.mount_options.empty()) {
            throw CLI::ValidationError(std::string(waits ? "--wait" : "--unmount") +
                                       " takes only its directory; see partialfs --help");
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
                " goes only with --flush-policy writeback: a block device has no journal");
        }
        options.flush_policy = model::FlushPolicy::writeback;
    }
    if (options.power_undo_is_given && !options.power) {
        throw CLI::ValidationError("--power-undo needs --power");
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
            std::string said = text.str();
            said.erase(said.find_last_not_of('\n') + 1); // the caller prints a newline
            return std::unexpected(ExitRequest{0, said});
        }
        return std::unexpected(ExitRequest{2, std::string("partialfs: ") + error.what()});
    }
    return options;
}

} // namespace partialfs::startup
