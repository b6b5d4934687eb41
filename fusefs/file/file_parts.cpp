#include "fusefs/file/file_parts.hpp"

#include "fusefs/base/try.hpp"
#include "fusefs/file/left_out.hpp"
#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>

namespace partialfs::file {

using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::InodeDirty;
using model::PageIndex;

namespace {

/// With more extents than this, lock_check_invariants() does not walk them at every unlock.
constexpr std::size_t kExtentsChecked = 16;

} // namespace

void FileParts::lock_touch_times() {
    const timespec now = context.clock.now();
    // Whether ext3 commits depends only on the second of mtime.
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

void FileParts::lock_keep_mtime() {
    if (times.held_mtime()) {
        return;
    }
    if (const auto status = backing.status()) {
        times.hold_mtime(status->st_mtim);
    }
}

void FileParts::lock_learn_allocation(ByteRange range) {
    state.learn_allocation(range, policy(), [&](PageIndex page) { return backing.has_data(page); });
}

Result<void> FileParts::lock_read_image(ByteOffset offset, std::span<std::byte> target) {
    const WriteBuffer& buffered = held.buffered();
    if (!buffered.covers({offset, offset + ByteCount{target.size()}})) {
        TRY(backing.read_image(offset, target));
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

void FileParts::lock_note_error(int error) {
    failing = error;
    context.counters.write_errors.fetch_add(1, std::memory_order_relaxed);
    context.trace.record({.inode = id, .error = error, .kind = trace::Kind::write_error});
}

Result<void> FileParts::put_on_disk(ByteOffset offset, std::span<iovec> parts, Growth growth) {
    if (growth == Growth::data_below_first) {
        TRY(write_growth_below(offset));
    }
    ByteRange range{offset, offset};
    for (const iovec& part : parts) {
        range.end = range.end + ByteCount{part.iov_len};
    }
    const std::vector<iovec> wanted(parts.begin(), parts.end());
    const std::vector<ByteRange> healed = losses.healed_by(offset, parts);
    TRY(backing.write(offset, parts));
    settle_losses(offset, wanted, healed);
    const FileLock lock(*this);
    lock_reached_disk(range);
    return {};
}

void FileParts::settle_losses(ByteOffset offset, std::span<const iovec> wanted,
                              std::span<const ByteRange> healed) {
    ByteOffset end = offset;
    for (const iovec& part : wanted) {
        end = end + ByteCount{part.iov_len};
    }
    if (backing::take_pretended()) [[unlikely]] {
        const std::vector<ByteRange> lost = not_on_disk(*this, offset, wanted);
        losses.heal(model::without(healed, lost));
        if (!nameless) {
            losses.left_out(lost, 0, FileLosses::Held::these);
        }
    } else {
        losses.heal(healed);
    }
    losses.replaced({offset, end});
}

void FileParts::lock_reached_disk(ByteRange range) {
    state.reached_disk(range.end);
    held.disk_written(range);
    times.flushed();
}

Result<void> FileParts::write_growing(ByteOffset offset, iovec& part) {
    TRY(write_growth_below(offset));
    const iovec wanted = part;
    losses.replaced({offset, offset + ByteCount{part.iov_len}}); // `part` is newer
    const std::vector<ByteRange> healed = losses.healed_by(offset, {&part, 1});
    const Result<void> done = backing.write(offset, {&part, 1});
    if (done) {
        settle_losses(offset, {&wanted, 1}, healed);
    }
    return done;
}

Result<void> FileParts::write_growth_below(ByteOffset offset) {
    std::vector<Piece> pieces;
    {
        const FileLock lock(*this);
        held.collect({state.backing_size(), offset}, pieces);
    }
    for (const Piece& piece : pieces) {
        iovec part{const_cast<std::byte*>(piece.bytes.data()), piece.bytes.size()};
        TRY(put_on_disk(piece.at, {&part, 1}));
    }
    return {};
}

void FileParts::lock_check_invariants() const {
    const auto must = [&](bool holds, const char* what) {
        if (!holds) {
            spdlog::critical("inode {}: {}", id.value, what);
            std::abort();
        }
    };
    must(writing >= 0 && mappable_handles >= 0 && handles >= mappable_handles, "a count is wrong");
    // A flush that is under way still holds bytes of blocks that it has called clean.
    if (writing > 0 || held.buffered().extents() > kExtentsChecked) {
        return;
    }
    const model::FileState* const its_state = &state; // the analysis looks into no lambda
    held.buffered().for_each(model::kAllBytes, [&](ByteOffset at,
                                                   std::span<const std::byte> bytes) {
        const ByteRange range{at, at + ByteCount{bytes.size()}};
        must(range.end <= its_state->size(), "bytes are held beyond its end");
        for (const PageIndex page : pages_of(range)) {
            const model::BlockMask dirty = its_state->blocks().page(page).dirty;
            for (const model::BlockInPage block : its_state->block_size().all()) {
                must(dirty.contains(block) ||
                         intersect(range, its_state->block_size().range_of(page, block)).empty(),
                     "bytes are held of a clean block");
            }
        }
    });
}

} // namespace partialfs::file
