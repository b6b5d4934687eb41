#include "tools/mmapstress/engine/kernel_stores.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace mmapstress {

namespace {

/// Small enough for any socket's buffer.
constexpr std::size_t kSocketPiece = 16384;
/// In <sys/prctl.h> of C libraries that know Yama.
constexpr int kSetPtracer = 0x59616d61;
/// The exit status of a child that wrote too little without an error.
constexpr int kChildWroteTooLittle = 255;

/// The child writes into its parent's memory. It makes only system calls: the parent may have other
/// threads.
int write_into(pid_t process, std::span<std::byte> mapped, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const iovec from{const_cast<std::byte*>(bytes.data()), bytes.size()};
        const iovec to{mapped.data(), mapped.size()};
        const long put = ::syscall(SYS_process_vm_writev, process, &from, 1UL, &to, 1UL, 0UL);
        if (put <= 0) {
            return put < 0 ? errno : kChildWroteTooLittle;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        mapped = mapped.subspan(static_cast<std::size_t>(put));
    }
    return 0;
}

} // namespace

Outcome<> KernelStores::store(OpKind kind, std::span<std::byte> mapped,
                              std::span<const std::byte> bytes) {
    switch (kind) {
    case OpKind::direct_read_store:
        return through_direct(&KernelStores::read_direct, mapped, bytes);
    case OpKind::uring_read_store:
        return through_direct(&KernelStores::read_uring, mapped, bytes);
    case OpKind::uring_fixed_store:
        return through_direct(&KernelStores::read_uring_fixed, mapped, bytes);
    case OpKind::vm_write_store:
        return from_child(mapped, bytes);
    case OpKind::read_store:
        return through_cache(mapped, bytes);
    case OpKind::recvmsg_store:
        return from_socket(mapped, bytes);
    default:
        return refused("not a store by the kernel");
    }
}

Outcome<HelperFile*> KernelStores::helper() {
    if (!helper_) {
        auto made = TRY(HelperFile::make(directory_));
        helper_.emplace(std::move(made));
    }
    return &*helper_;
}

Outcome<Uring*> KernelStores::ring() {
    if (!ring_) {
        auto made = TRY(Uring::make());
        ring_.emplace(std::move(made));
    }
    return &*ring_;
}

Outcome<> KernelStores::through_direct(Read read, std::span<std::byte> mapped,
                                       std::span<const std::byte> bytes) {
    HelperFile& file = *TRY(helper());
    const int fd = TRY(file.direct());
    if (!buffer_ || buffer_->bytes().size() < bytes.size()) {
        buffer_.emplace(bytes.size());
    }
    const std::span<std::byte> aligned = buffer_->bytes().first(bytes.size());
    std::ranges::copy(bytes, aligned.begin());
    TRY(write_bytes(fd, aligned, ByteOffset{0}, file.path()));
    for (ByteOffset from; !mapped.empty();) {
        const std::size_t got = TRY((this->*read)(mapped, from));
        if (got == 0) {
            return refused(file.path() + " ended early");
        }
        mapped = mapped.subspan(got);
        from.value += got;
    }
    return {};
}

Outcome<std::size_t> KernelStores::read_direct(std::span<std::byte> to, ByteOffset from) {
    const ssize_t got =
        ::pread(*helper_->direct(), to.data(), to.size(), static_cast<off_t>(from.value));
    if (got < 0) {
        return failed("a read of " + helper_->path() + " with O_DIRECT into the mapping");
    }
    return static_cast<std::size_t>(got);
}

Outcome<std::size_t> KernelStores::read_uring(std::span<std::byte> to, ByteOffset from) {
    return TRY(ring())->read(TRY(helper_->direct()), to, from);
}

Outcome<std::size_t> KernelStores::read_uring_fixed(std::span<std::byte> to, ByteOffset from) {
    return TRY(ring())->read_fixed(TRY(helper_->direct()), to, from);
}

Outcome<> KernelStores::through_cache(std::span<std::byte> mapped,
                                      std::span<const std::byte> bytes) {
    HelperFile& file = *TRY(helper());
    TRY(write_bytes(file.fd(), bytes, ByteOffset{0}, file.path()));
    const auto got = TRY(read_bytes(file.fd(), mapped, ByteOffset{0}, file.path()));
    return got == mapped.size() ? Outcome<>{} : refused(file.path() + " ended early");
}

Outcome<> KernelStores::from_child(std::span<std::byte> mapped, std::span<const std::byte> bytes) {
    ::prctl(kSetPtracer, ~0UL, 0UL, 0UL, 0UL); // fails without Yama, where it is not needed
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        return failed("cannot fork");
    }
    if (child == 0) {
        ::_exit(write_into(parent, mapped, bytes));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return failed("cannot wait for the child that stores");
        }
    }
    if (WIFSIGNALED(status)) {
        return refused("the child that was to store was killed by signal " +
                       std::to_string(WTERMSIG(status)));
    }
    if (WEXITSTATUS(status) == kChildWroteTooLittle) {
        return refused("process_vm_writev wrote nothing");
    }
    const Errno of_child{WEXITSTATUS(status)};
    return of_child.value == 0 ? Outcome<>{}
                               : failed("process_vm_writev into the mapping", of_child);
}

Outcome<> KernelStores::from_socket(std::span<std::byte> mapped, std::span<const std::byte> bytes) {
    if (!sockets_[0]) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
            return failed("cannot make a pair of sockets");
        }
        std::ranges::transform(ends, sockets_.begin(),
                               [](int end) { return partialfs::base::Fd(end); });
    }
    while (!bytes.empty()) {
        iovec from{const_cast<std::byte*>(bytes.data()), std::min(bytes.size(), kSocketPiece)};
        msghdr message{};
        message.msg_iov = &from;
        message.msg_iovlen = 1;
        const ssize_t sent = ::sendmsg(sockets_[0].get(), &message, MSG_NOSIGNAL);
        if (sent < 0) {
            return failed("sendmsg");
        }
        iovec to{mapped.data(), static_cast<std::size_t>(sent)};
        message.msg_iov = &to;
        const ssize_t got = ::recvmsg(sockets_[1].get(), &message, MSG_WAITALL);
        if (got != sent) {
            return got < 0 ? failed("recvmsg into the mapping")
                           : refused("recvmsg into the mapping stored too little");
        }
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
        mapped = mapped.subspan(static_cast<std::size_t>(sent));
    }
    return {};
}

} // namespace mmapstress
