#include "tools/mmapstress/engine/crew_process.hpp"

#include "tools/mmapstress/system/busy.hpp"
#include "tools/schedule/op_walker.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <type_traits>

namespace mmapstress {

using partialfs::base::Fd;

struct CrewProcess::Order {
    enum class Kind : std::uint32_t { walk, unmap };
    Kind kind;
    FileIndex file;
    OpId last;
};

namespace {

struct Answer {
    bool succeeded;
    int error;
    OpId op;
    std::array<char, 512> what;
};
static_assert(std::is_trivially_copyable_v<Answer>);

bool transfer(ssize_t (*call)(int, void*, std::size_t, int), int socket, void* data,
              std::size_t size, int flags) {
    auto* at = static_cast<std::byte*>(data);
    while (size != 0) {
        const ssize_t count = call(socket, at, size, flags);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        at += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

bool send_all(int socket, const void* data, std::size_t size) {
    const auto call = [](int to, void* bytes, std::size_t count, int flags) {
        return ::send(to, bytes, count, flags);
    };
    return transfer(call, socket, const_cast<void*>(data), size, MSG_NOSIGNAL);
}

bool receive_all(int socket, void* data, std::size_t size) {
    return transfer(::recv, socket, data, size, 0);
}

/// The child's part: walks through the operations, and carries out those of its own workers.
class Child {
  public:
    Child(const Crew::Setting& setting, std::size_t index)
        : setting_(setting), walker_(setting.factory()),
          first_worker_(index * setting.work.header.threads), follower_(setting.work),
          team_(setting.work, setting.work.header.threads) {}

    std::optional<OpFailure> walk(OpId last) {
        OpId reached;
        while (reached < last) {
            const Op* op = walker_.next();
            if (op == nullptr) {
                return OpFailure{Failure{0, walker_.error().value_or("the schedule ended early")},
                                 reached};
            }
            reached = op->id;
            if (auto failure = take(*op)) {
                return failure;
            }
        }
        return team_.run();
    }
    void unmap(FileIndex file) { setting_.work.files[file.value].unmap_all(); }

  private:
    std::optional<OpFailure> take(const Op& op) {
        const OpTraits& traits = traits_of(op.kind);
        follower_.follow(op);
        const bool mine = op.by.value >= first_worker_ &&
                          op.by.value < first_worker_ + setting_.work.header.threads;
        if (mine && !traits.alone) {
            if (auto prepared = follower_.prepare(op); !prepared) {
                return OpFailure{std::move(prepared.error()), op.id};
            }
            team_.add(op.by.value - first_worker_, op);
        }
        if (traits.has_file) {
            setting_.work.files[op.file.value].set_size(walker_.size(op.file));
        }
        return std::nullopt;
    }

    const Crew::Setting& setting_;
    OpWalker walker_;
    std::size_t first_worker_;
    Executor follower_;
    ThreadTeam team_;
};

} // namespace

Outcome<std::unique_ptr<CrewProcess>>
CrewProcess::fork(const Crew::Setting& setting, std::size_t index,
                  std::span<const std::unique_ptr<CrewProcess>> earlier) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
        return failed("cannot make a socket pair");
    }
    Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        return failed("cannot fork");
    }
    if (pid != 0) {
        return std::unique_ptr<CrewProcess>(new CrewProcess(pid, std::move(ours), index));
    }
    // The terminal's ^C is for the parent. When the parent ends, the child must end, too.
    ::signal(SIGINT, SIG_IGN);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(0);
    }
    BusyBoard::forget_thread();
    ours.reset();
    for (const std::unique_ptr<CrewProcess>& process : earlier) {
        process->socket_.reset();
    }
    {
        Child child(setting, index);
        Order order{};
        while (receive_all(theirs.get(), &order, sizeof(order))) {
            Answer answer{true, 0, OpId{}, {}};
            if (order.kind == Order::Kind::unmap) {
                child.unmap(order.file);
            } else if (const auto failure = child.walk(order.last)) {
                answer.succeeded = false;
                answer.error = failure->failure.error;
                answer.op = failure->op;
                const std::string& what = failure->failure.what;
                std::memcpy(answer.what.data(), what.data(),
                            std::min(what.size(), answer.what.size() - 1));
            }
            if (!send_all(theirs.get(), &answer, sizeof(answer))) {
                break;
            }
        }
    }
    ::_exit(0);
}

CrewProcess::~CrewProcess() {
    socket_.reset();
    if (pid_ > 0) {
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

std::unexpected<Failure> CrewProcess::gone() {
    int status = 0;
    while (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    std::string how = "ended";
    if (WIFSIGNALED(status)) {
        how = "was killed by signal " + std::to_string(WTERMSIG(status));
    }
    return refused("process " + std::to_string(index_) + " of the run " + how);
}

Outcome<> CrewProcess::send(const Order& order) {
    if (pid_ == 0 || !send_all(socket_.get(), &order, sizeof(order))) {
        return gone();
    }
    return {};
}

Outcome<> CrewProcess::order_walk(OpId last) {
    return send({Order::Kind::walk, FileIndex{}, last});
}

Outcome<> CrewProcess::order_unmap(FileIndex file) {
    return send({Order::Kind::unmap, file, OpId{}});
}

Outcome<> CrewProcess::answer(OpId& failed) {
    Answer answer{};
    if (pid_ == 0 || !receive_all(socket_.get(), &answer, sizeof(answer))) {
        return gone();
    }
    if (answer.succeeded) {
        return {};
    }
    failed = answer.op;
    return std::unexpected(Failure{answer.error, answer.what.data()});
}

} // namespace mmapstress
