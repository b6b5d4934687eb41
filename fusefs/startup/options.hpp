// What the user asked for on the command line, in -o, or in a line of /etc/fstab.
#pragma once

#include "fusefs/base/enum_names.hpp"
#include "fusefs/model/contract.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/model/write_error.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace partialfs::startup {

/// From the chattiest to none at all.
enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, off };
inline constexpr std::array kLogLevels{
    base::EnumName{LogLevel::trace, "trace"}, base::EnumName{LogLevel::debug, "debug"},
    base::EnumName{LogLevel::info, "info"},   base::EnumName{LogLevel::warning, "warning"},
    base::EnumName{LogLevel::error, "error"}, base::EnumName{LogLevel::off, "off"},
};
constexpr const auto& enum_names(LogLevel) {
    return kLogLevels;
}

/// How pages stored into through a mapping are found.
enum class ProbeChoice : std::uint8_t {
    automatic, ///< by cachestat(2) where the kernel has it
    cachestat,
    compare, ///< by retrieving the cached pages and comparing, as on kernels before 6.5
};
inline constexpr std::array kProbeChoices{
    base::EnumName{ProbeChoice::automatic, "auto"},
    base::EnumName{ProbeChoice::cachestat, "cachestat"},
    base::EnumName{ProbeChoice::compare, "compare"},
};
constexpr const auto& enum_names(ProbeChoice) {
    return kProbeChoices;
}
using base::name_of;

/// What the command line asks for.
enum class Action : std::uint8_t {
    mount,
    remount,         ///< -o remount: other flags for the mount that is there, at `mountpoint`
    unmount,         ///< --unmount: of `mountpoint`, and the daemon's last commit
    wait_for_source, ///< --wait: the last commit of the daemon on `source`
};

struct Options {
    Action action = Action::mount;
    std::filesystem::path source;
    std::filesystem::path mountpoint;

    model::Contract contract = model::Contract::linux_2_6_19;
    model::FlushPolicy flush_policy = model::FlushPolicy::ext3;
    model::AfterWriteError after_write_error = model::AfterWriteError::keep;
    model::BlockSize block_size = *model::BlockSize::from_bytes(1024);
    /// Zero: no timer.
    std::chrono::milliseconds commit_interval{5000};
    /// Buffered dirty data above this makes writers flush and wait.
    model::ByteCount dirty_limit{std::uint64_t{256} << 20U};
    ProbeChoice probe = ProbeChoice::automatic;
    /// The power of the emulated machine can be cut.
    bool power = false;
    /// Bytes kept of what stood on disk before changes that are not synced; of use with `power`.
    model::ByteCount power_undo{std::uint64_t{256} << 20U};
    std::optional<std::filesystem::path> trace;
    /// A file of rules of faults that are in force from the start.
    std::optional<std::filesystem::path> faults;

    LogLevel log_level = LogLevel::info;
    bool log_level_is_given = false;
    bool flush_policy_is_given = false;
    bool power_undo_is_given = false;
    std::optional<std::filesystem::path> log_file;

    /// Request threads at most.
    unsigned threads = 10;
    bool foreground = false;
    /// libfuse prints every request and reply. Implies `foreground`.
    bool debug = false;
    /// The mount point may hold files, which the mount hides.
    bool nonempty = false;
    bool read_only = false;
    /// What is left for libfuse's -o: allow_other, nosuid, max_read=N, fsname=NAME and so on.
    /// fsname, subtype and default_permissions are always there.
    std::vector<std::string> fuse_options;
    unsigned long remount_flags = 0; ///< for mount(2), of -o remount
    /// The settings among the -o options, by their long names, with their values.
    std::vector<std::pair<std::string, std::string>> given;
};

/// Why there are no Options: what to print, where, and the exit code.
struct ExitRequest {
    int code = 0; ///< 0: the user asked for --help or --version. 2: the command line is wrong.
    std::string text;
};

/// Understands a command line (`argv[0]` is the program's name).
/// On failure `text` is one line that names the option and what to do.
std::expected<Options, ExitRequest> parse_options(int argc, const char* const* argv);

} // namespace partialfs::startup
