#include "fusefs/fuse/libfuse_log.hpp"

#include "fusefs/fuse/libfuse.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace partialfs::fuse {
namespace {

/// Where this thread's errors go instead of the log.
thread_local std::string* errors = nullptr;

void log_line(fuse_log_level level, const char* format, va_list arguments) {
    std::array<char, 512> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string_view line(text.data());
    while (!line.empty() && line.back() == '\n') {
        line.remove_suffix(1);
    }
    switch (level) {
    case FUSE_LOG_EMERG:
    case FUSE_LOG_ALERT:
    case FUSE_LOG_CRIT:
    case FUSE_LOG_ERR:
        if (errors != nullptr) {
            *errors += (errors->empty() ? "" : "; ") + std::string(line);
        } else {
            spdlog::error("{}", line);
        }
        break;
    case FUSE_LOG_WARNING:
        spdlog::warn("{}", line);
        break;
    case FUSE_LOG_DEBUG:
        spdlog::debug("{}", line);
        break;
    default:
        spdlog::info("{}", line);
    }
}

} // namespace

void log_what_libfuse_says() {
    fuse_set_log_func(log_line);
}

LibfuseErrors::LibfuseErrors() {
    errors = &text_;
}

LibfuseErrors::~LibfuseErrors() {
    errors = nullptr;
}

} // namespace partialfs::fuse
