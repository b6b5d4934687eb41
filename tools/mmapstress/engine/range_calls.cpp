#include "tools/mmapstress/engine/range_calls.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mmapstress {

namespace {

constexpr long kCopyFileRange =
#ifdef SYS_copy_file_range
    SYS_copy_file_range;
#else
    326; // x86-64
#endif

/// The system call itself: the C library of an old system may not have the function.
long fallocate_range(const TestFile& file, const Op& op, int mode) {
    return ::syscall(SYS_fallocate, file.fd(), mode, static_cast<off_t>(op.offset.value),
                     static_cast<off_t>(op.length.value));
}

long sync_range(const TestFile& file, const Op& op, unsigned flags) {
    return ::sync_file_range(file.fd(), static_cast<off_t>(op.offset.value),
                             static_cast<off_t>(op.length.value), flags);
}

Outcome<> copy_bytes(const TestFile& source, const TestFile& file, const Op& op) {
    loff_t from = static_cast<loff_t>(op.from.value);
    loff_t to = static_cast<loff_t>(op.offset.value);
    for (std::uint64_t left = op.length.value; left != 0;) {
        const long copied = ::syscall(kCopyFileRange, source.fd(), &from, file.fd(), &to, left, 0U);
        if (copied <= 0) {
            return copied < 0 ? failed("copy_file_range to " + file.path())
                              : refused("nothing was copied to " + file.path());
        }
        left -= static_cast<std::uint64_t>(copied);
    }
    return {};
}

} // namespace

bool is_call_on_range(OpKind kind) {
    switch (kind) {
    case OpKind::truncate:
    case OpKind::punch:
    case OpKind::zero_range:
    case OpKind::collapse:
    case OpKind::insert:
    case OpKind::sync_file_range:
    case OpKind::start_writeback:
        return true;
    default:
        return false;
    }
}

Outcome<> call_on_range(const TestFile& file, const Op& op) {
    const auto succeeded = [&](long result, const char* call) -> Outcome<> {
        return result == 0 ? Outcome<>{} : failed(std::string(call) + " of " + file.path());
    };
    switch (op.kind) {
    case OpKind::truncate:
        return succeeded(::ftruncate(file.fd(), static_cast<off_t>(op.length.value)), "ftruncate");
    case OpKind::punch:
        return succeeded(fallocate_range(file, op, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE),
                         "punching a hole");
    case OpKind::zero_range:
        return succeeded(fallocate_range(file, op, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE),
                         "zeroing a range");
    case OpKind::collapse:
        return succeeded(fallocate_range(file, op, FALLOC_FL_COLLAPSE_RANGE), "collapsing a range");
    case OpKind::insert:
        return succeeded(fallocate_range(file, op, FALLOC_FL_INSERT_RANGE), "inserting a range");
    case OpKind::sync_file_range:
        return succeeded(sync_range(file, op,
                                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                        SYNC_FILE_RANGE_WAIT_AFTER),
                         "sync_file_range");
    case OpKind::start_writeback:
        return succeeded(sync_range(file, op, SYNC_FILE_RANGE_WRITE), "sync_file_range");
    default:
        return refused("not a call on a range: " + std::string(traits_of(op.kind).name));
    }
}

Outcome<> copy_range(const TestFile& source, const TestFile& file, const Op& op) {
    if (op.kind == OpKind::copy) {
        return copy_bytes(source, file, op);
    }
    if (op.kind == OpKind::clone_file) {
        return ::ioctl(file.fd(), FICLONE, source.fd()) == 0
                   ? Outcome<>{}
                   : failed("cloning " + source.path() + " to " + file.path());
    }
    file_clone_range range{};
    range.src_fd = source.fd();
    range.src_offset = op.from.value;
    range.src_length = op.length.value;
    range.dest_offset = op.offset.value;
    return ::ioctl(file.fd(), FICLONERANGE, &range) == 0
               ? Outcome<>{}
               : failed("cloning a range to " + file.path());
}

} // namespace mmapstress
