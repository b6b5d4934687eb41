// Runs a shell command to its end and returns its output.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace partialfs::testing {

struct Said {
    int code = -1;    ///< the exit code, or 128 plus the signal that killed it
    std::string text; ///< standard output and standard error
};

/// Runs `command`, a program and its arguments, with standard input from /dev/null. Output that the
/// command redirects itself is not in the text. Throws std::system_error if no process can be
/// started.
inline Said said_by(const std::string& command) {
    std::FILE* const pipe = ::popen(("2>&1 </dev/null " + command).c_str(), "r");
    if (pipe == nullptr) {
        throw std::system_error(errno, std::generic_category(), "popen " + command);
    }
    Said said;
    std::array<char, 4096> part{};
    while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe)) {
        said.text.append(part.data(), got);
    }
    const int status = ::pclose(pipe);
    said.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return said;
}

} // namespace partialfs::testing
