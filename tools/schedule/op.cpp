#include "tools/schedule/op.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr std::array<OpTraits, kOpKinds> kTraits{{
    // kind, name, file, map, offset, length, optional range, content, alone
    {OpKind::start_write, "start-write", true, false, true, true, false, true, true},
    {OpKind::store, "store", true, true, true, true, false, true, false},
    {OpKind::write, "write", true, false, true, true, false, true, false},
    {OpKind::append, "append", true, false, false, true, false, true, true},
    {OpKind::truncate, "truncate", true, false, false, true, false, false, true},
    {OpKind::punch, "punch", true, false, true, true, false, false, true},
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

std::optional<OpKind> kind_named(std::string_view name) {
    const auto* found = std::ranges::find(kTraits, name, &OpTraits::name);
    return found == kTraits.end() ? std::nullopt : std::optional{found->kind};
}

} // namespace mmapstress
