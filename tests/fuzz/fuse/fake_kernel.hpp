// The kernel's end of a FUSE connection, without a kernel.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "tests/fuzz/fuse/numbers.hpp"
#include "tests/fuzz/fuse/script.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

namespace partialfs::fuzz {

/// Sends requests and takes the answers, which must be ones to a request, once, and of the form
/// that FUSE wants; else it aborts. What the daemon asks for by itself is answered at once, on the
/// daemon's thread. One at a time in a process: libfuse tells its callbacks nothing of ours.
///
/// A request that is never answered makes hang_up() wait for ever: the fuzzer's or ctest's time
/// limit is what notices.
class FakeKernel {
  public:
    explicit FakeKernel(std::vector<RetrievedBytes> retrieved);
    FakeKernel(const FakeKernel&) = delete;
    FakeKernel& operator=(const FakeKernel&) = delete;
    ~FakeKernel();

    /// For Session::connect(), with the other end, which has INIT waiting in it.
    static fuse_custom_io io();
    base::Fd take_daemon_end();

    /// Sends a request with what its bytes stand for just now. May wait until some are answered.
    /// The errno that it is answered with, if it waits for that; else 0.
    int send(const ScriptedRequest& request);
    /// As an unmount does, once all is answered. The other end is at its end, once it has read what
    /// is left.
    void hang_up();

  private:
    void wait();
    void send_init();
    void transmit(std::uint32_t opcode, std::uint64_t unique, std::uint64_t inode, bool by_root,
                  std::span<const std::byte> arguments) const;
    static ssize_t receive_by_daemon(int fd, void* buffer, std::size_t size, void* userdata);
    static ssize_t take_from_daemon(int fd, iovec* parts, int count, void* userdata);
    void take(std::span<const std::byte> message);
    void take_answer(std::uint64_t unique, std::int32_t error, std::span<const std::byte> body);
    void answer_retrieve(std::span<const std::byte> wanted);

    base::Fd ours_;
    base::Fd daemons_;

    base::Mutex mutex_; ///< guards what follows; a leaf
    base::CondVar answered_;
    std::map<std::uint64_t, std::uint32_t> waiting_ GUARDED_BY(mutex_); ///< opcodes
    std::uint64_t last_unique_ GUARDED_BY(mutex_) = 0; ///< even; INTERRUPT has odd ones
    std::uint64_t awaited_ GUARDED_BY(mutex_) = 0;
    int awaited_error_ GUARDED_BY(mutex_) = 0;   ///< errno
    unsigned interrupts_ GUARDED_BY(mutex_) = 0; ///< that have been sent
    Numbers numbers_ GUARDED_BY(mutex_);
    std::deque<RetrievedBytes> retrieved_ GUARDED_BY(mutex_);
};

} // namespace partialfs::fuzz
