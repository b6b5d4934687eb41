#include "tools/mmapstress/commands/supervise.hpp"

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/commands/present.hpp"
#include "tools/mmapstress/system/busy.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/progress.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <memory>
#include <system_error>

namespace mmapstress {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<int, 3> kStopSignals{SIGINT, SIGTERM, SIGHUP};
/// The interval between two checks for a hang.
constexpr std::chrono::milliseconds kLook{100};
/// If this process did not run for so long, neither did the child (^Z, a suspended laptop).
constexpr std::chrono::seconds kAsleep{2};

BusyBoard* board = nullptr;       // of parent and child, while one is supervised
volatile pid_t child_process = 0; // in the parent
volatile std::sig_atomic_t signals_seen = 0;

extern "C" void on_stop(int signal) {
    if (board == nullptr) {
        return;
    }
    signals_seen = signals_seen + 1;
    if (signals_seen == 1) {
        board->ask_to_stop(); // an atomic store
        return;
    }
    if (child_process > 0) {
        ::kill(child_process, SIGKILL);
    }
    ::signal(signal, SIG_DFL);
    ::raise(signal); // comes once the handler returns
}

/// The parent's handlers; the child ignores what the terminal sends to both.
void handle_stop_signals() {
    for (const int signal : kStopSignals) {
        struct sigaction before{};
        const bool ignored = ::sigaction(signal, nullptr, &before) == 0 &&
                             before.sa_handler == SIG_IGN; // as by nohup
        if (ignored) {
            continue;
        }
        struct sigaction action{};
        action.sa_handler = on_stop;
        sigemptyset(&action.sa_mask);
        ::sigaction(signal, &action, nullptr);
    }
}

[[noreturn]] void be_the_child(pid_t parent, const std::function<Verdict()>& work) {
    for (const int signal : kStopSignals) {
        ::signal(signal, SIG_IGN);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(static_cast<int>(Verdict::unknown));
    }
    BusyBoard::use(board);
    Verdict verdict = Verdict::unknown;
    try {
        verdict = work();
    } catch (const std::exception& error) {
        complain(error.what());
    }
    ::fflush(nullptr);
    ::_exit(static_cast<int>(verdict));
}

/// Where in the kernel a thread is, on lines of their own; empty if that may not be read.
std::string kernel_stack(const BusyThread& thread) {
    const std::string task =
        "/proc/" + std::to_string(thread.process) + "/task/" + std::to_string(thread.thread) + "/";
    std::string text;
    if (const auto stack = read_file(task + "stack"); stack && !stack->empty()) {
        text = *stack;
    } else if (const auto function = read_file(task + "wchan"); function && function->size() > 1) {
        text = "in " + *function + "\n";
    }
    std::string indented;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        indented += "\n    " + text.substr(at, end - at);
        at = end + 1;
    }
    return indented;
}

class Watch {
  public:
    explicit Watch(std::chrono::milliseconds hang_after)
        : hang_after_(hang_after), awake_since_(Clock::now()), looked_(awake_since_) {}

    /// The calls that have not returned for too long.
    std::vector<Problem> hung() {
        const auto now = Clock::now();
        if (now - looked_ > kAsleep) {
            awake_since_ = now;
        }
        looked_ = now;
        std::vector<Problem> problems;
        if (hang_after_.count() == 0 || now - awake_since_ < hang_after_) {
            return problems;
        }
        for (const BusyThread& thread : board->busy()) {
            const auto age = now.time_since_epoch() - thread.begun;
            if (age >= hang_after_) {
                const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
                problems.push_back({"has not returned for " + std::to_string(seconds) +
                                        " s: " + thread.words() + ", process " +
                                        std::to_string(thread.process) + " thread " +
                                        std::to_string(thread.thread) + kernel_stack(thread),
                                    thread.op});
            }
        }
        return problems;
    }

  private:
    std::chrono::milliseconds hang_after_;
    Clock::time_point awake_since_;
    Clock::time_point looked_;
};

/// Ends this process by the signal that ended the child.
[[noreturn]] void die_by(int signal) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    ::_exit(static_cast<int>(Verdict::unknown));
}

