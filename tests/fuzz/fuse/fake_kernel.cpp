#include "tests/fuzz/fuse/fake_kernel.hpp"

#include <linux/fuse.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>

namespace partialfs::fuzz {
namespace {

std::atomic<FakeKernel*> the_kernel{nullptr};

/// The user of requests that are not root's.
constexpr std::uint32_t kUserId = 1000;

/// What Linux 6.18 offers, as far as our oldest Debian's <linux/fuse.h> has names for it.
constexpr std::uint32_t kOffered =
    FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC | FUSE_EXPORT_SUPPORT |
    FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_FLOCK_LOCKS | FUSE_HAS_IOCTL_DIR |
    FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |
    FUSE_WRITEBACK_CACHE | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_ABORT_ERROR |
    FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_EXPLICIT_INVAL_DATA;

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "the daemon has sent what the kernel would not take: %s\n", what);
        std::abort();
    }
}

template <typename Structure>
std::span<const std::byte> bytes_of(const Structure& structure) {
    return std::as_bytes(std::span(&structure, 1));
}

template <typename Structure>
Structure structure_of(std::span<const std::byte> bytes) {
    Structure structure{};
    require(bytes.size() >= sizeof structure, "a message is cut off");
    std::memcpy(&structure, bytes.data(), sizeof structure);
    return structure;
}

iovec part_of(std::span<const std::byte> bytes) {
    return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

} // namespace

FakeKernel::FakeKernel(std::vector<RetrievedBytes> retrieved)
    : retrieved_(std::move_iterator(retrieved.begin()), std::move_iterator(retrieved.end())) {
    std::array<int, 2> ends{-1, -1};
    // Keeps message boundaries, as /dev/fuse does.
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    ours_ = base::Fd{ends[0]};
    daemons_ = base::Fd{ends[1]};
    the_kernel = this;
    send_init();
}

FakeKernel::~FakeKernel() {
    the_kernel = nullptr;
}

fuse_custom_io FakeKernel::io() {
    fuse_custom_io io{};
    io.read = receive_by_daemon;
    io.writev = take_from_daemon;
    return io;
}

base::Fd FakeKernel::take_daemon_end() {
    return std::move(daemons_);
}

void FakeKernel::send_init() {
    fuse_init_in init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    init.max_readahead = 131072;
    init.flags = kOffered;
    std::uint64_t unique = 0;
    {
        const base::Lock lock(mutex_);
        unique = last_unique_ += 2;
        waiting_.emplace(unique, FUSE_INIT);
    }
    transmit(FUSE_INIT, unique, 0, /*by_root=*/true, bytes_of(init));
}

void FakeKernel::transmit(std::uint32_t opcode, std::uint64_t unique, std::uint64_t inode,
                          bool by_root, std::span<const std::byte> arguments) const {
    fuse_in_header header{};
    header.len = static_cast<std::uint32_t>(sizeof header + arguments.size());
    header.opcode = opcode;
    header.unique = unique;
    header.nodeid = inode;
    header.uid = header.gid = by_root ? 0 : kUserId;
    header.pid = static_cast<std::uint32_t>(::getpid());
    std::array parts{part_of(bytes_of(header)), part_of(arguments)};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    while (::sendmsg(ours_.get(), &message, MSG_NOSIGNAL) < 0) {
        require(errno == EINTR, "it has closed its end");
    }
}

int FakeKernel::send(const ScriptedRequest& request) {
    // Limits the requests under way, as the kernel does, too.
    constexpr std::size_t kMostWaiting = 8;
    const RequestLayout* layout = layout_of(request.opcode);
    static constexpr RequestLayout kUnknown{.opcode = 0};
    std::uint64_t unique = 0;
    std::uint64_t inode = 0;
    Bytes arguments;
    {
        base::Lock lock(mutex_);
        while (waiting_.size() >= kMostWaiting) {
            answered_.wait(lock);
        }
        inode = numbers_.inode(request.inode);
        arguments = numbers_.filled_in(layout != nullptr ? *layout : kUnknown, request.arguments);
        unique = last_unique_ += 2;
        if (request.opcode == FUSE_INTERRUPT) {
            // Interrupts one of the latest requests, counted backwards.
            set_u64(arguments, 0, last_unique_ - 2 * (get_u64(arguments, 0) & 15U));
            ++unique;
            ++interrupts_;
        } else if (layout == nullptr || layout->answered) {
            waiting_.emplace(unique, request.opcode);
        }
        awaited_ = request.waits ? unique : 0;
        awaited_error_ = 0;
    }
    transmit(request.opcode, unique, inode, request.by_root, arguments);
    base::Lock lock(mutex_);
    while (request.waits && waiting_.contains(unique)) {
        answered_.wait(lock);
    }
    return awaited_error_;
}

