#include "fusefs/file/backing_file.hpp"

#include "fusefs/backing/privileges.hpp"
#include "fusefs/base/try.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace partialfs::file {

using base::Fd;
using base::Result;
using model::ByteOffset;
using model::ByteRange;

namespace {

/// The result of a system call that returns 0 or -1.
Result<void> answer_of(int returned) {
    if (returned != 0) {
        return base::last_error();
    }
    return {};
}

} // namespace

Result<BackingFile::Handle> BackingFile::readable() {
    const base::Lock lock(mutex_);
    if (!fd_) {
        auto fd = TRY(one_.reopen(O_RDONLY));
        fd_ = std::move(fd);
        writable_ = false;
    }
    return fd_;
}

Result<BackingFile::Handle> BackingFile::writable() {
    const base::Lock lock(mutex_);
    if (!fd_ || !writable_) {
        Result<Handle> fd = one_.reopen(O_RDWR);
        if (!fd && fd.error().value == EACCES) {
            fd = one_.reopen(O_WRONLY);
        } else if (!fd && fd.error().value == EPERM) {
            fd = one_.reopen(O_RDWR | O_APPEND);
            append_only_ = fd.has_value();
        }
        if (!fd) {
            return fd;
        }
        fd_ = std::move(*fd);
        writable_ = true;
    }
    return fd_;
}

void BackingFile::adopt(Fd created) {
    const base::Lock lock(mutex_);
    if (created && !writable_) {
        fd_ = one_.keep(std::move(created));
        writable_ = true;
    }
}

void BackingFile::close() {
    Handle last; // closed after the lock
    const base::Lock lock(mutex_);
    last = std::exchange(fd_, nullptr);
    writable_ = false;
}

void BackingFile::close_for_now() {
    if (reopens_any_) {
        close();
    }
}

Result<std::size_t> BackingFile::read(ByteOffset offset, std::span<std::byte> target) {
    const auto fd = TRY(readable());
    return backing::read_all(io_, fd->get(), target, offset);
}

Result<void> BackingFile::read_image(ByteOffset offset, std::span<std::byte> target) {
    const auto got = TRY(read(offset, target));
    std::ranges::fill(target.subspan(got), std::byte{0});
    return {};
}

Result<void> BackingFile::write(ByteOffset offset, std::span<iovec> parts) {
    const auto fd = TRY(writable());
    return keep_privileges(fd->get(), [&] {
        return append_only_ ? append(fd->get(), offset, parts)
                            : backing::write_all(io_, fd->get(), parts, offset);
    });
}

template <typename Write>
Result<void> BackingFile::keep_privileges(int fd, const Write& write) {
    for (;;) {
        {
            const base::ReadLock lock(privileges_);
            if (privileged_ && !*privileged_) {
                return write();
            }
        }
        const base::WriteLock lock(privileges_);
        const auto had = TRY(backing::privileges_of(fd));
        privileged_ = had.has_value();
        if (had) {
            // Exclusive: another write could see the file without privileges that this one has just
            // made SOURCE drop, and would not give them back.
            const Result<void> done = write();
            const Result<void> given = backing::give_back(fd, *had);
            return done ? given : done;
        }
    }
}

Result<void> BackingFile::change_privileges(const std::function<Result<void>()>& change) {
    const base::WriteLock lock(privileges_);
    privileged_.reset();
    return change();
}

Result<void> BackingFile::append(int fd, ByteOffset offset, std::span<iovec> parts) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return base::last_error();
    }
    const ByteOffset size = model::offset_of(status.st_size);
    std::vector<std::byte> there;
    for (iovec& part : parts) {
        const ByteRange known = model::intersect({offset, offset + model::ByteCount{part.iov_len}},
                                                 {ByteOffset{0}, size});
        there.resize(known.empty() ? 0 : known.size().value);
        TRY(read_image(offset, there));
        if (std::memcmp(there.data(), part.iov_base, there.size()) != 0) {
            return base::failed(EPERM);
        }
        part.iov_base = static_cast<std::byte*>(part.iov_base) + there.size();
        part.iov_len -= there.size();
        offset = offset + model::ByteCount{there.size()};
        if (part.iov_len > 0) {
            break;
        }
    }
    const auto left =
        std::ranges::find_if(parts, [](const iovec& part) { return part.iov_len > 0; });
    if (left == parts.end()) {
        return {};
    }
    return offset == size ? backing::write_all(io_, fd, {left, parts.end()}, offset)
                          : base::failed(EPERM);
}

Result<void> BackingFile::truncate(ByteOffset size) {
    const auto fd = TRY(writable());
    return keep_privileges(fd->get(), [&] {
        return answer_of(io_.ftruncate(fd->get(), static_cast<off_t>(size.value)));
    });
}

Result<void> BackingFile::allocate(int mode, ByteRange range) {
    const auto fd = TRY(writable());
    return keep_privileges(fd->get(), [&] {
        return answer_of(io_.fallocate(fd->get(), mode, static_cast<off_t>(range.begin.value),
                                       static_cast<off_t>(range.size().value)));
    });
}

Result<void> BackingFile::set_mtime(const timespec& mtime) {
    const auto fd = TRY(writable());
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, mtime};
    const Result<void> set = answer_of(io_.futimens(fd->get(), times));
    return set || set.error().value == EPERM ? Result<void>{} : set;
}

void BackingFile::begin_sync() {
    if (const Result<Handle> fd = writable()) {
        ::sync_file_range((*fd)->get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    }
}

Result<void> BackingFile::sync(bool attributes) {
    Result<Handle> fd = writable();
    if (!fd) {
        fd = readable(); // to sync attributes of a file that the daemon may not write
    }
    if (!fd) {
        return std::unexpected(fd.error());
    }
    return answer_of(attributes ? io_.fsync((*fd)->get()) : io_.fdatasync((*fd)->get()));
}

bool BackingFile::has_data(model::PageIndex page) {
    const Result<Handle> fd = readable();
    if (!fd) {
        return false;
    }
    // On nearly every backing filesystem a block is as large as a page.
    const auto start = static_cast<off_t>(start_of(page).value);
    const off_t data = ::lseek((*fd)->get(), start, SEEK_DATA);
    return data >= 0 && data < start + static_cast<off_t>(model::kPageSize);
}

Result<struct stat> BackingFile::status() const {
    struct stat status{};
    if (::fstat(path_fd_.get(), &status) != 0) {
        return base::last_error();
    }
    return status;
}

} // namespace partialfs::file
