// Where messages go: a file, stderr in the foreground, syslog in the background.
#pragma once

#include "fusefs/startup/options.hpp"

#include <expected>
#include <string>

namespace partialfs::startup {

/// Makes spdlog's default logger. An error is one line that names the file and what to do.
/// To be called after going to the background, as a logger's file does not survive a fork well.
std::expected<void, std::string> open_log(const Options& options);

/// Shows the user a line: in the log, and on stderr unless the log goes there and shows this level.
void tell_user(const Options& options, LogLevel level, const std::string& line);

} // namespace partialfs::startup
