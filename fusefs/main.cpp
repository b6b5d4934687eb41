// partialfs: mounts a directory as a filesystem that writes parts of pages, as ext3 did.

#include "fusefs/base/try.hpp"
#include "fusefs/faults/fault_book.hpp"
#include "fusefs/startup/background.hpp"
#include "fusefs/startup/checks.hpp"
#include "fusefs/startup/daemon.hpp"
#include "fusefs/startup/fault_rules.hpp"
#include "fusefs/startup/last_commit.hpp"
#include "fusefs/startup/log.hpp"
#include "fusefs/startup/mount_flags.hpp"
#include "fusefs/startup/options.hpp"
#include "fusefs/startup/remount.hpp"
#include "fusefs/startup/start_failure.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <system_error>

namespace {

using namespace partialfs;
using namespace partialfs::startup;

constexpr int kFailed = 1;

void say(const std::string& line) {
    std::fprintf(stderr, "partialfs: %s\n", line.c_str());
}

int failed(const std::string& message) {
    say(message);
    return kFailed;
}

startup::Check check_all(const Options& options) {
    TRY(startup::check_source(options.source));
    TRY(startup::check_mountpoint(options.mountpoint, options.source, options.nonempty));
    return startup::check_system();
}

/// Every inode that the kernel knows holds a descriptor, so the limit becomes as high as allowed.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    rlim_t most = 0;
    std::ifstream("/proc/sys/fs/nr_open") >> most;
    const rlimit highest{std::max(most, limit.rlim_max), std::max(most, limit.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &highest) != 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/// RLIMIT_FSIZE of the shell that started the daemon is not meant for a filesystem.
void raise_file_size_limit() {
    rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0 && ::getrlimit(RLIMIT_FSIZE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    std::signal(SIGXFSZ, SIG_IGN); // a write beyond the limit fails with EFBIG instead
}

/// The one line that every mount begins with.
std::string start_line(const Options& options) {
    const std::string commits =
        options.commit_interval.count() == 0
            ? std::string("no commit timer")
            : fmt::format("a commit every {} ms", options.commit_interval.count());
    const std::string promise =
        model::may_lose_mapped_stores(options.contract, options.flush_policy,
                                      options.block_size.per_page())
            ? fmt::format("this mount LOSES stores made through shared mappings, by design, as "
                          "{}; its ledger of them is {}",
                          row_of(options.contract).as,
                          (options.mountpoint / ".partialfs/ledger").string())
            : std::string("mapped stores are kept");
    return fmt::format(
        "{} is mounted at {} with contract {}, flush policy {}, {}-byte blocks, {}: {}",
        options.source.string(), options.mountpoint.string(), name_of(options.contract),
        name_of(options.flush_policy), options.block_size.bytes(), commits, promise);
}

void say_what_is_mounted(const Options& options) {
    tell_user(options, LogLevel::info, start_line(options));
    if (!row_of(options.contract).has_journal && options.block_size.per_page() == 1) {
        tell_user(options, LogLevel::warning,
                  "with one block a page this contract loses nothing: to lose data, choose "
                  "--block-size 512, 1024 or 2048");
    }
    std::error_code error;
    if (std::filesystem::exists(
            std::filesystem::symlink_status(options.source / ".partialfs", error))) {
        spdlog::warn("'.partialfs' in {} is hidden by the control directory of that name",
                     options.source.string());
    }
}

int run(const Options& options, const std::string& fault_rules, startup::Readiness readiness) {
    if (const auto log = startup::open_log(options); !log) {
        return failed(log.error());
    }
    raise_descriptor_limit();
    // New objects get the caller's umask (fuse/caller_identity.hpp); the daemon's own must not be
    // applied on top of it.
    ::umask(0);
    faults::FaultBook faults;
    std::string problem;
    try {
        static_cast<void>(faults.change(fault_rules)); // checked before, so this succeeds
        if (const auto counts = faults.counts(); counts.rules != 0) {
            spdlog::warn("{} rules of faults are in force: see {}", counts.rules,
                         (options.mountpoint / ".partialfs/faults").string());
        }
        Daemon daemon(options, faults);
        const int error = daemon.serve([&] {
            say_what_is_mounted(options);
            return readiness.tell();
        });
        if (error == 0) {
            spdlog::info("{} unmounted", options.mountpoint.string());
            return EXIT_SUCCESS;
        }
        problem = fmt::format("the last commit to {} failed: {}; data that had not been synced is "
                              "missing there",
                              options.source.string(), std::strerror(error));
    } catch (const StartFailure& failure) {
        problem = failure.what();
    } catch (const std::exception& error) {
        problem = fmt::format("{} cannot be served at {}: {}; it needs more threads or memory",
                              options.source.string(), options.mountpoint.string(), error.what());
    }
    tell_user(options, LogLevel::error, problem);
    return kFailed;
}

int answer(const LastCommit& commit) {
    if (!commit.message.empty()) {
        say(commit.message);
    }
    return commit.error;
}

/// Carries out an action of the command line that mounts nothing new.
int run_without_mounting(const Options& options) {
    switch (options.action) {
    case Action::wait_for_source:
        return answer(wait_for_last_commit(options.source, kRecordDirectory, say));
    case Action::unmount:
        return answer(unmount_and_wait(options.mountpoint, kRecordDirectory));
    case Action::remount:
        if (const auto done = remount(options, say); !done) {
            return failed(done.error());
        }
        break;
    case Action::mount:
        break;
    }
    return EXIT_SUCCESS;
}

int start(int argc, const char* const* argv) {
    auto options = parse_options(argc, argv);
    if (!options) {
        std::fprintf(options.error().code == 0 ? stdout : stderr, "%s\n",
                     options.error().text.c_str());
        return options.error().code;
    }
    if (options->action != Action::mount) {
        return run_without_mounting(*options);
    }
    if (const auto checked = check_all(*options); !checked) {
        return failed(checked.error());
    }
    if (is_read_only(options->source) && !options->read_only) {
        say(fmt::format("SOURCE '{}' is on a read-only filesystem: it is mounted read-only",
                        options->source.string()));
    }
    const auto fault_rules = options->faults ? startup::read_fault_rules(*options->faults)
                                             : std::expected<std::string, std::string>();
    if (!fault_rules) {
        return failed(fault_rules.error());
    }
    options->fuse_options =
        startup::complete_flags(std::move(options->fuse_options), options->source);
    std::signal(SIGPIPE, SIG_IGN);
    raise_file_size_limit();
    if (options->foreground) {
        return run(*options, *fault_rules, startup::Readiness{});
    }
    auto side = startup::go_to_background();
    if (!side) {
        return failed(
            "cannot go to the background: " + std::generic_category().message(side.error()) +
            "; stay in the foreground with -f");
    }
    if (const auto* parent = std::get_if<startup::Parent>(&*side)) {
        return parent->exit_code;
    }
    return run(*options, *fault_rules, std::get<startup::Readiness>(std::move(*side)));
}

} // namespace

int main(int argc, char** argv) {
    try {
        return start(argc, argv);
    } catch (const std::exception& error) {
        return failed(error.what());
    }
}
