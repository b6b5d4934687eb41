#include "tools/schedule/op.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

/// What O_DIRECT asks of offsets and lengths on disks with sectors of 512 bytes.
constexpr std::uint32_t kDirectUnit = 512;

constexpr std::array<OpTraits, kOpKinds> kTraits{{
    // kind, name, file, map, offset, length, optional range, content, alone
    {OpKind::start_write, "start-write", true, false, true, true, false, true, true},
    {OpKind::store, "store", true, true, true, true, false, true, false},
    {OpKind::write, "write", true, false, true, true, false, true, false},
    {OpKind::append, "append", true, false, false, true, false, true, false},
    {OpKind::truncate, "truncate", true, false, false, true, false, false, false},
    {OpKind::punch, "punch", true, false, true, true, false, false, false, true},
    {OpKind::msync, "msync", true, true, true, true, true, false, false},
    {OpKind::msync_async, "msync-async", true, true, true, true, true, false, false},
    {OpKind::fsync, "fsync", true, false, false, false, false, false, false},
    {OpKind::fdatasync, "fdatasync", true, false, false, false, false, false, false},
    {OpKind::sync_file_range, "sync_file_range", true, false, true, true, false, false, false},
    {OpKind::commit, "commit", false, false, false, false, false, false, false},
    {OpKind::sync, "sync", false, false, false, false, false, false, false},
    {OpKind::map, "map", true, true, true, true, true, false, true},
    {OpKind::unmap, "unmap", true, true, false, false, false, false, true},
    {OpKind::remap, "remap", true, true, false, false, false, false, true},
    {OpKind::fork_store, "fork-store", true, true, true, true, false, true, false},
    {OpKind::evict, "evict", true, false, false, false, false, false, true},
    {OpKind::read_check, "read-check", true, false, true, true, true, false, true},
    {OpKind::live_check, "live-check", true, true, true, true, true, false, true},
    {OpKind::direct_read_check, "direct-read-check", true, false, true, true, true, false, true},
    {OpKind::pause, "pause", false, false, false, false, false, false, false},
    {OpKind::fchmod, "fchmod", true, false, false, false, false, false, false},
    {OpKind::read_fault, "read-fault", true, true, true, false, false, false, false},
    {OpKind::mprotect, "mprotect", true, true, false, false, false, false, true},
    {OpKind::madvise_dontneed, "madvise-dontneed", true, true, true, true, false, false, false},
    // ..., may lack, by the kernel, unit
    {OpKind::direct_read_store, "direct-read-store", true, true, true, true, false, true, false,
     true, true, kDirectUnit},
    {OpKind::uring_read_store, "uring-read-store", true, true, true, true, false, true, false, true,
     true, kDirectUnit},
    {OpKind::uring_fixed_store, "uring-fixed-store", true, true, true, true, false, true, false,
     true, true, kDirectUnit},
    {OpKind::vm_write_store, "vm-write-store", true, true, true, true, false, true, false, true,
     true},
    {OpKind::read_store, "read-store", true, true, true, true, false, true, false, true, true},
    {OpKind::recvmsg_store, "recvmsg-store", true, true, true, true, false, true, false, true,
     true},
    {OpKind::start_writeback, "start-writeback", true, false, true, true, false, false, false,
     true},
    {OpKind::zero_range, "zero-range", true, false, true, true, false, false, false, true},
    {OpKind::direct_write, "direct-write", true, false, true, true, false, true, false, true, false,
     kDirectUnit},
    {OpKind::dontcache_write, "dontcache-write", true, false, true, true, false, true, false, true},
    {OpKind::mremap, "mremap", true, true, false, false, false, false, true, true},
    {OpKind::madvise_pageout, "madvise-pageout", true, true, true, true, false, false, false, true},
    {OpKind::madvise_cold, "madvise-cold", true, true, true, true, false, false, false, true},
    {OpKind::collapse, "collapse", true, false, true, true, false, false, false, true, false,
     kPageSize},
    {OpKind::insert, "insert", true, false, true, true, false, false, false, true, false,
     kPageSize},
    {OpKind::copy, "copy", true, false, true, true, false, false, false, true, false, 1, true},
    {OpKind::clone, "clone", true, false, true, true, false, false, false, true, false, kPageSize,
     true},
    {OpKind::past_eof_store, "past-eof-store", true, true, true, true, false, true, false},
    {OpKind::clone_file, "clone-file", true, false, false, true, false, false, false, true, false,
     1, true},
    {OpKind::drop_pages, "drop-pages", true, false, false, false, false, false, false},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kTraits.size(); ++i) {
        if (static_cast<std::size_t>(kTraits[i].kind) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(), "the table must follow the enumeration");

} // namespace

const OpTraits& traits_of(OpKind kind) {
    return kTraits[static_cast<std::size_t>(kind)];
}

OpSet kinds_with(bool OpTraits::* trait) {
    OpSet set;
    for (const OpTraits& traits : kTraits) {
        set[static_cast<std::size_t>(traits.kind)] = traits.*trait;
    }
    return set;
}

std::optional<OpKind> kind_named(std::string_view name) {
    const auto* found = std::ranges::find(kTraits, name, &OpTraits::name);
    return found == kTraits.end() ? std::nullopt : std::optional{found->kind};
}

} // namespace mmapstress
