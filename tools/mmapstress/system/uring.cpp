#include "tools/mmapstress/system/uring.hpp"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace mmapstress {

namespace {

// The same numbers on every architecture; a C library may not have them.
constexpr long kSetup = 425;
constexpr long kEnter = 426;
constexpr long kRegister = 427;

using RingIndex = std::uint32_t;

RingIndex load(RingIndex* index) {
    return std::atomic_ref(*index).load(std::memory_order_acquire);
}
void store(RingIndex* index, RingIndex value) {
    std::atomic_ref(*index).store(value, std::memory_order_release);
}

} // namespace

struct Uring::Request {
    std::uint8_t what;
    int fd;
    const void* address;
    std::uint32_t length;
    std::uint64_t offset;
};

Uring::Area::Area(int fd, std::size_t size, off_t which) {
    void* const memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, which);
    if (memory != MAP_FAILED) {
        memory_ = {static_cast<std::byte*>(memory), Unmap{size}};
    }
}

void Uring::Area::Unmap::operator()(std::byte* memory) const {
    ::munmap(memory, size);
}

Outcome<Uring> Uring::make() {
    constexpr unsigned kEntries = 2;
    io_uring_params made{};
    const long fd = ::syscall(kSetup, kEntries, &made);
    if (fd < 0) {
        return failed("cannot make an io_uring");
    }
    Uring ring(partialfs::base::Fd(static_cast<int>(fd)));
    ring.submissions_ =
        Area(ring.fd_.get(), made.sq_off.array + made.sq_entries * sizeof(RingIndex),
             IORING_OFF_SQ_RING);
    ring.completions_ =
        Area(ring.fd_.get(), made.cq_off.cqes + made.cq_entries * sizeof(io_uring_cqe),
             IORING_OFF_CQ_RING);
    ring.entries_ = Area(ring.fd_.get(), made.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
    if (!ring.submissions_ || !ring.completions_ || !ring.entries_) {
        return failed("cannot map an io_uring");
    }
    ring.tail_ = made.sq_off.tail;
    ring.mask_ = made.sq_off.ring_mask;
    ring.array_ = made.sq_off.array;
    ring.done_head_ = made.cq_off.head;
    ring.done_tail_ = made.cq_off.tail;
    ring.done_mask_ = made.cq_off.ring_mask;
    ring.done_ = made.cq_off.cqes;
    return ring;
}

Outcome<std::size_t> Uring::carry_out(const Request& request) {
    auto* const tail = submissions_.at<RingIndex>(tail_);
    const RingIndex slot = *tail & *submissions_.at<RingIndex>(mask_);
    io_uring_sqe& entry = entries_.at<io_uring_sqe>(0)[slot];
    entry = {};
    entry.opcode = request.what;
    entry.fd = request.fd;
    entry.addr = reinterpret_cast<std::uint64_t>(request.address);
    entry.len = request.length;
    entry.off = request.offset;
    submissions_.at<RingIndex>(array_)[slot] = slot;
    store(tail, *tail + 1);

    auto* const head = completions_.at<RingIndex>(done_head_);
    unsigned to_submit = 1;
    while (load(completions_.at<RingIndex>(done_tail_)) == *head) {
        const long entered = ::syscall(kEnter, fd_.get(), to_submit, 1U, IORING_ENTER_GETEVENTS,
                                       nullptr, std::size_t{0});
        if (entered < 0 && errno != EINTR && errno != EAGAIN) {
            return failed("io_uring_enter");
        }
        to_submit -= entered > 0 ? 1U : 0U;
    }
    const io_uring_cqe* const all = completions_.at<io_uring_cqe>(done_);
    const std::int32_t result = all[*head & *completions_.at<RingIndex>(done_mask_)].res;
    store(head, *head + 1);
    if (result < 0) {
        return failed("a read by io_uring", Errno{-result});
    }
    return static_cast<std::size_t>(result);
}

Outcome<std::size_t> Uring::read(int fd, std::span<std::byte> to, ByteOffset from) {
    const iovec where{to.data(), to.size()};
    return carry_out({IORING_OP_READV, fd, &where, 1, from.value});
}

Outcome<std::size_t> Uring::read_fixed(int fd, std::span<std::byte> to, ByteOffset from) {
    const iovec where{to.data(), to.size()};
    if (::syscall(kRegister, fd_.get(), IORING_REGISTER_BUFFERS, &where, 1U) != 0) {
        return failed("cannot register the mapping as a buffer of an io_uring");
    }
    auto done = carry_out(
        {IORING_OP_READ_FIXED, fd, to.data(), static_cast<std::uint32_t>(to.size()), from.value});
    if (::syscall(kRegister, fd_.get(), IORING_UNREGISTER_BUFFERS, nullptr, 0U) != 0 && done) {
        return failed("cannot unregister the buffer of an io_uring");
    }
    return done;
}

} // namespace mmapstress
