#include "fusefs/file/file_parts.hpp"

#include "fusefs/trace/recorder.hpp"

namespace partialfs::file {

using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::InodeDirty;
using model::PageIndex;

void FileParts::lock_touch_times() {
    const timespec now = context.clock.now();
    // A commit of ext3's depends on the second alone.
    if (policy() == model::FlushPolicy::ext3 && state.inode_dirty() != InodeDirty::yes) {
        timespec before{};
        if (times.held_mtime()) {
            before = *times.held_mtime();
        } else if (const auto status = backing.status()) {
            before = status->st_mtim;
        }
        state.data_changed(before.tv_sec != now.tv_sec ? InodeDirty::yes : InodeDirty::no);
    }
    times.data_changed(now);
}

void FileParts::lock_learn_allocation(ByteRange range) {
    state.learn_allocation(range, policy(), [&](PageIndex page) { return backing.has_data(page); });
}

Result<void> FileParts::lock_read_image(ByteOffset offset, std::span<std::byte> target) {
    const WriteBuffer& buffered = held.buffered();
    if (!buffered.covers({offset, offset + ByteCount{target.size()}})) {
        if (const Result<void> got = backing.read_image(offset, target); !got) {
            return got;
        }
    }
    buffered.overlay(offset, target);
    return {};
}

void FileParts::lock_close_if_unused() {
    if (handles != 0) {
        return;
    }
    if (lock_clean() && !held.needs_sync()) {
        backing.close();
    } else {
        backing.close_for_now();
    }
}

void FileParts::lock_abandon() {
    held.abandon();
    state.abandon();
    times.release_mtime();
    probe.spoil();
    failing = 0;
    flushable = false;
}

void FileParts::lock_record_error(int error) {
    failing = error;
    errors.record(error);
    context.write_errors.fetch_add(1, std::memory_order_relaxed);
    context.trace.record({.inode = id, .error = error, .kind = trace::Kind::write_error});
}

Result<void> FileParts::put_on_disk(ByteOffset offset, std::span<iovec> parts, Growth growth) {
    if (growth == Growth::data_below_first) {
        if (const Result<void> done = write_growth_below(offset); !done) {
            return done;
        }
    }
    ByteRange range{offset, offset};
    for (const iovec& part : parts) {
        range.end = range.end + ByteCount{part.iov_len};
    }
    const std::vector<ByteRange> healed = losses.healed_by(offset, parts);
    if (const Result<void> done = backing.write(offset, parts); !done) {
        return done;
    }
    losses.heal(healed);
    const std::scoped_lock lock(mutex);
    lock_reached_disk(range);
    return {};
}

void FileParts::lock_reached_disk(ByteRange range) {
    state.reached_disk(range.end);
    held.disk_written(range);
    times.flushed();
}

Result<void> FileParts::write_growing(ByteOffset offset, iovec& part) {
    if (const Result<void> done = write_growth_below(offset); !done) {
        return done;
    }
    const std::vector<ByteRange> healed = losses.healed_by(offset, {&part, 1});
    const Result<void> done = backing.write(offset, {&part, 1});
    if (done) {
        losses.heal(healed);
    }
    return done;
}

Result<void> FileParts::write_growth_below(ByteOffset offset) {
    std::vector<Piece> pieces;
    {
        const std::scoped_lock lock(mutex);
        held.collect({state.backing_size(), offset}, pieces);
    }
    for (const Piece& piece : pieces) {
        iovec part{const_cast<std::byte*>(piece.bytes.data()), piece.bytes.size()};
        if (const Result<void> done = put_on_disk(piece.at, {&part, 1}); !done) {
            return done;
        }
    }
    return {};
}

} // namespace partialfs::file
