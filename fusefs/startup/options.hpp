// The user's options, from the command line, -o, or a line of /etc/fstab.
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

/// From the most verbose to none.
enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, off };
inline constexpr std::array kLogLevels{
    base::EnumName{LogLevel::trace, "trace"}, base::EnumName{LogLevel::debug, "debug"},
    base::EnumName{LogLevel::info, "info"},   base::EnumName{LogLevel::warning, "warning"},
    base::EnumName{LogLevel::error, "error"}, base::EnumName{LogLevel::off, "off"},
};
constexpr const auto& enum_names(LogLevel) {
    return kLogLevels;
}

/// How mapped stores are found.
enum class ProbeChoice : std::uint8_t {
    automatic, ///< by cachestat(2) where the kernel has it
    cachestat,
    compare, ///< by retrieving and comparing the cached pages, as on kernels before 6.5
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

/// The action that the command line requests.
enum class Action : std::uint8_t {
    mount,
    remount,         ///< -o remount: changes the flags of the existing mount at `mountpoint`
    unmount,         ///< --unmount: unmounts `mountpoint`, and waits for the last commit
    wait_for_source, ///< --wait: waits for the last commit of the daemon on `source`
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
    /// When this much dirty data is buffered, writers wait for a commit.
    model::ByteCount dirty_limit{std::uint64_t{256} << 20U};
    ProbeChoice probe = ProbeChoice::automatic;
    /// Whether the power of the emulated machine can be cut.
    bool power = false;
    /// The most bytes of former contents that are kept to undo unsynced changes; for `power`.
    model::ByteCount power_undo{std::uint64_t{256} << 20U};
    std::optional<std::filesystem::path> trace;
    /// A file with rules of faults that are in force from the start.
    std::optional<std::filesystem::path> faults;

    LogLevel log_level = LogLevel::info;
    bool log_level_is_given = false;
    bool flush_policy_is_given = false;
    bool power_undo_is_given = false;
    std::optional<std::filesystem::path> log_file;

    /// The most request threads.
    unsigned threads = 10;
    bool foreground = false;
    /// libfuse prints every request and reply. Implies `foreground`.
    bool debug = false;
    /// The mount point may hold files, which the mount hides.
    bool nonempty = false;
    bool read_only = false;
    /// The options for libfuse's -o: allow_other, nosuid, max_read=N, fsname=NAME and so on. Always
    /// with fsname, subtype and default_permissions.
    std::vector<std::string> fuse_options;
    unsigned long remount_flags = 0; ///< the flags for mount(2), with -o remount
    /// The settings among the -o options, by their long names, with their values.
    std::vector<std::pair<std::string, std::string>> given;
};

/// The reason why there are no Options: a text to print, and the exit code.
struct ExitRequest {
    int code = 0; ///< 0: the user asked for --help or --version. 2: the command line is wrong.
    std::string text;
};

/// Parses a command line (`argv[0]` is the program's name). If it is wrong, `text` is one line that
/// names the option and what to do.
std::expected<Options, ExitRequest> parse_options(int argc, const char* const* argv);

} // namespace partialfs::startup
