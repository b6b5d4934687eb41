#include "tools/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

namespace partialfs::tools {

namespace {

/// Whether standard output and standard error are terminals, once note_terminals() was called.
std::array<std::optional<bool>, 3> terminals;

} // namespace

void note_terminals() {
    terminals[STDOUT_FILENO] = is_terminal(STDOUT_FILENO);
    terminals[STDERR_FILENO] = is_terminal(STDERR_FILENO);
}

bool is_terminal(int stream) {
    return terminals.at(static_cast<std::size_t>(stream)).value_or(::isatty(stream) != 0);
}

ProgressLine::ProgressLine(std::string program)
    : program_(std::move(program)), terminal_(is_terminal(STDERR_FILENO)), begin_(Clock::now()),
      next_(begin_ + (terminal_ ? std::chrono::seconds(0) : std::chrono::seconds(5))) {}

bool ProgressLine::is_due() {
    const auto now = Clock::now();
    if (now < next_) {
        return false;
    }
    next_ = now + (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10));
    return true;
}

double ProgressLine::seconds() const {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
}

void ProgressLine::show(double part, const std::string& what) const {
    const double full = std::min(part, 1.0);
    if (!terminal_) {
        fmt::print(stderr, "{}: {:.0f} s{}, {}\n", program_, seconds(),
                   part < 0 ? std::string() : fmt::format(", {:.0f} %", full * 100), what);
        return;
    }
    constexpr std::size_t kWidth = 30;
    std::string bar;
    if (part >= 0) {
        const auto filled = static_cast<std::size_t>(full * kWidth);
        bar = fmt::format("[{}{}] {:3.0f} % ", std::string(filled, '#'),
                          std::string(kWidth - filled, ' '), full * 100);
    }
    fmt::print(stderr, "\r\033[K{}{:.0f} s, {}", bar, seconds(), what);
    std::fflush(stderr);
}

void clear_progress_bar() {
    if (is_terminal(STDERR_FILENO)) {
        fmt::print(stderr, "\r\033[K");
        std::fflush(stderr);
    }
}

} // namespace partialfs::tools
