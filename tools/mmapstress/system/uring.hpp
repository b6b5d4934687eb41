// io_uring by plain system calls: a program that must also run on kernels of 2006 has no liburing.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace mmapstress {

/// A ring that carries out one read after another. Not thread-safe. A forked process must not use
/// the ring of its parent.
class Uring {
  public:
    /// Fails with ENOSYS on kernels before 5.1, with EPERM where io_uring is forbidden.
    static Outcome<Uring> make();

    /// IORING_OP_READV into `to`; the number of bytes read, as pread()'s.
    Outcome<std::size_t> read(int fd, std::span<std::byte> to, ByteOffset from);
    /// Registers `to` as a buffer, reads into it with IORING_OP_READ_FIXED, and unregisters it.
    /// Most filesystems' mappings cannot be registered: EFAULT since Linux 6.5, EOPNOTSUPP before.
    Outcome<std::size_t> read_fixed(int fd, std::span<std::byte> to, ByteOffset from);

  private:
    /// A mapped part of the ring; the destructor unmaps it.
    class Area {
      public:
        Area() = default;
        Area(int fd, std::size_t size, off_t which);
        [[nodiscard]] explicit operator bool() const { return memory_ != nullptr; }
        template <typename Type>
        [[nodiscard]] Type* at(std::size_t offset) const {
            return reinterpret_cast<Type*>(memory_.get() + offset);
        }

      private:
        struct Unmap {
            std::size_t size;
            void operator()(std::byte* memory) const;
        };
        std::unique_ptr<std::byte, Unmap> memory_;
    };
    struct Request;

    explicit Uring(partialfs::base::Fd fd) : fd_(std::move(fd)) {}
    /// Submits one request and waits for its result.
    Outcome<std::size_t> carry_out(const Request& request);

    partialfs::base::Fd fd_;
    Area submissions_;
    Area completions_;
    Area entries_;
    // Byte offsets of the ring's fields in these areas.
    std::size_t tail_ = 0;
    std::size_t mask_ = 0;
    std::size_t array_ = 0;
    std::size_t done_head_ = 0;
    std::size_t done_tail_ = 0;
    std::size_t done_mask_ = 0;
    std::size_t done_ = 0;
};

} // namespace mmapstress
