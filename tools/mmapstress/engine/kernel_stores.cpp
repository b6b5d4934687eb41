#include "tools/mmapstress/engine/kernel_stores.hpp"

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

/// Fits into any socket's buffer.
constexpr std::size_t kSocketPiece = 16384;
/// In <sys/prctl.h> of C libraries that know Yama.
constexpr int kSetPtracer = 0x59616d61;
/// The exit status of a child that wrote too little without an error.
constexpr int kChildWroteTooLittle = 255;

/// What the child does: writes into its parent's memory. Only system calls: the parent may have
/// other threads.
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
        auto made = HelperFile::make(directory_);
        if (!made) {
            return std::unexpected(made.error());
        }
        helper_.emplace(std::move(*made));
    }
    return &*helper_;
}

Outcome<Uring*> KernelStores::ring() {
    if (!ring_) {
        auto made = Uring::make();
        if (!made) {
            return std::unexpected(made.error());
        }
        ring_.emplace(std::move(*made));
    }
    return &*ring_;
}

Outcome<> KernelStores::through_direct(Read read, std::span<std::byte> mapped,
                                       std::span<const std::byte> bytes) {
    const auto file = helper();
    const auto fd = file ? (*file)->direct() : std::unexpected(file.error());
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (!buffer_ || buffer_->bytes().size() < bytes.size()) {
        buffer_.emplace(bytes.size());
    }
    const std::span<std::byte> aligned = buffer_->bytes().first(bytes.size());
    std::ranges::copy(bytes, aligned.begin());
    if (auto written = write_bytes(*fd, aligned, ByteOffset{0}, (*file)->path()); !written) {
        return written;
    }
    for (ByteOffset from; !mapped.empty();) {
        const auto got = (this->*read)(mapped, from);
        if (!got || *got == 0) {
            return got ? refused((*file)->path() + " ended early") : std::unexpected(got.error());
        }
        mapped = mapped.subspan(*got);
        from.value += *got;
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
    const auto by = ring();
    return by ? (*by)->read(*helper_->direct(), to, from) : std::unexpected(by.error());
}

Outcome<std::size_t> KernelStores::read_uring_fixed(std::span<std::byte> to, ByteOffset from) {
    const auto by = ring();
    return by ? (*by)->read_fixed(*helper_->direct(), to, from) : std::unexpected(by.error());
}

Outcome<> KernelStores::through_cache(std::span<std::byte> mapped,
                                      std::span<const std::byte> bytes) {
    const auto file = helper();
    if (!file) {
        return std::unexpected(file.error());
    }
    if (auto written = write_bytes((*file)->fd(), bytes, ByteOffset{0}, (*file)->path());
        !written) {
        return written;
    }
    const auto got = read_bytes((*file)->fd(), mapped, ByteOffset{0}, (*file)->path());
    if (!got) {
        return std::unexpected(got.error());
    }
    return *got == mapped.size() ? Outcome<>{} : refused((*file)->path() + " ended early");
}

Outcome<> KernelStores::from_child(std::span<std::byte> mapped, std::span<const std::byte> bytes) {
    ::prctl(kSetPtracer, ~0UL, 0UL, 0UL, 0UL); // fails where there is no Yama to be asked
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
    errno = WEXITSTATUS(status);
    return errno == 0 ? Outcome<>{} : failed("process_vm_writev into the mapping");
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
