#include "fusefs/file/resize.hpp"

#include "fusefs/base/try.hpp"
#include "fusefs/file/left_out.hpp"
#include "fusefs/file/sparse_view.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace partialfs::file {

using base::Result;
using model::ByteOffset;
using model::ByteRange;
using model::FileState;
using model::intersect;

namespace {

/// Notes the parts of `range` in pages that it covers only partly: the kernel zeroes them in its
/// cache after the answer (and drops the pages that are covered wholly).
void lock_note_zeroed_edges(FileParts& file, ByteRange range) REQUIRES(file.mutex) {
    for (const model::PageIndex page : {range.first_page(), range.last_page()}) {
        const ByteRange edge = intersect(range, range_of(page));
        if (edge != range_of(page)) {
            file.held.behind_cache(edge, /*zeroed=*/true);
        }
    }
}

} // namespace

Result<void> truncate(FileParts& file, ByteOffset size) {
    const base::Lock disk(file.disk);
    FileLock lock(file);
    const FileState::Truncation plan = file.state.plan_truncate(size, file.policy());
    if (plan.straddles) {
        file.lock_learn_allocation({size, ByteOffset{size.value + 1}});
    }
    bool pretended = false;
    if (plan.on_disk) {
        const UnlockedForDisk unlocked(file, lock);
        TRY(file.backing.truncate(size));
        pretended = backing::take_pretended();
    } else {
        TRY(file.backing.writable());
    }
    if (size < file.state.size()) {
        const ByteRange gone{size, model::kBehindAll};
        file.held.drop(gone);
        file.hashes.erase(gone);
    }
    file.losses.truncate(size);
    file.state.truncate(size, plan);
    file.held.disk_changed();
    file.attributes_unsynced = true;
    file.flushable = true;
    file.probe.spoil();
    if (!plan.on_disk || file.times.held_mtime()) {
        file.lock_touch_times();
    }
    file.context.trace.record(
        {.inode = file.id, .page_or_offset = size.value, .kind = trace::Kind::truncate});
    file.lock_close_if_unused();
    lock.unlock();
    if (pretended) {
        left_out_size_on_disk(file, size);
    }
    return {};
}

Result<void> allocate(FileParts& file, int mode, ByteRange range) {
    const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if ((mode & ~known) != 0) {
        return base::failed(EOPNOTSUPP);
    }
    const base::Lock disk(file.disk);
    FileLock lock(file);
    const bool grows = (mode & FALLOC_FL_KEEP_SIZE) == 0 && range.end > file.state.size();
    const bool on_disk = grows && file.state.grows_on_disk();
    const bool zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    bool zeroing_pretended = false;
    bool growth_pretended = false;
    {
        const UnlockedForDisk unlocked(file, lock);
        Result<void> done = file.backing.allocate(mode | FALLOC_FL_KEEP_SIZE, range);
        zeroing_pretended = backing::take_pretended() && zeroes;
        if (done && on_disk) {
            done = file.backing.truncate(range.end);
            growth_pretended = backing::take_pretended();
        }
        if (!done) {
            return done;
        }
    }
    if (zeroes) {
        file.held.drop(range);
        file.state.punch(range);
        lock_note_zeroed_edges(file, range);
        file.probe.spoil();
        file.hashes.erase(range);
        file.losses.drop(range);
        file.context.trace.record({.inode = file.id,
                                   .page_or_offset = range.begin.value,
                                   .length = range.size().value,
                                   .kind = trace::Kind::punch});
    }
    file.state.grow(grows ? range.end : file.state.size());
    file.held.disk_changed();
    file.attributes_unsynced = true;
    file.flushable = true;
    if (file.times.held_mtime()) {
        file.lock_touch_times();
    }
    lock.unlock();
    if (zeroing_pretended) {
        left_out_zeros_on_disk(file, range);
    }
    if (growth_pretended) {
        left_out_size_on_disk(file, range.end);
    }
    return {};
}

Result<ByteOffset> seek(FileParts& file, ByteOffset from, int whence, bool may_hide_stores) {
    const FileLock lock(file);
    const ByteOffset size = file.state.size();
    if (from >= size) {
        return base::failed(ENXIO);
    }
    if (may_hide_stores) {
        return whence == SEEK_DATA ? from : size;
    }
    const auto fd = TRY(file.backing.readable());
    const WriteBuffer& held = file.held.buffered();
    return whence == SEEK_DATA ? seek_data(fd->get(), held, from, size)
                               : seek_hole(fd->get(), held, from, size);
}

} // namespace partialfs::file
