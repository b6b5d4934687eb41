#include "tests/mounted/differential/hunt.hpp"

#include "tests/mounted/differential/generator.hpp"
#include "tests/mounted/differential/neighbours.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <new>
#include <span>
#include <thread>

namespace partialfs::differential {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kHung{1};

/// What a process reports to its parent, in memory that they share.
struct Board {
    std::atomic<std::size_t> done{0};  ///< operations begun, over all cases
    std::atomic<std::size_t> cases{0}; ///< cases carried out to their end
    std::atomic<std::uint64_t> seed{0};
    std::atomic<bool> found{false};
    std::size_t operation = 0;
    std::array<char, 2048> message{};
};

class SharedBoards {
  public:
    explicit SharedBoards(std::size_t count) : count_(count) {
        void* memory = ::mmap(nullptr, count * sizeof(Board), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::bad_alloc{};
        }
        boards_ = static_cast<Board*>(memory);
        std::uninitialized_default_construct_n(boards_, count);
    }
    SharedBoards(const SharedBoards&) = delete;
    SharedBoards& operator=(const SharedBoards&) = delete;
    ~SharedBoards() { ::munmap(boards_, count_ * sizeof(Board)); }

    [[nodiscard]] std::span<Board> all() { return {boards_, count_}; }

  private:
    std::size_t count_;
    Board* boards_ = nullptr;
};

void pin_up(Board& board, const Found& found) {
    board.operation = found.operation;
    const std::size_t length = std::min(found.message.size(), board.message.size() - 1);
    std::memcpy(board.message.data(), found.message.data(), length);
    board.found = true;
}

/// The operations of a seed's case.
using CaseOf = std::function<std::vector<Operation>(std::uint64_t seed)>;

/// The main loop of one process: case after case until the time is over.
[[noreturn]] void work(const Places& places, const HuntSettings& settings, const CaseOf& case_of,
                       unsigned number, Board& board, Clock::time_point end) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::signal(SIGPIPE, SIG_IGN); // writing to a fifo without a reader fails with EPIPE
    try {
        for (std::uint64_t seed = settings.seed + number; Clock::now() < end;
             seed += settings.processes) {
            board.seed = seed;
            const auto operations = case_of(seed);
            const auto found = run_case(places, "process" + std::to_string(number), operations,
                                        settings.checks, board.done);
            if (found) {
                pin_up(board, *found);
                ::_exit(1);
            }
            ++board.cases;
        }
    } catch (const std::exception& error) {
        pin_up(board, {settings.operations, error.what()});
        ::_exit(1);
    }
    ::_exit(0);
}

/// Watches one process: whether it makes progress.
class Watch {
  public:
    Watch(pid_t process, Board& board) : process_(process), board_(&board) {}

    /// False once the process has ended. Kills it if it hangs. If it hung or died of a signal, its
    /// board gets a message.
    bool goes_on(Clock::time_point now) {
        int status = 0;
        if (process_ < 0) {
            return false;
        }
        if (::waitpid(process_, &status, WNOHANG) == process_) {
            process_ = -1;
            if (WIFSIGNALED(status)) {
                pin_up(*board_, {last_, std::string("the process died of a signal: ") +
                                            ::strsignal(WTERMSIG(status))});
            }
            return false;
        }
        if (board_->done != last_) {
            last_ = board_->done;
            since_ = now;
        } else if (now - since_ > kHung) {
            pin_up(*board_, {last_, "an operation has hung for a minute"});
            end();
            return false;
        }
        return true;
    }
    void end() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
            process_ = -1;
        }
    }

  private:
    pid_t process_;
    Board* board_;
    std::size_t last_ = 0;
    Clock::time_point since_ = Clock::now();
};

Finding finding_on(const Board& board, const CaseOf& case_of) {
    Finding finding{board.seed, case_of(board.seed), board.message.data()};
    finding.operations.resize(std::min(board.operation + 1, finding.operations.size()));
    return finding;
}

HuntResult hunt_with(const Places& places, const HuntSettings& settings, const CaseOf& case_of) {
    SharedBoards boards(settings.processes);
    const auto end = Clock::now() + settings.time;
    const Neighbours neighbours(places.mount);
    std::vector<Watch> watches;
    for (unsigned number = 0; number < settings.processes; ++number) {
        const pid_t process = ::fork();
        if (process == 0) {
            work(places, settings, case_of, number, boards.all()[number], end);
        }
        watches.emplace_back(process, boards.all()[number]);
    }
    HuntResult result;
    for (bool some_go_on = true; some_go_on && !result.finding;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        some_go_on = false;
        for (Watch& watch : watches) {
            some_go_on = watch.goes_on(Clock::now()) || some_go_on;
        }
        const auto board =
            std::ranges::find_if(boards.all(), [](const Board& b) { return b.found.load(); });
        if (board != boards.all().end()) {
            result.finding = finding_on(*board, case_of);
        }
    }
    for (Watch& watch : watches) {
        watch.end();
    }
    for (const Board& board : boards.all()) {
        result.cases += board.cases;
    }
    return result;
}

} // namespace

HuntResult hunt(const Places& places, const HuntSettings& settings) {
    return hunt_with(places, settings, [&](std::uint64_t seed) {
        return generate(seed, settings.operations, settings.left_out);
    });
}

HuntResult run_again(const Places& places, const HuntSettings& settings,
                     const std::vector<Operation>& operations) {
    return hunt_with(places, settings, [&](std::uint64_t) { return operations; });
}

std::vector<Operation> shorten(const Places& places, const HuntSettings& settings,
                               std::vector<Operation> operations) {
    for (std::size_t part = operations.size() / 2; part > 0; part /= 2) {
        for (std::size_t at = 0; at + part <= operations.size();) {
            std::vector<Operation> without = operations;
            const auto begin = without.begin() + static_cast<std::ptrdiff_t>(at);
            without.erase(begin, begin + static_cast<std::ptrdiff_t>(part));
            if (const auto finding = run_again(places, settings, without).finding) {
                operations = finding->operations;
            } else {
                at += part;
            }
        }
    }
    return operations;
}

} // namespace partialfs::differential
