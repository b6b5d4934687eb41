#include "fusefs/fuse/session.hpp"

#include "fusefs/base/fd.hpp"
#include "fusefs/fuse/init_exchange.hpp"
#include "fusefs/fuse/libfuse_log.hpp"
#include "fusefs/fuse/set_id_bits.hpp"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

namespace partialfs::fuse {

struct Session::Worker {
    Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() { std::free(request.mem); }

    std::thread thread;
    /// Always has memory once a request has been received: see take_request_memory().
    fuse_buf request{};
    std::vector<std::byte> scratch;
    std::atomic<bool> ended{false};
};

namespace {

/// This thread's state for the request that it handles. Only raw pointers, as glibc ends the
/// process if there is no memory to register the destructor of a thread_local object.
struct Received {
    void** memory = nullptr; ///< the request's
    file::MemoryPool* pool = nullptr;
    bool taken = false; ///< a handler has taken over the request's memory
    std::vector<std::byte>* scratch = nullptr;
    bool clears_set_id = false;
    InitExchange* init = nullptr; ///< while INIT is handled
};
thread_local Received received;

/// Interrupts a request thread's system call; the signal's handler does nothing.
constexpr int kWakeSignal = SIGUSR1;

std::span<const std::byte> bytes_of(const fuse_buf& request) {
    return {static_cast<const std::byte*>(request.mem), request.size};
}

sigset_t end_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

std::string why_not_mounted(const std::string& mountpoint, const std::string& errors) {
    std::string message = "cannot mount at '" + mountpoint + "': ";
    if (!errors.empty()) {
        message += errors;
    } else {
        message += "fusermount3 failed; a line of its own says why";
    }
    if (::geteuid() != 0 && errors.find("/dev/fuse") != std::string::npos) {
        return message + "; whoever mounts must be able to read and write /dev/fuse";
    }
    return message + (::geteuid() == 0
                          ? "; mounting needs CAP_SYS_ADMIN: start a container with --device "
                            "/dev/fuse --cap-add SYS_ADMIN"
                          : "; allow_other needs user_allow_other in /etc/fuse.conf, and the mount "
                            "point must be yours");
}

} // namespace

void* Session::take_request_memory() {
    if (received.memory == nullptr || received.taken) {
        return nullptr;
    }
    void* next = received.pool->take();
    if (next == nullptr) {
        next = std::malloc(malloc_usable_size(*received.memory));
    }
    if (next == nullptr) {
        throw std::bad_alloc{};
    }
    received.taken = true;
    return std::exchange(*received.memory, next);
}

bool Session::clears_set_id() {
    return received.clears_set_id;
}

bool Session::want_of_kernel(std::uint32_t flag) {
    return received.init != nullptr && received.init->want(flag);
}

std::span<std::byte> Session::scratch(std::size_t size) {
    std::vector<std::byte>& memory = *received.scratch;
    if (memory.size() < size) {
        memory.resize(size);
    }
    return std::span(memory).first(size);
}

Session::Session(const fuse_lowlevel_ops& ops, std::vector<std::string> fuse_options, bool debug,
                 unsigned threads, file::MemoryPool& pool, void* userdata)
    : most_workers_(std::max(threads, 2U)), pool_(pool) {
    // Each request takes a megabyte of memory: it shall go back to the system when it is freed.
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    // Request threads allocate buffers and the journal's thread frees them: with few arenas there
    // is little fragmentation.
    mallopt(M_ARENA_MAX, 2);
    log_what_libfuse_says();
    arguments_.emplace_back("partialfs");
    for (std::string& option : fuse_options) {
        arguments_.emplace_back("-o");
        arguments_.push_back(std::move(option));
    }
    if (debug) {
        arguments_.emplace_back("-d");
    }
    std::vector<char*> argv;
    argv.reserve(arguments_.size());
    for (std::string& argument : arguments_) {
        argv.push_back(argument.data());
    }
    fuse_args args = FUSE_ARGS_INIT(static_cast<int>(argv.size()), argv.data());
    const LibfuseErrors errors;
    session_ = fuse_session_new(&args, &ops, sizeof(ops), userdata);
    refused_ = errors.text();
    fuse_opt_free_args(&args);
    gone_event_ = base::Fd{eventfd(0, EFD_CLOEXEC)};
}

Session::~Session() {
    if (session_ != nullptr) {
        if (mounted_) {
            fuse_session_unmount(session_);
        }
        fuse_session_destroy(session_);
    }
}

std::string Session::refusal() const {
    if (session_ == nullptr) {
        return "libfuse does not accept the mount options: " + refused_;
    }
    return gone_event_ ? std::string() : std::string("eventfd: ") + std::strerror(errno);
}

std::expected<void, std::string> Session::mount(const std::string& mountpoint) {
    if (std::string reason = refusal(); !reason.empty()) {
        return std::unexpected(std::move(reason));
    }
    {
        const LibfuseErrors errors;
        if (fuse_session_mount(session_, mountpoint.c_str()) != 0) {
            return std::unexpected(why_not_mounted(mountpoint, errors.text()));
        }
    }
    mounted_ = true;
    if (!answer_init()) {
        return std::unexpected("the kernel closed the FUSE connection at once at " + mountpoint);
    }
    return {};
}

std::expected<void, std::string> Session::connect(const fuse_custom_io& io, base::Fd connection) {
    if (std::string reason = refusal(); !reason.empty()) {
        return std::unexpected(std::move(reason));
    }
    if (fuse_session_custom_io(session_, &io, connection.get()) != 0) {
        return std::unexpected("libfuse does not accept the connection");
    }
    static_cast<void>(connection.release()); // the session closes it
    if (!answer_init()) {
        return std::unexpected("the FUSE connection was closed before INIT");
    }
    return {};
}

bool Session::answer_init() {
    Worker first; // the kernel sends nothing else before INIT is answered
    int got = -EINTR;
    while (got == -EINTR || got == -EAGAIN) {
        got = fuse_session_receive_buf(session_, &first.request);
    }
    if (got <= 0) {
        return false;
    }
    InitExchange exchange(bytes_of(first.request), fuse_session_fd(session_));
    if (mounted_) { // with a fuse_custom_io the reply does not go through this descriptor
        if (const auto caught = exchange.catch_reply(); !caught) {
            spdlog::warn("INIT is left to libfuse: {}", std::strerror(caught.error().value));
        }
    }
    process(first, &exchange);
    pool_.give_back(std::exchange(first.request.mem, nullptr)); // for the first worker of run()
    const auto sent = exchange.send_reply();
    if (!sent) {
        spdlog::error("the reply to INIT: {}", std::strerror(sent.error().value));
    }
    return sent.has_value();
}

bool Session::serve_one(Worker& self) {
    const int got = fuse_session_receive_buf(session_, &self.request);
    if (got == -EINTR || got == -EAGAIN) {
        return true;
    }
    if (got <= 0) {
        return false;
    }
    if (idle_.fetch_sub(1) == 1) {
        start_worker(malloc_usable_size(self.request.mem));
    }
    process(self, nullptr);
    idle_.fetch_add(1);
    return true;
}

void Session::process(Worker& self, InitExchange* init) {
    received = {&self.request.mem,
                &pool_,
                false,
                &self.scratch,
                write_clears_set_id(bytes_of(self.request)),
                init};
    fuse_session_process_buf(session_, &self.request);
    received = {};
}

void Session::add_worker(std::unique_ptr<Worker> worker) {
    workers_.push_back(std::move(worker));
    Worker& self = *workers_.back();
    idle_.fetch_add(1);
    try {
        self.thread = std::thread([this, &self] { work(self); });
    } catch (...) {
        idle_.fetch_sub(1);
        workers_.pop_back();
        throw;
    }
}

void Session::start_worker(std::size_t request_size) {
    const base::Lock lock(mutex_);
    if (workers_.empty() || workers_.size() >= most_workers_ || ending_) {
        return; // before run(), enough workers, or the session ends
    }
    try {
        auto worker = std::make_unique<Worker>();
        worker->request.mem = std::malloc(request_size);
        if (worker->request.mem == nullptr) {
            throw std::bad_alloc{};
        }
        add_worker(std::move(worker));
    } catch (const std::exception& error) {
        if (!threads_are_short_.exchange(true)) {
            spdlog::warn("requests have only {} threads, as no other one can be started: {}",
                         workers_.size(), error.what());
        }
    }
}

void Session::work(Worker& self) {
    pthread_setname_np(pthread_self(), "request");
    while (!ending_ && !fuse_session_exited(session_) && serve_one(self)) {
    }
    if (!ending_) {
        const std::uint64_t one = 1;
        if (::write(gone_event_.get(), &one, sizeof one) < 0) {
            spdlog::error("eventfd: {}", std::strerror(errno));
        }
    }
    self.ended = true;
}

void Session::join_workers() {
    ending_ = true;
    fuse_session_exit(session_);
    for (;;) {
        // Signals are repeated, as one that comes just before a worker waits is lost.
        std::unique_ptr<Worker> worker;
        {
            const base::Lock lock(mutex_);
            if (workers_.empty()) {
                return;
            }
            worker = std::move(workers_.back());
            workers_.pop_back();
        }
        while (!worker->ended) {
            pthread_kill(worker->thread.native_handle(), kWakeSignal);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        worker->thread.join();
    }
}

void Session::block_end_signals() {
    const sigset_t ends = end_signals();
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
}

void Session::run(const Callbacks& callbacks) {
    block_end_signals();
    const sigset_t ends = end_signals();
    struct sigaction wake{};
    wake.sa_handler = [](int) {};
    sigaction(kWakeSignal, &wake, nullptr); // without SA_RESTART: read(2) returns EINTR
    std::signal(SIGPIPE, SIG_IGN);
    const base::Fd signals{signalfd(-1, &ends, SFD_CLOEXEC)};
    {
        const base::Lock lock(mutex_);
        auto worker = std::make_unique<Worker>();
        worker->request.mem = pool_.take();
        idle_ = 0;
        add_worker(std::move(worker));
    }
    bool wanted = false;
    std::exception_ptr failure;
    try {
        wanted = callbacks.serving();
    } catch (...) {
        failure = std::current_exception(); // such as no memory for a thread
    }
    std::array<pollfd, 3> wait{pollfd{signals.get(), POLLIN, 0},
                               pollfd{gone_event_.get(), POLLIN, 0},
                               pollfd{callbacks.mounts_changed_fd, POLLPRI, 0}};
    while (wanted && ((wait[0].revents | wait[1].revents) & POLLIN) == 0) {
        if (::poll(wait.data(), wait.size(), -1) > 0 && (wait[2].revents & POLLPRI) != 0) {
            try {
                callbacks.mounts_changed();
            } catch (const std::exception& error) {
                spdlog::warn("the mounts have changed: {}", error.what());
            }
        }
    }
    if (!wanted && !failure) {
        callbacks.before_end();
    }
    if ((wait[0].revents & POLLIN) != 0) {
        signalfd_siginfo info{};
        if (::read(signals.get(), &info, sizeof info) == sizeof info) {
            spdlog::info("{}: ending", strsignal(static_cast<int>(info.ssi_signo)));
        }
        callbacks.before_end();
    }
    join_workers();
    callbacks.disconnected();
    if (mounted_) {
        fuse_session_unmount(session_);
        mounted_ = false;
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace partialfs::fuse
