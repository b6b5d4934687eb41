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

/// Sends requests and takes the answers. Aborts unless each answers a request that has no answer
/// yet, and has the form that FUSE requires. The daemon's own calls (notifications) are answered at
/// once, on the daemon's thread. One instance a process: libfuse's callbacks cannot be given a
/// pointer of ours.
///
/// If a request is never answered, hang_up() waits for ever: the time limit of the fuzzer or of
/// ctest ends that.
class FakeKernel {
  public:
    explicit FakeKernel(std::vector<RetrievedBytes> retrieved);
    FakeKernel(const FakeKernel&) = delete;
    FakeKernel& operator=(const FakeKernel&) = delete;
    ~FakeKernel();

    /// For Session::connect(), with take_daemon_end(), in which INIT is waiting.
    static fuse_custom_io io();
    base::Fd take_daemon_end();

    /// Sends a request, with the current values of its bytes (see Numbers). May wait until earlier
    /// ones are answered. Returns the errno of the answer if the request waits for it, otherwise 0.
    int send(const ScriptedRequest& request);
    /// Ends the connection as an unmount does, once all is answered. The daemon's end then reads
    /// the rest and gets ENODEV.
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

    base::Mutex mutex_; ///< guards the members below; a leaf
    base::CondVar answered_;
    std::map<std::uint64_t, std::uint32_t> waiting_ GUARDED_BY(mutex_); ///< opcodes
    std::uint64_t last_unique_ GUARDED_BY(mutex_) = 0; ///< even; INTERRUPT has odd ones
    std::uint64_t awaited_ GUARDED_BY(mutex_) = 0;
    int awaited_error_ GUARDED_BY(mutex_) = 0;   ///< errno
    unsigned interrupts_ GUARDED_BY(mutex_) = 0; ///< how many have been sent
    Numbers numbers_ GUARDED_BY(mutex_);
    std::deque<RetrievedBytes> retrieved_ GUARDED_BY(mutex_);
};

} // namespace partialfs::fuzz
