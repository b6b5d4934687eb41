// FileData's answer to the kernel's writeback: what the contract lets be written, and what is lost.
#include "fusefs/file/error_of.hpp"
#include "fusefs/file/file_data.hpp"
#include "fusefs/trace/recorder.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace partialfs::file {

using base::Result;
using model::BlockInPage;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::intersect;
using model::PageIndex;

namespace {

/// Appends `range` to `ranges`, joined to the last one if that ends where it begins.
void append(std::vector<ByteRange>& ranges, ByteRange range) {
    if (!ranges.empty() && ranges.back().end == range.begin) {
        ranges.back().end = range.end;
    } else {
        ranges.push_back(range);
    }
}

} // namespace

Result<void> FileData::writepage(ByteOffset offset, std::span<const std::byte> bytes) {
    const std::scoped_lock lock(mutex_);
    context_.writepages.fetch_add(1, std::memory_order_relaxed);
    const ByteRange range =
        intersect({offset, offset + ByteCount{bytes.size()}}, {ByteOffset{0}, size_});
    if (range.empty()) {
        return {};
    }
    const Result<int> fd = file_.writable();
    probe_.written_back({range.first_page(), range.last_page()});
    learn_allocation(range);
    const model::Contract contract = context_.contract.load(std::memory_order_relaxed);
    // All that wants memory comes before the first block is called clean: what throws has changed
    // nothing then.
    const std::uint64_t pages = range.last_page().value - range.first_page().value + 1;
    std::vector<ByteRange> to_write;
    to_write.reserve(pages * context_.block_size.per_page());
    std::vector<trace::Event> events;
    events.reserve(pages);
    std::vector<FileLosses::PassedOver> passed_over;
    passed_over.reserve(contract == model::Contract::linux_2_6_19 ? pages : 0);
    blocks_.reserve(range);
    hashes_.set(offset, bytes);
    // The page holds all that write(2) brought as well: its bytes replace the buffered ones.
    buffers_.erase({start_of(range.first_page()), range_of(range.last_page()).end});
    for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
        std::array<CommitId, 8> cleaned_by{};
        for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
            cleaned_by[i] = blocks_.cleaned_by(page, BlockInPage{i});
        }
        const BlockMask allocated = blocks_.page(page).allocated;
        const model::WriteDecision decision = blocks_.writepage(page, contract, size_);
        inode_dirty_ = inode_dirty_ || !(decision.written - allocated).empty();
        for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
            if (decision.written.contains(BlockInPage{i})) {
                append(to_write,
                       intersect(range, context_.block_size.range_of(page, BlockInPage{i})));
            }
        }
        if (!decision.skipped.empty()) {
            passed_over.push_back({page, decision.skipped, cleaned_by});
        }
        context_.blocks_written.fetch_add(static_cast<std::uint64_t>(decision.written.count()),
                                          std::memory_order_relaxed);
        context_.blocks_skipped.fetch_add(static_cast<std::uint64_t>(decision.skipped.count()),
                                          std::memory_order_relaxed);
        events.push_back({.inode = id_,
                          .page_or_offset = page.value,
                          .kind = trace::Kind::writepage,
                          .written = decision.written,
                          .skipped = decision.skipped});
    }
    context_.trace.record(events);
    flushable_ = true;

    int error = fd ? 0 : fd.error().value;
    if (error == 0 && !to_write.empty() && offset > backing_size_) {
        error = error_of([&] { return write_growth_below(offset); });
    }
    bool kept = true; // what is not on disk is in memory, and what is lost in the ledger
    for (const ByteRange& run : to_write) {
        const std::span<const std::byte> part =
            bytes.subspan((run.begin - offset).value, run.size().value);
        if (error == 0) {
            iovec iov{const_cast<std::byte*>(part.data()), part.size()};
            error = error_of([&]() -> Result<void> {
                const Result<void> done = put(*fd, run.begin, {&iov, 1});
                if (done) {
                    in_flight_.erase(run);
                }
                return done;
            });
        }
        if (error != 0) {
            // Not on disk: the bytes are kept here, as if write(2) had just brought them.
            const int unkept = error_of([&]() -> Result<void> {
                if (!buffers_.insert_copy(run.begin, part, epoch_, context_.budget)) {
                    return base::failed(error);
                }
                blocks_.explicit_write(run);
                return {};
            });
            kept = kept && unkept == 0;
        }
    }
    for (const FileLosses::PassedOver& passed : passed_over) {
        const int unnoted = error_of([&]() -> Result<void> {
            if (!nameless_) {
                losses_.note(passed, offset, bytes.first(range.size().value));
            }
            return {};
        });
        error = error != 0 ? error : unnoted;
        kept = kept && unnoted == 0;
    }
    if (times_.held_mtime() && !to_write.empty()) {
        touch_times();
    }
    if (error != 0) {
        failing_ = error;
        errors_.record(error);
        context_.write_errors.fetch_add(1, std::memory_order_relaxed);
        context_.trace.record({.inode = id_, .error = error, .kind = trace::Kind::write_error});
    }
    if (!kept) {
        return base::failed(error);
    }
    return {};
}

Result<void> FileData::write_growth_below(ByteOffset offset) {
    Result<void> done;
    std::vector<iovec> parts;
    ByteOffset begin;
    ByteOffset end;
    const auto put_run = [&] {
        if (done && !parts.empty()) {
            done = put(file_.get(), begin, parts);
        }
        parts.clear();
    };
    buffers_.for_each({backing_size_, offset}, [&](ByteOffset at, std::span<const std::byte> part) {
        if (at != end) {
            put_run();
        }
        if (parts.empty()) {
            begin = at;
        }
        parts.push_back({const_cast<std::byte*>(part.data()), part.size()});
        end = at + ByteCount{part.size()};
    });
    put_run();
    return done;
}

Result<void> FileData::put(int fd, ByteOffset offset, std::span<iovec> parts) {
    ByteRange range{offset, offset};
    for (const iovec& part : parts) {
        range.end = range.end + ByteCount{part.iov_len};
    }
    const std::vector<ByteRange> healed = losses_.healed_by(offset, parts);
    if (const Result<void> done = backing::write_all(context_.io, fd, parts, offset); !done) {
        return done;
    }
    backing_size_ = std::max(backing_size_, range.end);
    unsynced_.add(range);
    losses_.heal(healed);
    return {};
}

} // namespace partialfs::file
