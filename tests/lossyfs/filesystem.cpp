#include "tests/lossyfs/filesystem.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lossyfs {

std::vector<std::byte> Filesystem::read_all(int fd, ByteRange range) {
    std::vector<std::byte> bytes(range.size().value);
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::pread(fd, bytes.data() + done, bytes.size() - done,
                                    static_cast<off_t>(range.begin.value + done));
        if (got <= 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

int Filesystem::write(const std::string& path, int fd, ByteOffset offset,
                      std::span<const std::byte> data) {
    dropped_.written(path, offset, data, [&](ByteRange range) { return read_all(fd, range); });
    std::size_t done = 0;
    while (done < data.size()) {
        const ssize_t put = ::pwrite(fd, data.data() + done, data.size() - done,
                                     static_cast<off_t>(offset.value + done));
        if (put < 0) {
            return -errno;
        }
        done += static_cast<std::size_t>(put);
    }
    return 0;
}

int Filesystem::write_page(const std::string& path, int fd, ByteOffset offset,
                           std::span<const std::byte> data) {
    ++pages_;
    if (pages_ % every_ != 0) {
        return write(path, fd, offset, data);
    }
    // Drops another block each time, by a fixed rule: the same run loses the same blocks.
    const std::uint64_t blocks = (data.size() + block_size_.bytes() - 1) / block_size_.bytes();
    const std::size_t first = (drops_ * 7 % blocks) * block_size_.bytes();
    const std::size_t last = std::min<std::size_t>(first + block_size_.bytes(), data.size());
    if (const int error = write(path, fd, offset, data.first(first)); error != 0) {
        return error;
    }
    const ByteOffset block{offset.value + first};
    ++drops_;
    log_ << nlohmann::json{{"event", "drop"},
                           {"path", path},
                           {"offset", block.value},
                           {"length", last - first}}
         << '\n';
    dropped_.dropped(path, block, data.subspan(first, last - first),
                     read_all(fd, {block, ByteOffset{block.value + block_size_.bytes()}}));
    // A page at the end of the file extends the file even if its last block is dropped.
    const auto size = ::lseek(fd, 0, SEEK_END);
    if (size >= 0 && static_cast<std::uint64_t>(size) < offset.value + data.size() &&
        ::ftruncate(fd, static_cast<off_t>(offset.value + data.size())) != 0) {
        return -errno;
    }
    return write(path, fd, ByteOffset{offset.value + last}, data.subspan(last));
}

void Filesystem::finish() {
    for (const Owed& owed : dropped_.owed()) {
        log_ << nlohmann::json{{"event", "lost"},
                               {"path", owed.path},
                               {"offset", owed.bytes.begin.value},
                               {"length", owed.bytes.size().value}}
             << '\n';
    }
    log_ << nlohmann::json{{"event", "end"}, {"pages", pages_}, {"drops", drops_}} << '\n';
    log_.flush();
}

} // namespace lossyfs
