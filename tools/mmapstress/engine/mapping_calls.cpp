#include "tools/mmapstress/engine/mapping_calls.hpp"

#include <sys/mman.h>

namespace mmapstress {

namespace {

// In <sys/mman.h> since glibc 2.30.
constexpr int kMadvCold = 20;
constexpr int kMadvPageout = 21;

} // namespace

bool is_call_on_mapping(OpKind kind) {
    switch (kind) {
    case OpKind::msync:
    case OpKind::msync_async:
    case OpKind::mprotect:
    case OpKind::madvise_dontneed:
    case OpKind::madvise_pageout:
    case OpKind::madvise_cold:
        return true;
    default:
        return false;
    }
}

Outcome<> call_on_mapping(OpKind kind, std::span<std::byte> mapped, const std::string& path) {
    if (mapped.empty()) {
        return {};
    }
    const auto succeeded = [&](int result, const char* call) -> Outcome<> {
        return result == 0 ? Outcome<>{} : failed(std::string(call) + " of " + path);
    };
    const auto advised = [&](int advice) {
        return succeeded(::madvise(mapped.data(), mapped.size(), advice), "madvise");
    };
    switch (kind) {
    case OpKind::msync:
        return succeeded(::msync(mapped.data(), mapped.size(), MS_SYNC), "msync");
    case OpKind::msync_async:
        return succeeded(::msync(mapped.data(), mapped.size(), MS_ASYNC), "msync");
    case OpKind::mprotect:
        if (::mprotect(mapped.data(), mapped.size(), PROT_READ) != 0) {
            return failed("mprotect of " + path);
        }
        return succeeded(::mprotect(mapped.data(), mapped.size(), PROT_READ | PROT_WRITE),
                         "mprotect");
    case OpKind::madvise_dontneed:
        return advised(MADV_DONTNEED);
    case OpKind::madvise_pageout:
        return advised(kMadvPageout);
    case OpKind::madvise_cold:
        return advised(kMadvCold);
    default:
        return refused("not a call on a mapping: " + std::string(traits_of(kind).name));
    }
}

} // namespace mmapstress