void FakeKernel::wait() {
    base::Lock lock(mutex_);
    while (!waiting_.empty()) {
        answered_.wait(lock);
    }
}

void FakeKernel::hang_up() {
    unsigned kept = 0;
    {
        const base::Lock lock(mutex_);
        kept = interrupts_;
    }
    // libfuse keeps an INTERRUPT whose request it does not know, and answers one of those with each
    // later request, but never those that it has at its end. So send one more request for each.
    for (; kept > 0; --kept) {
        send({.opcode = FUSE_STATFS, .inode = 1});
    }
    wait();
    ours_.reset();
}

ssize_t FakeKernel::receive_by_daemon(int fd, void* buffer, std::size_t size, void* /*userdata*/) {
    const ssize_t got = ::read(fd, buffer, size);
    if (got == 0) {
        errno = ENODEV; // as reading /dev/fuse does after an unmount
        return -1;
    }
    return got;
}

ssize_t FakeKernel::take_from_daemon(int /*fd*/, iovec* parts, int count, void* /*userdata*/) {
    Bytes message;
    for (const iovec& part : std::span(parts, static_cast<std::size_t>(count))) {
        const auto* const begin = static_cast<const std::byte*>(part.iov_base);
        message.insert(message.end(), begin, begin + part.iov_len);
    }
    the_kernel.load()->take(message);
    return static_cast<ssize_t>(message.size());
}

void FakeKernel::take(std::span<const std::byte> message) {
    const auto header = structure_of<fuse_out_header>(message);
    require(header.len == message.size(), "a length is not the message's");
    const std::span<const std::byte> body = message.subspan(sizeof header);
    if (header.unique != 0) {
        take_answer(header.unique, header.error, body);
    } else if (header.error == FUSE_NOTIFY_RETRIEVE) {
        answer_retrieve(body);
    }
}

void FakeKernel::take_answer(std::uint64_t unique, std::int32_t error,
                             std::span<const std::byte> body) {
    if (unique % 2 != 0) {
        return; // asks to send an INTERRUPT again, whose request had not arrived
    }
    require(error <= 0 && error > -1000, "an error is not an errno");
    require(error == 0 || body.empty(), "an error comes with bytes");
    const base::Lock lock(mutex_);
    const auto request = waiting_.find(unique);
    require(request != waiting_.end(), "an answer to no request, or a second one");
    if (error == 0) {
        numbers_.learn(request->second, body);
    }
    if (unique == awaited_) {
        awaited_error_ = -error;
    }
    waiting_.erase(request);
    answered_.notify_all();
}

void FakeKernel::answer_retrieve(std::span<const std::byte> wanted) {
    const auto retrieve = structure_of<fuse_notify_retrieve_out>(wanted);
    Bytes cached;
    {
        const base::Lock lock(mutex_);
        if (!retrieved_.empty()) {
            cached = std::move(retrieved_.front());
            retrieved_.pop_front();
        }
    }
    cached.resize(std::min<std::size_t>(cached.size(), retrieve.size));
    fuse_notify_retrieve_in reply{};
    reply.offset = retrieve.offset;
    reply.size = static_cast<std::uint32_t>(cached.size());
    Bytes arguments;
    std::ranges::copy(bytes_of(reply), std::back_inserter(arguments));
    std::ranges::copy(cached, std::back_inserter(arguments));
    transmit(FUSE_NOTIFY_REPLY, retrieve.notify_unique, retrieve.nodeid, /*by_root=*/true,
             arguments);
}

} // namespace partialfs::fuzz
