#include "fusefs/file/durability.hpp"

#include "fusefs/file/error_of.hpp"
#include "fusefs/file/left_out.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace partialfs::file {

using base::Result;
using model::ByteOffset;

namespace {

void lock_synced(FileParts& file) REQUIRES(file.mutex) {
    file.held.synced();
    file.state.forget_idle(file.policy());
    file.lock_close_if_unused();
}

/// After a failed sync that is not to be tried again: everything written since the last sync is
/// entered as lost, as nobody knows which of it is on disk.
void lose_unsynced(FileParts& file, int error) {
    std::vector<model::ByteRange> lost;
    {
        const FileLock lock(file);
        lost = file.held.unsynced().ranges();
        for (model::ByteRange& range : lost) {
            range = intersect(range, file.state.within_size());
        }
        lock_synced(file);
    }
    for (const model::ByteRange& range : lost) {
        if (!range.empty() && !file.nameless) {
            file.losses.refused(range, error);
        }
    }
}

/// After a failed sync that is to be tried again. The pages that failed are clean in SOURCE's page
/// cache, so everything becomes dirty here again, and is written again.
void sync_failed(FileParts& file) {
    const base::Lock disk(file.disk);
    std::vector<model::ByteRange> again;
    ByteOffset size;
    {
        const FileLock lock(file);
        file.held.sync_failed(file.state);
        file.flushable = true;
        again = file.held.unsynced().ranges();
        size = file.state.backing_size();
        if (!file.times.held_mtime()) {
            if (const auto status = file.backing.status()) {
                file.times.hold_mtime(status->st_mtim);
            }
        }
    }
    UnsyncedWrites::write_again(file.backing, again, size);
}

} // namespace

Result<bool> let_metadata_through(FileParts& file) {
    const base::Lock disk(file.disk);
    FileLock lock(file);
    file.failing = 0; // a file whose flush failed does not get here
    const auto size =
        file.state.size_to_let_through(file.held.buffered().first_from(file.state.backing_size()));
    const std::optional<timespec> mtime = file.times.held_mtime();
    if (!size && !mtime) {
        file.lock_close_if_unused();
        return false;
    }
    Result<void> done;
    bool pretended = false;
    {
        const UnlockedForDisk unlocked(file, lock);
        if (size) {
            done = file.backing.truncate(*size);
            pretended = backing::take_pretended();
        }
        if (done && mtime) {
            done = file.backing.set_mtime(*mtime);
        }
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    if (size) {
        file.state.size_let_through(*size);
        file.held.disk_changed();
        file.attributes_unsynced = true;
    }
    if (mtime) {
        file.times.flushed();
        file.attributes_unsynced = true;
        const auto& held = file.times.held_mtime();
        const bool same = held && held->tv_sec == mtime->tv_sec && held->tv_nsec == mtime->tv_nsec;
        if (same && file.held.buffered().empty() &&
            file.state.size() == file.state.backing_size()) {
            file.times.release_mtime();
        }
    }
    file.lock_close_if_unused();
    lock.unlock();
    if (pretended) {
        left_out_size_on_disk(file, *size);
    }
    return true;
}

Result<void> sync(FileParts& file, Durable what) {
    bool attributes = false;
    {
        const FileLock lock(file);
        attributes = what == Durable::attributes && file.attributes_unsynced;
        const bool size = what != Durable::written && file.size_unsynced;
        if (!attributes && !size && !file.held.needs_sync()) {
            file.state.forget_idle(file.policy());
            file.lock_close_if_unused();
            return {};
        }
        file.held.sync_begins();
        if (attributes) {
            file.attributes_unsynced = false;
        }
        file.size_unsynced = false;
    }
    const int error = error_of([&] { return file.backing.sync(attributes); });
    if (error == 0) {
        const FileLock lock(file);
        lock_synced(file);
        return {};
    }
    {
        const FileLock lock(file);
        file.attributes_unsynced = file.attributes_unsynced || attributes;
        file.size_unsynced = true;
    }
    if (model::tries_again(file.after_write_error(), error)) {
        sync_failed(file);
    } else {
        lose_unsynced(file, error);
    }
    return base::failed(error);
}

void whole_sync_begins(FileParts& file) {
    const FileLock lock(file);
    file.held.sync_begins();
}

void whole_sync_ended(FileParts& file, bool done) {
    const FileLock lock(file);
    if (done) {
        lock_synced(file);
    } else {
        file.held.sync_cancelled();
    }
}

} // namespace partialfs::file
