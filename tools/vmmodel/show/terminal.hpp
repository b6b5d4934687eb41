// The terminal while a film is played: the alternate screen, no echo, keys one by one. The
// destructor restores the terminal, also after SIGTERM, SIGHUP or SIGINT: these only make key()
// return.
#pragma once

#include "tools/vmmodel/show/screen.hpp"

#include <termios.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace vmmodel {

enum class Key : std::uint8_t { next, back, first, last, harm, page, quit, redraw, other };

/// One object at a time, used from one thread. Installs handlers for these signals, so that the
/// destructor still runs.
class Terminal {
  public:
    /// Nothing if standard input and output are not both a terminal.
    static std::optional<Terminal> open();
    Terminal(Terminal&& other) noexcept;
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    Terminal& operator=(Terminal&&) = delete;
    ~Terminal();

    [[nodiscard]] static ScreenSize size();
    /// Shows the lines from the top left corner on, and nothing else. False if that failed.
    static bool show(const std::vector<std::string>& lines);
    /// Waits for a key. Key::redraw if the terminal has changed its size; Key::quit at the end of
    /// input, on an error, or after one of the signals that ask the program to end.
    Key key();

  private:
    explicit Terminal(const termios& before) : before_(before) {}

    termios before_;
    std::string typed_; ///< input that key() has not returned yet
    bool owns_ = true;
};

} // namespace vmmodel
