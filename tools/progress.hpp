// How far a command has come, on standard error.
#pragma once

#include <chrono>
#include <string>

namespace partialfs::tools {

/// On a terminal one line, redrawn ten times a second. Elsewhere a new line after 5 s and then
/// every 10 s, so that logs stay short.
class ProgressLine {
  public:
    /// `program` begins each line that stays.
    explicit ProgressLine(std::string program);

    /// Whether it is time to show something again.
    [[nodiscard]] bool is_due();
    /// Seconds since the beginning.
    [[nodiscard]] double seconds() const;
    /// `part` of all is done, from 0 to 1; below 0: not known.
    void show(double part, const std::string& what) const;

  private:
    using Clock = std::chrono::steady_clock;

    std::string program_;
    bool terminal_;
    Clock::time_point begin_;
    Clock::time_point next_;
};

/// Notes whether standard output and standard error are terminals. From now on is_terminal()
/// returns this, even after they lead to another process that passes the output on.
void note_terminals();
/// Whether the output to this stream (STDOUT_FILENO, STDERR_FILENO) ends up on a terminal.
bool is_terminal(int stream);

/// Removes the line from the terminal.
void clear_progress_bar();

} // namespace partialfs::tools