/// Passes on what the child writes. With the user's pipe itself, a child that cannot end would keep
/// it open, and whoever reads that pipe to its end would wait forever.
class Relay {
  public:
    /// `stream` gets the bytes. Throws std::system_error if there are no descriptors left.
    explicit Relay(int stream) : stream_(stream) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
        }
        out_ = partialfs::base::Fd(ends[0]);
        in_ = partialfs::base::Fd(ends[1]);
    }

    /// In the child: from now on the stream leads here.
    void be_written() {
        ::dup2(in_.get(), stream_);
        in_.reset();
        out_.reset();
    }
    /// In the parent.
    void be_read() { in_.reset(); }
    /// -1 once everything has been read.
    [[nodiscard]] int fd() const { return out_.get(); }
    [[nodiscard]] bool written() const { return written_; }

    /// Passes on the bytes that are there; waits if there are none.
    void pass_on() {
        std::array<char, 65536> bytes; // NOLINT: filled before it is read
        const ssize_t got = ::read(out_.get(), bytes.data(), bytes.size());
        if (got < 0 && errno == EINTR) {
            return;
        }
        if (got <= 0) {
            out_.reset();
            return;
        }
        for (ssize_t done = 0; done < got && written_;) {
            const ssize_t put =
                ::write(stream_, bytes.data() + done, static_cast<std::size_t>(got - done));
            written_ = put > 0 || (put < 0 && errno == EINTR);
            done += std::max<ssize_t>(put, 0);
        }
    }

  private:
    int stream_;
    partialfs::base::Fd out_;
    partialfs::base::Fd in_;
    bool written_ = true; ///< all bytes so far could be written
};

class Child {
  public:
    Child() : output_(STDOUT_FILENO), errors_(STDERR_FILENO) {}

    [[noreturn]] void work(pid_t parent, const std::function<Verdict()>& work) {
        output_.be_written();
        errors_.be_written();
        be_the_child(parent, work);
    }

    Verdict watch(const Supervision& supervision) {
        output_.be_read();
        errors_.be_read();
        Watch watch(supervision.hang_after);
        int status = 0;
        while (output_.fd() >= 0 || errors_.fd() >= 0 ||
               ::waitpid(child_process, &status, WNOHANG) == 0) {
            wait_for_words();
            if (const auto hung = watch.hung(); !hung.empty()) {
                ::kill(child_process, SIGKILL); // may have no effect until the call returns
                supervision.tell(hung);
                return Verdict::hung;
            }
        }
        if (WIFSIGNALED(status)) {
            die_by(WTERMSIG(status));
        }
        const auto verdict = static_cast<Verdict>(WEXITSTATUS(status));
        if (output_.written()) {
            return verdict;
        }
        complain("cannot write to standard output");
        return worse_of(verdict, Verdict::unknown);
    }

  private:
    void wait_for_words() {
        std::array<pollfd, 2> streams{pollfd{output_.fd(), POLLIN, 0},
                                      pollfd{errors_.fd(), POLLIN, 0}};
        // Once both are closed the child is about to end.
        const bool closed = output_.fd() < 0 && errors_.fd() < 0;
        const int wait = closed ? 1 : static_cast<int>(kLook.count());
        if (::poll(streams.data(), streams.size(), wait) <= 0) {
            return;
        }
        if (streams[0].revents != 0) {
            output_.pass_on();
        }
        if (streams[1].revents != 0) {
            errors_.pass_on();
        }
    }

    Relay output_;
    Relay errors_;
};

} // namespace

void complain_of_hang(const std::vector<Problem>& hung) {
    partialfs::tools::clear_progress_bar();
    for (const Problem& problem : hung) {
        complain(problem.message);
    }
}

bool stop_signalled() {
    return board != nullptr && board->asked_to_stop();
}

Verdict supervise(const Supervision& supervision, const std::function<Verdict()>& work) {
    const auto shared = BusyBoard::make();
    if (!shared) {
        complain("no memory to watch the run with");
        return Verdict::unknown;
    }
    board = shared.get();
    partialfs::tools::note_terminals();
    Child child;
    const pid_t parent = ::getpid();
    handle_stop_signals();
    ::fflush(nullptr); // else both processes would write what is buffered
    const pid_t pid = ::fork();
    if (pid == 0) {
        child.work(parent, work);
    }
    Verdict verdict = Verdict::unknown;
    if (pid < 0) {
        complain("cannot fork");
    } else {
        child_process = pid;
        verdict = child.watch(supervision);
    }
    board = nullptr;
    return verdict;
}

} // namespace mmapstress
