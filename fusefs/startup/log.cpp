#include "fusefs/startup/log.hpp"

#include "fusefs/base/fd.hpp"

#include <fcntl.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace partialfs::startup {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
    case LogLevel::trace:
        return spdlog::level::trace;
    case LogLevel::debug:
        return spdlog::level::debug;
    case LogLevel::info:
        return spdlog::level::info;
    case LogLevel::warning:
        return spdlog::level::warn;
    case LogLevel::error:
        return spdlog::level::err;
    case LogLevel::off:
        break;
    }
    return spdlog::level::off;
}

spdlog::sink_ptr sink_for(const Options& options) {
    spdlog::sink_ptr sink;
    if (options.log_file) {
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.log_file->string());
    } else if (options.foreground) {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
        // syslog adds time and level itself.
        sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("partialfs", LOG_PID, LOG_DAEMON,
                                                               /*enable_formatting=*/false);
        return sink;
    }
    sink->set_pattern(options.log_file ? "%Y-%m-%d %H:%M:%S.%e %l: %v" : "partialfs: %l: %v");
    return sink;
}

} // namespace

std::expected<void, std::string> open_log(const Options& options) {
    if (options.log_file) {
        // Opened here first, as spdlog would create missing directories for a mistyped path.
        const auto file = base::Fd::open(AT_FDCWD, options.log_file->c_str(),
                                         O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0644);
        if (!file) {
            return std::unexpected("--log-file '" + options.log_file->string() +
                                   "' cannot be opened: " + std::strerror(file.error().value) +
                                   "; name a file that can be written");
        }
    }
    try {
        auto logger = std::make_shared<spdlog::logger>("partialfs", sink_for(options));
        logger->set_level(level_of(options.log_level));
        logger->flush_on(spdlog::level::info);
        spdlog::set_default_logger(std::move(logger));
    } catch (const spdlog::spdlog_ex& error) {
        return std::unexpected(std::string("the log cannot be opened: ") + error.what());
    }
    return {};
}

void tell_user(const Options& options, LogLevel level, const std::string& line) {
    const bool seen_in_log = options.foreground && !options.log_file && options.log_level <= level;
    if (!seen_in_log) {
        std::fprintf(stderr, "partialfs: %s\n", line.c_str());
    }
    spdlog::log(level_of(level), "{}", line);
}

} // namespace partialfs::startup
