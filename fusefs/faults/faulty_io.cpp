#include "fusefs/faults/faulty_io.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <span>
#include <vector>

namespace partialfs::faults {

namespace {

model::ByteRange range_at(off_t offset, std::uint64_t length) {
    const model::ByteOffset begin{static_cast<std::uint64_t>(offset)};
    return {begin, begin + model::ByteCount{length}};
}

std::size_t total(std::span<const iovec> parts) {
    std::size_t bytes = 0;
    for (const iovec& part : parts) {
        bytes += part.iov_len;
    }
    return bytes;
}

/// The first `most` bytes of the parts.
std::vector<iovec> first_bytes(std::span<const iovec> parts, std::uint64_t most) {
    std::vector<iovec> shorter(parts.begin(), parts.end());
    for (iovec& part : shorter) {
        part.iov_len = std::min<std::uint64_t>(part.iov_len, most);
        most -= part.iov_len;
    }
    return shorter;
}

} // namespace

std::string path_in_mount(int fd, const std::string& source) {
    std::array<char, PATH_MAX> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length <= 0) {
        return {};
    }
    std::string path(target.data(), static_cast<std::size_t>(length));
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) {
        path.resize(path.size() - kDeleted.size());
    }
    if (path == source) {
        return {};
    }
    const std::string prefix = source == "/" ? source : source + '/';
    return path.starts_with(prefix) ? path.substr(prefix.size()) : path.substr(path.rfind('/') + 1);
}

std::optional<Fault> FaultyIo::strike(Operation operation, int fd,
                                      std::optional<model::ByteRange> range) {
    return book_.strike({.operation = operation,
                         .range = range,
                         .paths = [&] { return std::vector{path_in_mount(fd, source_)}; },
                         .fd = fd});
}

template <typename Call>
int FaultyIo::guarded(Operation operation, int fd, std::optional<model::ByteRange> range,
                      Call call) {
    if (book_.any(Layer::disk)) [[unlikely]] {
        if (const auto fault = strike(operation, fd, range)) {
            if (fault->action == Action::error) {
                errno = fault->error.value;
                return -1;
            }
            if (fault->action == Action::skip) {
                backing::note_pretended();
                return 0;
            }
        }
    }
    return call();
}

ssize_t FaultyIo::pread(int fd, void* data, std::size_t size, off_t offset) {
    if (!book_.any(Layer::disk)) [[likely]] {
        return FileIo::pread(fd, data, size, offset);
    }
    const Fault fault = strike(Operation::pread, fd, range_at(offset, size)).value_or(Fault{});
    if (fault.action == Action::error) {
        errno = fault.error.value;
        return -1;
    }
    if (fault.action == Action::short_count) {
        size = std::min<std::uint64_t>(size, fault.amount);
    }
    const ssize_t got = FileIo::pread(fd, data, size, offset);
    if (got > 0) {
        const std::span<std::byte> bytes{static_cast<std::byte*>(data),
                                         static_cast<std::size_t>(got)};
        if (fault.action == Action::flip) {
            flip_bits(bytes, fault.amount, fault.seed);
        } else if (fault.action == Action::stale) {
            old_blocks_.lay_over(book_.wants_old_blocks(), fd, offset, bytes);
        }
    }
    return got;
}

ssize_t FaultyIo::pwritev(int fd, const iovec* parts, int count, off_t offset) {
    if (!book_.any(Layer::disk)) [[likely]] {
        return FileIo::pwritev(fd, parts, count, offset);
    }
    const std::size_t size = total({parts, static_cast<std::size_t>(count)});
    if (const auto fault = strike(Operation::pwrite, fd, range_at(offset, size))) {
        return pwritev_with(*fault, fd, parts, count, offset);
    }
    return pwritev_with(Fault{}, fd, parts, count, offset);
}

ssize_t FaultyIo::pwritev_with(const Fault& fault, int fd, const iovec* parts, int count,
                               off_t offset) {
    const std::span<const iovec> all{parts, static_cast<std::size_t>(count)};
    if (fault.action == Action::error) {
        errno = fault.error.value;
        return -1;
    }
    if (fault.action == Action::skip) {
        backing::note_pretended();
        return static_cast<ssize_t>(total(all));
    }
    if (const std::uint64_t period = book_.wants_old_blocks(); period != 0) {
        old_blocks_.note(period, fd, offset, total(all));
    }
    if (fault.action != Action::short_count && fault.action != Action::torn) {
        return FileIo::pwritev(fd, parts, count, offset);
    }
    const std::vector<iovec> shorter = first_bytes(all, fault.amount);
    const ssize_t put = FileIo::pwritev(fd, shorter.data(), count, offset);
    if (fault.action == Action::torn) {
        errno = fault.error.value;
        return -1;
    }
    return put;
}

int FaultyIo::fdatasync(int fd) {
    return guarded(Operation::fdatasync, fd, {}, [&] { return FileIo::fdatasync(fd); });
}

int FaultyIo::fsync(int fd) {
    return guarded(Operation::fsync, fd, {}, [&] { return FileIo::fsync(fd); });
}

int FaultyIo::syncfs(int fd) {
    return guarded(Operation::syncfs, fd, {}, [&] { return FileIo::syncfs(fd); });
}

int FaultyIo::ftruncate(int fd, off_t size) {
    return guarded(Operation::ftruncate, fd, {}, [&] { return FileIo::ftruncate(fd, size); });
}

int FaultyIo::fallocate(int fd, int mode, off_t offset, off_t length) {
    return guarded(Operation::fallocate, fd, range_at(offset, static_cast<std::uint64_t>(length)),
                   [&] { return FileIo::fallocate(fd, mode, offset, length); });
}

int FaultyIo::futimens(int fd, const timespec times[2]) {
    return guarded(Operation::futimens, fd, {}, [&] { return FileIo::futimens(fd, times); });
}

} // namespace partialfs::faults
