// Reading and writing whole small files.
#include "fusefs/backing/fd.hpp"
#include "tools/mmapstress/engine/test_file.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/system/failure.hpp"

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

} // namespace mmapstress
