#include "tools/schedule/durability.hpp"

namespace mmapstress {

SyncReaches sync_reaches(std::string_view filesystem) {
    return filesystem.starts_with("fuse") || filesystem == "virtiofs" || filesystem == "9p"
               ? SyncReaches::nothing
               : SyncReaches::disk;
}

Durable durable_after(const Op& op, CommitBy commit_by, SyncReaches sync) {
    const Durable synced = sync == SyncReaches::disk ? Durable::all_files : Durable::nothing;
    switch (op.kind) {
    case OpKind::msync:
        return Durable::range;
    case OpKind::fsync:
    case OpKind::fdatasync:
    case OpKind::evict:
    case OpKind::drop_pages:
        return Durable::file;
    case OpKind::sync:
        return synced;
    case OpKind::commit:
        return commit_by == CommitBy::sibling ? Durable::nothing : synced;
    default:
        return Durable::nothing;
    }
}

} // namespace mmapstress
