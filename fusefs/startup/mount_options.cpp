#include "fusefs/startup/mount_options.hpp"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>

namespace partialfs::startup {
namespace {

using std::string_view_literals::operator""sv;

enum class Value : std::uint8_t { none, text, number };

struct Known {
    std::string_view name;
    Value value = Value::none;
    std::string_view opposite{}; ///< the option that it cancels
    unsigned long flag = 0;      ///< what mount(2) calls it
};

/// Passed on to libfuse, which passes the generic ones to mount(2) as flags.
constexpr std::array kPassedOn{
    Known{"allow_other"},
    Known{"allow_root"},
    Known{"auto_unmount"},
    Known{.name = "ro", .opposite = "rw", .flag = MS_RDONLY},
    Known{.name = "rw", .opposite = "ro"},
    Known{.name = "nosuid", .opposite = "suid", .flag = MS_NOSUID},
    Known{.name = "suid", .opposite = "nosuid"},
    Known{.name = "nodev", .opposite = "dev", .flag = MS_NODEV},
    Known{.name = "dev", .opposite = "nodev"},
    Known{.name = "noexec", .opposite = "exec", .flag = MS_NOEXEC},
    Known{.name = "exec", .opposite = "noexec"},
    Known{.name = "noatime", .opposite = "atime", .flag = MS_NOATIME},
    Known{.name = "atime", .opposite = "noatime"},
    Known{.name = "sync", .opposite = "async", .flag = MS_SYNCHRONOUS},
    Known{.name = "async", .opposite = "sync"},
    Known{.name = "dirsync", .flag = MS_DIRSYNC},
    Known{"fsname", Value::text},
    Known{"subtype", Value::text},
    Known{"max_read", Value::number},
    Known{"context", Value::text},
    Known{"fscontext", Value::text},
    Known{"defcontext", Value::text},
    Known{"rootcontext", Value::text},
};

/// Further options that the kernel, or for mount(8) /run/mount/utab, shows for an existing mount.
constexpr std::array kShown{"user_id"sv, "group_id"sv, "uhelper"sv};

/// Ignored: they are for mount(8) or the boot scripts; or they are always set
/// (default_permissions); or they concern access times, which SOURCE's filesystem keeps.
constexpr std::array kIgnored{
    "defaults"sv,      "default_permissions"sv,
    "auto"sv,          "noauto"sv,
    "nofail"sv,        "_netdev"sv,
    "user"sv,          "nouser"sv,
    "users"sv,         "owner"sv,
    "group"sv,         "relatime"sv,
    "norelatime"sv,    "diratime"sv,
    "nodiratime"sv,    "strictatime"sv,
    "nostrictatime"sv, "lazytime"sv,
    "nolazytime"sv,    "silent"sv,
    "loud"sv,          "mand"sv,
    "nomand"sv,        "iversion"sv,
    "noiversion"sv,    "acl"sv,
};

const Known* find_passed_on(std::string_view name) {
    const auto* const found = std::ranges::find(kPassedOn, name, &Known::name);
    return found == kPassedOn.end() ? nullptr : found;
}

std::string_view name_part(std::string_view option) {
    return option.substr(0, option.find('='));
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == ',' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result;
}

} // namespace

std::vector<std::string> split_mount_options(const std::string& list) {
    std::vector<std::string> options;
    std::string option;
    for (std::size_t i = 0; i <= list.size(); ++i) {
        if (i == list.size() || list[i] == ',') {
            if (!option.empty()) {
                options.push_back(std::move(option));
            }
            option.clear();
        } else {
            if (list[i] == '\\' && i + 1 < list.size()) {
                ++i;
            }
            option += list[i];
        }
    }
    return options;
}

MountOptions::Kind MountOptions::add(const std::string& option) {
    const std::string_view name = name_part(option);
    if (name.starts_with("x-") || name.starts_with("X-") || name == "comment" || name == "user") {
        return Kind::ignored;
    }
    const bool has_value = name.size() != option.size();
    if (std::ranges::find(kIgnored, name) != kIgnored.end()) {
        return has_value ? Kind::malformed : Kind::ignored;
    }
    if (remount_ && std::ranges::find(kShown, name) != kShown.end()) {
        return Kind::ignored;
    }
    const Known* const known = find_passed_on(name);
    if (known == nullptr) {
        return Kind::unknown;
    }
    const std::string_view value =
        has_value ? std::string_view(option).substr(name.size() + 1) : std::string_view{};
    if (has_value != (known->value != Value::none) || (has_value && value.empty()) ||
        (known->value == Value::number &&
         (value.size() > 9 ||
          !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })))) {
        return Kind::malformed;
    }
    std::erase_if(options_, [&](const std::string& other) {
        return name_part(other) == name || name_part(other) == known->opposite;
    });
    if (name == "ro" || name == "rw") {
        read_only_ = name == "ro";
    }
    has_fsname_ = has_fsname_ || name == "fsname";
    has_subtype_ = has_subtype_ || name == "subtype";
    options_.push_back(has_value ? std::string(name) + "=" + escaped(value) : std::string(name));
    return Kind::passed_on;
}

std::vector<std::string> MountOptions::for_libfuse(const std::filesystem::path& source) const {
    std::vector<std::string> options = options_;
    // atime is the default, and neither libfuse nor the kernel knows the word.
    std::erase(options, "atime");
    options.emplace_back("default_permissions");
    if (!has_subtype_) {
        options.emplace_back("subtype=partialfs");
    }
    if (!has_fsname_) {
        options.push_back("fsname=" + escaped(source.string()));
    }
    return options;
}

unsigned long MountOptions::flags() const {
    unsigned long flags = 0;
    for (const std::string& option : options_) {
        if (const Known* const known = find_passed_on(name_part(option))) {
            flags |= known->flag;
        }
    }
    return flags;
}

std::vector<std::string_view> MountOptions::names() {
    std::vector<std::string_view> names;
    std::ranges::transform(kPassedOn, std::back_inserter(names), &Known::name);
    names.insert(names.end(), kIgnored.begin(), kIgnored.end());
    names.insert(names.end(), {"nonempty", "remount", "x-*"});
    return names;
}

std::string MountOptions::known() {
    std::string line;
    for (const std::string_view name : names()) {
        line += line.empty() ? "" : ", ";
        line += name;
    }
    return line;
}

} // namespace partialfs::startup
