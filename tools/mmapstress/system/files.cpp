#include "tools/mmapstress/system/files.hpp"

#include "fusefs/backing/fd.hpp"

#include <array>
#include <cstdio>

namespace mmapstress {

using partialfs::backing::Fd;

std::expected<std::string, std::string> read_file(const std::string& path) {
    const auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY);
    if (!fd) {
        errno = fd.error().value;
        return std::unexpected(failed("cannot open " + path).error().message());
    }
    std::string text;
    std::array<char, 65536> part; // NOLINT: filled before it is read
    while (true) {
        const ssize_t got = ::read(fd->get(), part.data(), part.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::unexpected(failed("cannot read " + path).error().message());
        }
        if (got == 0) {
            return text;
        }
        text.append(part.data(), static_cast<std::size_t>(got));
    }
}

std::expected<void, std::string> write_file_atomically(const std::string& path,
                                                       std::string_view text) {
    const std::string temporary = path + ".tmp." + std::to_string(::getpid());
    auto fd = Fd::open(AT_FDCWD, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!fd) {
        errno = fd.error().value;
        return std::unexpected(failed("cannot create " + temporary).error().message());
    }
    Outcome<> done =
        write_bytes(fd->get(), std::as_bytes(std::span(text)), ByteOffset{0}, temporary);
    if (done && ::fsync(fd->get()) != 0) {
        done = failed("cannot sync " + temporary);
    }
    fd->reset();
    if (done && std::rename(temporary.c_str(), path.c_str()) != 0) {
        done = failed("cannot rename " + temporary + " to " + path);
    }
    if (!done) {
        ::unlink(temporary.c_str());
        return std::unexpected(done.error().message());
    }
    return {};
}

std::optional<std::string> unwritable(const std::string& path) {
    if (path.empty()) {
        return std::nullopt;
    }
    const std::string probe = path + ".probe";
    if (const auto written = write_file_atomically(probe, ""); !written) {
        return written.error();
    }
    ::unlink(probe.c_str());
    return std::nullopt;
}

Outcome<> write_bytes(int fd, std::span<const std::byte> bytes, ByteOffset offset,
                      const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset.value));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            if (written == 0) {
                errno = ENOSPC;
            }
            return failed("cannot write to " + path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset.value += static_cast<std::uint64_t>(written);
    }
    return {};
}

Outcome<std::size_t> read_bytes(int fd, std::span<std::byte> out, ByteOffset offset,
                                const std::string& path) {
    std::size_t total = 0;
    while (total != out.size()) {
        const ssize_t got = ::pread(fd, out.data() + total, out.size() - total,
                                    static_cast<off_t>(offset.value + total));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EINVAL && total % kPageSize != 0) {
            break; // O_DIRECT, after the file's last, partial block
        }
        if (got < 0) {
            return failed("cannot read " + path + " at " + std::to_string(offset.value + total));
        }
        if (got == 0) {
            break;
        }
        total += static_cast<std::size_t>(got);
    }
    return total;
}

} // namespace mmapstress
