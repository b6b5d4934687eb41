#include "tools/mmapstress/engine/special_writes.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/aligned_buffer.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>

namespace mmapstress {

namespace {

constexpr long kPwritev2 =
#ifdef SYS_pwritev2
    SYS_pwritev2;
#else
    328; // x86-64
#endif
constexpr int kDontCache = 0x80; // RWF_DONTCACHE, Linux 6.14

} // namespace

Outcome<> write_direct(TestFile& file, std::span<const std::byte> bytes, ByteOffset offset) {
    const auto fd = TRY(file.direct());
    const AlignedBuffer aligned(bytes.size());
    std::ranges::copy(bytes, aligned.bytes().begin());
    return write_bytes(fd, aligned.bytes(), offset, file.path());
}

Outcome<> write_dontcache(const TestFile& file, std::span<const std::byte> bytes,
                          ByteOffset offset) {
    constexpr unsigned kHalf = 32;
    while (!bytes.empty()) {
        const iovec from{const_cast<std::byte*>(bytes.data()), bytes.size()};
        // The offset comes in two halves; a 64-bit kernel takes all of it from the first.
        const long put =
            ::syscall(kPwritev2, file.fd(), &from, 1UL, static_cast<unsigned long>(offset.value),
                      static_cast<unsigned long>(offset.value >> kHalf), kDontCache);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put < 0 ? failed("writing " + file.path() + " with RWF_DONTCACHE")
                           : refused("nothing was written to " + file.path());
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        offset.value += static_cast<std::uint64_t>(put);
    }
    return {};
}

} // namespace mmapstress
