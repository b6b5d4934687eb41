#include "tools/mmapstress/system/files.hpp"

#include "fusefs/base/fd.hpp"

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace mmapstress {

using partialfs::base::Fd;

std::expected<std::string, std::string> read_file(const std::string& path) {
    const auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY);
    if (!fd) {
        return std::unexpected(failed("cannot open " + path, fd.error()).error().message());
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

namespace {

/// The path with its symbolic links followed; `path` itself if nothing is there yet.
std::string resolved(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                           &std::free);
    return real ? std::string(real.get()) : path;
}

Outcome<> write_stream(const std::string& path, std::string_view text) {
    const auto fd = Fd::open(AT_FDCWD, path.c_str(), O_WRONLY);
    if (!fd) {
        return failed("cannot open " + path, fd.error());
    }
    while (!text.empty()) {
        const ssize_t written = ::write(fd->get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return failed("cannot write to " + path);
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Outcome<> replace_file(const std::string& path, std::string_view text) {
    const std::string temporary = path + ".tmp." + std::to_string(::getpid());
    auto fd = Fd::open(AT_FDCWD, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!fd) {
        return failed("cannot create " + temporary, fd.error());
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
    }
    return done;
}

} // namespace

bool is_special_file(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
}

std::expected<void, std::string> write_file_atomically(const std::string& path,
                                                       std::string_view text) {
    const Outcome<> done =
        is_special_file(path) ? write_stream(path, text) : replace_file(resolved(path), text);
    if (!done) {
        return std::unexpected(done.error().message());
    }
    return {};
}

std::optional<std::string> unwritable(const std::string& path) {
    if (path.empty()) {
        return std::nullopt;
    }
    if (is_special_file(path)) {
        if (::access(path.c_str(), W_OK) != 0) {
            return failed("cannot write to " + path).error().message();
        }
        return std::nullopt;
    }
    struct stat found{};
    if (::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) {
        return path + " is a directory";
    }
    const std::string probe = resolved(path) + ".probe";
    if (const auto written = replace_file(probe, ""); !written) {
        return written.error().message();
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
            return failed("cannot write to " + path, written == 0 ? Errno{ENOSPC} : Errno::last());
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
