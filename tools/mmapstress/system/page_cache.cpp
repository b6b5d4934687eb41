#include "tools/mmapstress/system/page_cache.hpp"

#include "fusefs/base/fd.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

namespace mmapstress {

namespace {

using partialfs::base::Fd;

constexpr int kMadvPageout = 21; // in <sys/mman.h> since glibc 2.30
constexpr long kCachestat = 451; // the same number on every architecture

struct CachestatRange {
    std::uint64_t offset;
    std::uint64_t length;
};
struct Cachestat {
    std::uint64_t cached;
    std::uint64_t dirty;
    std::uint64_t writeback;
    std::uint64_t evicted;
    std::uint64_t recently_evicted;
};

Outcome<std::uint64_t> count_by_mincore(int fd, ByteCount size) {
    constexpr std::uint64_t kWindow = std::uint64_t{1} << 30U;
    std::vector<unsigned char> present((std::min(kWindow, size.value) + kPageSize - 1) / kPageSize);
    std::uint64_t pages = 0;
    for (std::uint64_t at = 0; at < size.value; at += kWindow) {
        const std::uint64_t length = std::min(kWindow, size.value - at);
        void* const window =
            ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(at));
        if (window == MAP_FAILED) {
            return failed("cannot map the file to look at its pages");
        }
        const int result = ::mincore(window, length, present.data());
        const int error = errno;
        ::munmap(window, length);
        if (result != 0) {
            return failed("cannot find out which pages are in the page cache (mincore)",
                          Errno{error});
        }
        const auto end =
            present.begin() + static_cast<std::ptrdiff_t>((length + kPageSize - 1) / kPageSize);
        pages += static_cast<std::uint64_t>(std::count_if(
            present.begin(), end, [](unsigned char page) { return (page & 1U) != 0; }));
    }
    return pages;
}

/// Asks the kernel to drop the clean pages of the whole system. Returns whether that was possible.
bool drop_all_caches() {
    const auto control = Fd::open(AT_FDCWD, "/proc/sys/vm/drop_caches", O_WRONLY);
    return control && ::write(control->get(), "1\n", 2) == 2;
}

} // namespace

Outcome<std::uint64_t> cached_pages(int fd, ByteCount size) {
    if (size.value == 0) {
        return 0;
    }
    // cachestat looks at the file that was opened. On overlayfs the pages belong to another file,
    // the one below, which is also the one that is mapped.
    CachestatRange range{0, size.value};
    Cachestat found{};
    if (::syscall(kCachestat, fd, &range, &found, 0) != 0) {
        found = {}; // Linux before 6.5
    }
    const auto mapped = count_by_mincore(fd, size);
    return mapped ? std::max(found.cached + found.writeback, *mapped) : mapped;
}

void ask_to_leave(std::span<std::byte> mapping, int fd) {
    // Errors are ignored: pages that are left are asked again. MADV_RANDOM, as the readahead of
    // each fault would bring back far more than one page. Mapped pages are not dropped, so the
    // order of the last two calls matters.
    ::madvise(mapping.data(), mapping.size(), MADV_RANDOM);
    ::madvise(mapping.data(), mapping.size(), kMadvPageout);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

bool pages_can_be_asked_to_leave() {
    void* const page = ::mmap(nullptr, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    const bool known = ::madvise(page, 1, kMadvPageout) == 0;
    ::munmap(page, 1);
    return known;
}

Outcome<> drop_pages(int fd, ByteCount size) {
    constexpr int kAttempts = 20;
    Outcome<std::uint64_t> left = 0;
    for (int attempt = 0; attempt <= kAttempts; ++attempt) {
        if (attempt != 0 && ::fsync(fd) != 0) {
            return failed("cannot write the pages back (fsync)");
        }
        if (attempt == kAttempts && !drop_all_caches()) {
            break;
        }
        if (const int error = ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); error != 0) {
            return failed("cannot drop the pages (posix_fadvise)", Errno{error});
        }
        left = cached_pages(fd, size);
        if (!left || *left == 0) {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(attempt));
    }
    if (!left) {
        return std::unexpected(left.error());
    }
    if (*left != 0) {
        return refused(std::to_string(*left) + " pages would not leave the page cache");
    }
    return {};
}

} // namespace mmapstress
