// The operations whose bytes the kernel stores into a mapping: O_DIRECT and io_uring reads,
// process_vm_writev(), read(2) and recvmsg(2).
//
// The kernel reaches the page by get_user_pages() or by its own page fault. It marks the page dirty
// itself, after the last byte. The filesystem may have cleaned the page in between.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/engine/helper_file.hpp"
#include "tools/mmapstress/system/aligned_buffer.hpp"
#include "tools/mmapstress/system/uring.hpp"
#include "tools/schedule/op.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>

namespace mmapstress {

/// The file, buffer, ring and sockets of one worker for such stores, made at first use. Not
/// thread-safe.
class KernelStores {
  public:
    /// The helper file is made in this directory.
    explicit KernelStores(std::string directory) : directory_(std::move(directory)) {}

    /// Makes the kernel store `bytes` into `mapped`, which has the same length. `kind`, which must
    /// be one that is by_kernel (op.hpp), says how. The failure has the errno of the call that
    /// failed.
    Outcome<> store(OpKind kind, std::span<std::byte> mapped, std::span<const std::byte> bytes);

  private:
    /// Reads some bytes into a part of the mapping, and returns how many.
    using Read = Outcome<std::size_t> (KernelStores::*)(std::span<std::byte> to, ByteOffset from);

    Outcome<> through_direct(Read read, std::span<std::byte> mapped,
                             std::span<const std::byte> bytes);
    Outcome<> through_cache(std::span<std::byte> mapped, std::span<const std::byte> bytes);
    Outcome<std::size_t> read_direct(std::span<std::byte> to, ByteOffset from);
    Outcome<std::size_t> read_uring(std::span<std::byte> to, ByteOffset from);
    Outcome<std::size_t> read_uring_fixed(std::span<std::byte> to, ByteOffset from);
    Outcome<> from_child(std::span<std::byte> mapped, std::span<const std::byte> bytes);
    Outcome<> from_socket(std::span<std::byte> mapped, std::span<const std::byte> bytes);
    Outcome<HelperFile*> helper();
    Outcome<Uring*> ring();

    std::string directory_;
    std::optional<HelperFile> helper_;
    std::optional<AlignedBuffer> buffer_;
    std::optional<Uring> ring_;
    std::array<partialfs::base::Fd, 2> sockets_;
};

} // namespace mmapstress
