#include "tools/vmmodel/show/terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace vmmodel {

namespace {

// Set by the signal handlers, read between two keys.
volatile std::sig_atomic_t resized =
    0;                                // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t ended = 0; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void on_resize(int) {
    resized = 1;
}
void on_end(int) {
    ended = 1;
}

constexpr std::array kEnding{SIGTERM, SIGHUP, SIGINT};

bool put(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return true;
}

struct Meaning {
    std::string_view bytes;
    Key key;
};

/// The bytes that keys send: one, or an escape sequence. A sequence comes before its own prefixes.
constexpr std::array kMeanings{
    Meaning{"\x1b[5~", Key::back}, Meaning{"\x1b[6~", Key::next}, Meaning{"\x1b[1~", Key::first},
    Meaning{"\x1b[4~", Key::last}, Meaning{"\x1b[C", Key::next},  Meaning{"\x1b[B", Key::next},
    Meaning{"\x1b[D", Key::back},  Meaning{"\x1b[A", Key::back},  Meaning{"\x1b[H", Key::first},
    Meaning{"\x1b[F", Key::last},  Meaning{"\x1bOC", Key::next},  Meaning{"\x1bOB", Key::next},
    Meaning{"\x1bOD", Key::back},  Meaning{"\x1bOA", Key::back},  Meaning{"\x1b", Key::quit},
    Meaning{" ", Key::next},       Meaning{"n", Key::next},       Meaning{"j", Key::next},
    Meaning{"\r", Key::next},      Meaning{"\n", Key::next},      Meaning{"b", Key::back},
    Meaning{"p", Key::back},       Meaning{"k", Key::back},       Meaning{"\x7f", Key::back},
    Meaning{"0", Key::first},      Meaning{"g", Key::first},      Meaning{"$", Key::last},
    Meaning{"G", Key::last},       Meaning{"l", Key::harm},       Meaning{"\t", Key::page},
    Meaning{"q", Key::quit},       Meaning{"Q", Key::quit},       Meaning{"\x03", Key::quit},
    Meaning{"\x04", Key::quit},
};

/// Removes one key from the front of the typed bytes and returns it.
Key take_key(std::string& typed) {
    for (const Meaning& meaning : kMeanings) {
        if (typed.starts_with(meaning.bytes)) {
            typed.erase(0, meaning.bytes.size());
            return meaning.key;
        }
    }
    typed.erase(0, 1);
    return Key::other;
}

} // namespace

std::optional<Terminal> Terminal::open() {
    termios before{};
    if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0 ||
        ::tcgetattr(STDIN_FILENO, &before) != 0) {
        return std::nullopt;
    }
    struct sigaction action{};
    action.sa_handler = on_resize;
    ::sigaction(SIGWINCH, &action, nullptr);
    action.sa_handler = on_end;
    for (const int signal : kEnding) {
        ::sigaction(signal, &action, nullptr);
    }
    termios raw = before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | IXON);
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) {
        return std::nullopt;
    }
    put("\x1b[?1049h\x1b[?25l"); // the alternate screen, no cursor
    return Terminal(before);
}

Terminal::Terminal(Terminal&& other) noexcept
    : before_(other.before_), owns_(std::exchange(other.owns_, false)) {}

Terminal::~Terminal() {
    if (owns_) {
        put("\x1b[?25h\x1b[?1049l");
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
}

ScreenSize Terminal::size() {
    winsize window{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) {
        return {};
    }
    return {window.ws_col, window.ws_row};
}

bool Terminal::show(const std::vector<std::string>& lines) {
    std::string all = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        all += lines[i] + "\x1b[K" + (i + 1 < lines.size() ? "\r\n" : "");
    }
    return put(all + "\x1b[J");
}

Key Terminal::key() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    for (;;) {
        if (ended != 0) {
            return Key::quit;
        }
        if (!typed_.empty()) {
            return take_key(typed_);
        }
        if (resized != 0) {
            resized = 0;
            return Key::redraw;
        }
        // A signal that comes right here is seen at the next key or within a second.
        const int ready = ::poll(&input, 1, 1000);
        if (ready < 0 && errno != EINTR) {
            return Key::quit;
        }
        if (ready <= 0) {
            continue;
        }
        std::array<char, 16> bytes{};
        const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return Key::quit;
        }
        if (got > 0) {
            typed_.append(bytes.data(), static_cast<std::size_t>(got));
        }
    }
}

} // namespace vmmodel
