#include "fusefs/backing/file_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

namespace partialfs::backing {

namespace {
thread_local bool pretended = false;
} // namespace

ssize_t FileIo::pread(int fd, void* data, std::size_t size, off_t offset) {
    return below_ == nullptr ? ::pread(fd, data, size, offset)
                             : below_->pread(fd, data, size, offset);
}
ssize_t FileIo::pwritev(int fd, const iovec* parts, int count, off_t offset) {
    return below_ == nullptr ? ::pwritev(fd, parts, count, offset)
                             : below_->pwritev(fd, parts, count, offset);
}
int FileIo::fdatasync(int fd) {
    return below_ == nullptr ? ::fdatasync(fd) : below_->fdatasync(fd);
}
int FileIo::fsync(int fd) {
    return below_ == nullptr ? ::fsync(fd) : below_->fsync(fd);
}
int FileIo::syncfs(int fd) {
    return below_ == nullptr ? ::syncfs(fd) : below_->syncfs(fd);
}
int FileIo::ftruncate(int fd, off_t size) {
    return below_ == nullptr ? ::ftruncate(fd, size) : below_->ftruncate(fd, size);
}
int FileIo::fallocate(int fd, int mode, off_t offset, off_t length) {
    return below_ == nullptr ? ::fallocate(fd, mode, offset, length)
                             : below_->fallocate(fd, mode, offset, length);
}
int FileIo::futimens(int fd, const timespec times[2]) {
    return below_ == nullptr ? ::futimens(fd, times) : below_->futimens(fd, times);
}

void note_pretended() {
    pretended = true;
}
bool take_pretended() {
    return std::exchange(pretended, false);
}

base::Result<std::size_t> read_all(FileIo& io, int fd, std::span<std::byte> data,
                                   model::ByteOffset offset) {
    std::size_t done = 0;
    while (done < data.size()) {
        const ssize_t got = io.pread(fd, data.data() + done, data.size() - done,
                                     static_cast<off_t>(offset.value + done));
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return base::last_error();
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

base::Result<void> write_all(FileIo& io, int fd, std::span<iovec> parts, model::ByteOffset offset) {
    auto position = static_cast<off_t>(offset.value);
    while (!parts.empty()) {
        const int count = static_cast<int>(std::min<std::size_t>(parts.size(), IOV_MAX));
        const ssize_t put = io.pwritev(fd, parts.data(), count, position);
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return base::last_error();
        }
        position += put;
        auto left = static_cast<std::size_t>(put);
        bool advanced = left > 0;
        while (!parts.empty() && left >= parts.front().iov_len) {
            advanced = advanced || parts.front().iov_len == 0;
            left -= parts.front().iov_len;
            parts = parts.subspan(1);
        }
        if (!parts.empty()) {
            parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + left;
            parts.front().iov_len -= left;
            if (!advanced) {
                return base::failed(ENOSPC);
            }
        }
    }
    return {};
}

} // namespace partialfs::backing
