#include "tools/schedule/page_history.hpp"

#include "tools/schedule/op_effect.hpp"

#include <optional>

namespace mmapstress {
namespace {

bool touches(ByteRange range, PageIndex page) {
    return !intersect(range, partialfs::model::range_of(page)).empty();
}

/// How `op` concerns the page, whose file has `size` bytes before it; nothing if it does not.
std::optional<Touch> touch_of(const Op& op, FileIndex file, PageIndex page, ByteCount size) {
    const bool same_file = traits_of(op.kind).has_file && op.file == file;
    // The operation is of all of the file, or its range touches the page.
    const bool in_range = same_file && (op.length.value == 0 || touches(op.range(), page));
    const auto if_in_range = [&](Touch touch) {
        return in_range ? std::optional{touch} : std::nullopt;
    };
    if (traits_of(op.kind).has_content) {
        return if_in_range(Touch::content);
    }
    switch (op.kind) {
    case OpKind::truncate:
    case OpKind::punch:
    case OpKind::zero_range:
    case OpKind::collapse:
    case OpKind::insert:
    case OpKind::copy:
    case OpKind::clone:
    case OpKind::clone_file:
        return same_file && touches(changed_bytes(op, size), page) ? std::optional{Touch::content}
                                                                   : std::nullopt;
    case OpKind::msync:
    case OpKind::sync_file_range:
    case OpKind::start_writeback:
    case OpKind::madvise_pageout:
        return if_in_range(Touch::flush);
    case OpKind::fsync:
    case OpKind::fdatasync:
    case OpKind::evict:
    case OpKind::drop_pages:
        return same_file ? Touch::flush : Touch::commit;
    case OpKind::direct_read_check:
    case OpKind::unmap:
    case OpKind::remap:
        return same_file ? std::optional{Touch::flush} : std::nullopt;
    case OpKind::sync:
        return Touch::flush;
    case OpKind::commit:
        return Touch::commit;
    case OpKind::msync_async:
    case OpKind::map:
    case OpKind::read_check:
    case OpKind::live_check:
    case OpKind::mprotect:
    case OpKind::madvise_dontneed:
    case OpKind::madvise_cold:
    case OpKind::mremap:
        return if_in_range(Touch::other);
    case OpKind::read_fault:
        return same_file && partialfs::model::page_of(op.offset) == page
                   ? std::optional{Touch::other}
                   : std::nullopt;
    default:
        break; // they concern no page
    }
    return std::nullopt;
}

} // namespace

std::vector<HistoryEntry> page_history(const Schedule& schedule, FileIndex file, PageIndex page,
                                       OpId until) {
    std::vector<HistoryEntry> history;
    OpChecker sizes{schedule.header};
    const auto take = [&](Op op) {
        const ByteCount size = traits_of(op.kind).has_file ? sizes.size(op.file) : ByteCount{0};
        if (sizes.check(op)) {
            return; // such an operation was not carried out either
        }
        if (op.kind == OpKind::append) {
            op.offset = ByteOffset{size.value};
        }
        const auto touch = touch_of(op, file, page, size);
        if (!touch) {
            return;
        }
        if (!history.empty() && history.back().touch == *touch &&
            (*touch == Touch::commit || *touch == Touch::flush)) {
            ++history.back().count;
            history.back().last = op.id;
        } else {
            history.push_back({op, *touch, 1, op.id});
        }
    };
    for (const std::vector<Op>* ops : {&schedule.header.start_writes, &schedule.ops}) {
        for (const Op& op : *ops) {
            if (op.id > until) {
                return history;
            }
            take(op);
        }
    }
    return history;
}

} // namespace mmapstress
