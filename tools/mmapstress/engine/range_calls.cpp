#include "tools/mmapstress/engine/range_calls.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mmapstress {

namespace {

/// The system call itself, as a C library may not have it for kernels that do not.
long fallocate_range(const TestFile& file, const Op& op, int mode) {
    return ::syscall(SYS_fallocate, file.fd(), mode, static_cast<off_t>(op.offset.value),
                     static_cast<off_t>(op.length.value));
}

long sync_range(const TestFile& file, const Op& op, unsigned flags) {
    return ::sync_file_range(file.fd(), static_cast<off_t>(op.offset.value),
                             static_cast<off_t>(op.length.value), flags);
}

} // namespace

bool is_call_on_range(OpKind kind) {
    switch (kind) {
    case OpKind::truncate:
    case OpKind::punch:
    case OpKind::zero_range:
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

} // namespace mmapstress
