#include "fusefs/file/backing_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace partialfs::file {

using base::Fd;
using base::Result;

Result<int> BackingFile::readable() {
    if (!fd_) {
        Result<Fd> fd = base::reopen(path_fd_, O_RDONLY);
        if (!fd) {
            return std::unexpected(fd.error());
        }
        fd_ = one_.keep(std::move(*fd));
        writable_ = false;
    }
    return fd_->get();
}

Result<int> BackingFile::writable() {
    if (!fd_ || !writable_) {
        Result<Fd> fd = base::reopen(path_fd_, O_RDWR);
        if (!fd && fd.error().value == EACCES) {
            fd = base::reopen(path_fd_, O_WRONLY);
        }
        if (!fd) {
            return std::unexpected(fd.error());
        }
        fd_ = one_.keep(std::move(*fd));
        writable_ = true;
    }
    return fd_->get();
}

Result<void> BackingFile::read(backing::FileIo& io, model::ByteOffset offset,
                               std::span<std::byte> target) {
    const Result<int> fd = readable();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const Result<std::size_t> got = backing::read_all(io, *fd, target, offset);
    if (!got) {
        return std::unexpected(got.error());
    }
    std::ranges::fill(target.subspan(*got), std::byte{0});
    return {};
}

void BackingFile::adopt(Fd created) {
    if (created && !writable_) {
        fd_ = one_.keep(std::move(created));
        writable_ = true;
    }
}

} // namespace partialfs::file
