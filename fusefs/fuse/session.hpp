// The FUSE session: its mount, its request threads, and its end.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/fuse/libfuse.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace partialfs::fuse {

class InitExchange;

/// Replaces libfuse's own loop, which does not end at a signal or an umount from outside, and
/// passes requests in memory that a handler cannot keep.
///
/// Use: mount(), then at most one fork() (no thread runs yet), then run().
class Session {
  public:
    /// `fuse_options` are libfuse's -o options. At most `threads` request threads (but at least
    /// two) are started, as needed. `pool` recycles the memory of requests. `userdata` is passed to
    /// the handlers.
    Session(const fuse_lowlevel_ops& ops, std::vector<std::string> fuse_options, bool debug,
            unsigned threads, file::MemoryPool& pool, void* userdata);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    /// Unmounts if still mounted.
    ~Session();

    /// Mounts at `mountpoint` and answers the kernel's INIT: the mount is usable once run() serves.
    /// On failure a message for the user, in one line.
    std::expected<void, std::string> mount(const std::string& mountpoint);
    /// Used instead of mount() where somebody else mounts, or emulates the kernel: `io` receives
    /// requests and sends replies over `connection`, whose first request is INIT. `io` gets the
    /// handlers' userdata; a signal must interrupt its read (EINTR). On failure as mount().
    std::expected<void, std::string> connect(const fuse_custom_io& io, base::Fd connection);

    /// Called by run(). Each may use the mount, except `disconnected`.
    struct Callbacks {
        std::function<bool()> serving;        ///< requests are being served now; false: end
        std::function<void()> before_end;     ///< a signal has come; requests are still served
        std::function<void()> disconnected;   ///< requests are not served any more, for any reason
        int mounts_changed_fd = -1;           ///< POLLPRI: mounts have come or gone; -1: none
        std::function<void()> mounts_changed; ///< mounts have come or gone; requests are served
    };
    /// Blocks SIGTERM, SIGINT and SIGHUP in the calling thread, and in threads that it starts
    /// later. To be called before any thread is started, as a signal is delivered to any thread
    /// that does not block it.
    static void block_end_signals();
    /// Serves requests until one of these signals comes, or until the mount is gone. All request
    /// threads have been joined when it returns. Then unmounts.
    void run(const Callbacks& callbacks);

    [[nodiscard]] fuse_session* handle() const { return session_; }

    /// Within a handler: takes over the memory in which its request was received, and into which
    /// the handler's pointers point. Null if it was taken already, or outside a request thread. To
    /// be given back to the pool of the session. Throws std::bad_alloc, and takes nothing, if there
    /// is no memory to receive the next request.
    static void* take_request_memory();
    /// Within a handler of a write: see write_clears_set_id().
    static bool clears_set_id();
    /// Within the handler of INIT: asks the kernel for a flag (FUSE_... of <linux/fuse.h>) that
    /// this libfuse does not know. False: the kernel does not offer it, or the session was made by
    /// connect().
    static bool want_of_kernel(std::uint32_t flag);
    /// Within a handler: memory of this size, which no other code uses until the handler returns.
    static std::span<std::byte> scratch(std::size_t size);

  private:
    struct Worker;
    /// Why there can be no session; empty if there can.
    [[nodiscard]] std::string refusal() const;
    /// Serves the kernel's first request. False: the connection is closed, or takes no reply.
    bool answer_init();
    /// Starts one more request thread, unless there are enough or there is no memory for it.
    void start_worker(std::size_t request_size);
    void add_worker(std::unique_ptr<Worker> worker) REQUIRES(mutex_);
    void work(Worker& self);
    /// Waits for one request and processes it; false when the session is over.
    bool serve_one(Worker& self);
    /// Has libfuse call the handler of the request that has been received; `init` if that is INIT.
    void process(Worker& self, InitExchange* init);
    void join_workers();

    std::vector<std::string> arguments_;
    std::string refused_; ///< why there is no session_
    fuse_session* session_ = nullptr;
    bool mounted_ = false;
    unsigned most_workers_;
    file::MemoryPool& pool_;

    base::Mutex mutex_; ///< a leaf
    std::vector<std::unique_ptr<Worker>> workers_ GUARDED_BY(mutex_);
    std::atomic<int> idle_{0};
    std::atomic<bool> ending_{false};
    std::atomic<bool> threads_are_short_{false}; ///< no thread could be started; logged once
    base::Fd gone_event_;                        ///< eventfd: a worker found the mount gone
};

} // namespace partialfs::fuse
