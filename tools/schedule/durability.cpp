#include "tools/schedule/durability.hpp"

namespace mmapstress {

Durable durable_after(const Op& op, CommitBy commit_by) {
    switch (op.kind) {
    case OpKind::msync:
        return Durable::range;
    case OpKind::fsync:
    case OpKind::fdatasync:
    case OpKind::evict:
    case OpKind::drop_pages:
        return Durable::file;
    case OpKind::sync:
        return Durable::all_files;
    case OpKind::commit:
        return commit_by == CommitBy::sibling ? Durable::nothing : Durable::all_files;
    default:
        return Durable::nothing;
    }
}

} // namespace mmapstress
