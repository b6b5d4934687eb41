// FileData's answer to the kernel's writeback: what the contract lets be written, and what is lost.
#include "fusefs/journal/file_data.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

namespace partialfs::journal {

using backing::Result;
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

/// The hash of a page whose bytes past the end of the file are zeros.
std::uint64_t hash_of(std::span<const std::byte> bytes) {
    if (bytes.size() == model::kPageSize) {
        return XXH3_64bits(bytes.data(), bytes.size());
    }
    std::array<std::byte, model::kPageSize> page{};
    std::ranges::copy(bytes.first(std::min<std::size_t>(bytes.size(), page.size())), page.begin());
    return XXH3_64bits(page.data(), page.size());
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
    if (probing_) {
        written_back_.push_back({range.first_page(), range.last_page()});
    }
    learn_allocation(range);
    const model::Contract contract = context_.contract.load(std::memory_order_relaxed);
    std::vector<ByteRange> to_write;
    std::vector<trace::Event> events;
    events.reserve(range.last_page().value - range.first_page().value + 1);
    struct Skipped {
        PageIndex page;
        BlockMask blocks;
        std::array<CommitId, 8> cleaned_by;
    };
    std::vector<Skipped> skipped;
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
            skipped.push_back({page, decision.skipped, cleaned_by});
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
    // The page holds all that write(2) brought as well: its bytes replace the buffered ones.
    const ByteRange pages{start_of(range.first_page()),
                          ByteOffset{start_of(range.last_page()).value + model::kPageSize}};
    buffers_.erase(pages);
    update_hash(offset, bytes);
    flushable_ = true;

    int error = fd ? 0 : fd.error().value;
    if (error == 0 && !to_write.empty() && offset > backing_size_) {
        error = write_growth_below(offset);
    }
    for (const ByteRange& run : to_write) {
        const std::span<const std::byte> part =
            bytes.subspan((run.begin - offset).value, run.size().value);
        std::vector<ByteRange> healed;
        if (error == 0) {
            iovec iov{const_cast<std::byte*>(part.data()), part.size()};
            healed = healed_by(run.begin, {&iov, 1});
            if (const Result<void> put = backing::write_all(context_.io, *fd, {&iov, 1}, run.begin);
                !put) {
                error = put.error().value;
            }
        }
        if (error == 0) {
            written_unsynced(run);
            backing_size_ = std::max(backing_size_, run.end);
            in_flight_.erase(run);
            heal(healed);
            continue;
        }
        // Not on disk: the bytes are kept here, as if write(2) had just brought them.
        if (!buffers_.insert_copy(run.begin, part, epoch_, context_.budget)) {
            errors_.record(error);
            return backing::failed(error);
        }
        blocks_.explicit_write(run);
    }
    for (const Skipped& page : skipped) {
        note_lost(page.page, page.blocks, page.cleaned_by, bytes, range);
    }
    if (mtime_ && !to_write.empty()) {
        touch_mtime();
    }
    if (error != 0) {
        failing_ = error;
        errors_.record(error);
        context_.write_errors.fetch_add(1, std::memory_order_relaxed);
        context_.trace.record({.inode = id_, .error = error, .kind = trace::Kind::write_error});
    }
    return {};
}

int FileData::write_growth_below(ByteOffset offset) {
    int error = 0;
    std::vector<iovec> parts;
    ByteOffset begin;
    ByteOffset end;
    const auto put = [&] {
        if (error == 0 && !parts.empty()) {
            if (const Result<void> done =
                    backing::write_all(context_.io, file_.get(), parts, begin);
                done) {
                backing_size_ = std::max(backing_size_, end);
                unsynced_ = true;
            } else {
                error = done.error().value;
            }
        }
        parts.clear();
    };
    buffers_.for_each({backing_size_, offset}, [&](ByteOffset at, std::span<const std::byte> part) {
        if (at != end) {
            put();
        }
        if (parts.empty()) {
            begin = at;
        }
        parts.push_back({const_cast<std::byte*>(part.data()), part.size()});
        end = at + ByteCount{part.size()};
    });
    put();
    return error;
}

void FileData::note_lost(PageIndex page, BlockMask skipped,
                         const std::array<CommitId, 8>& cleaned_by,
                         std::span<const std::byte> bytes, ByteRange whole) {
    if (nameless_) {
        return;
    }
    const ByteRange here = intersect(range_of(page), whole);
    std::array<std::byte, model::kPageSize> disk{};
    const std::span<std::byte> on_disk = std::span(disk).first(here.size().value);
    const int error = read_disk(here.begin, on_disk);
    const std::span<const std::byte> in_memory =
        bytes.subspan((here.begin - whole.begin).value, here.size().value);
    if (error != 0) {
        // What cannot be compared counts as lost: the ledger may say too much, never too little.
        spdlog::warn("{}: page {} was passed over, and its bytes on disk cannot be read: {}; the "
                     "ledger has them as lost",
                     context_.ledger.path_of(id_), page.value, std::strerror(error));
        context_.trace.record({.inode = id_,
                               .page_or_offset = page.value,
                               .error = error,
                               .kind = trace::Kind::unverified,
                               .skipped = skipped});
    } else if (std::memcmp(on_disk.data(), in_memory.data(), on_disk.size()) == 0 && !has_losses_) {
        return;
    }
    for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
        const BlockInPage in_page{i};
        const ByteRange block = intersect(here, context_.block_size.range_of(page, in_page));
        if (!skipped.contains(in_page) || block.empty()) {
            continue;
        }
        const std::size_t at = (block.begin - here.begin).value;
        const std::vector<ByteRange> lost =
            error != 0
                ? std::vector{block}
                : model::differing_ranges(in_memory.subspan(at, block.size().value),
                                          on_disk.subspan(at, block.size().value), block.begin);
        if (lost.empty() && !has_losses_) {
            continue;
        }
        has_losses_ = has_losses_ || !lost.empty();
        if (!context_.ledger.has_open(id_, range_of(page), context_.block_size)) {
            reread_.erase(page); // in memory as it is written back now
        }
        context_.ledger.record(id_, page, in_page, context_.block_size.index_of(page, in_page),
                               cleaned_by[i], lost);
        for (const ByteRange& range : lost) {
            context_.trace.record({.inode = id_,
                                   .page_or_offset = range.begin.value,
                                   .length = range.size().value,
                                   .commit = cleaned_by[i],
                                   .kind = trace::Kind::lost});
        }
    }
}

int FileData::read_disk(ByteOffset offset, std::span<std::byte> target) const {
    const Result<int> fd = file_.readable();
    if (!fd) {
        return fd.error().value;
    }
    const Result<std::size_t> got = backing::read_all(context_.io, *fd, target, offset);
    if (!got) {
        return got.error().value;
    }
    std::ranges::fill(target.subspan(*got), std::byte{0});
    return 0;
}

std::vector<ByteRange> FileData::healed_by(ByteOffset begin, std::span<const iovec> parts) const {
    std::vector<ByteRange> changed;
    if (!has_losses_) {
        return changed;
    }
    std::array<std::byte, model::kPageSize> disk{};
    ByteOffset at = begin;
    for (const iovec& part : parts) {
        std::span<const std::byte> left{static_cast<const std::byte*>(part.iov_base), part.iov_len};
        while (!left.empty()) {
            const std::size_t size = std::min(left.size(), disk.size() - at.value % disk.size());
            const ByteRange here{at, at + ByteCount{size}};
            if (!reread_.contains(page_of(at))) {
                changed.push_back(here);
            } else if (context_.ledger.has_open(id_, here, context_.block_size)) {
                const std::span<std::byte> old = std::span(disk).first(size);
                if (const int error = read_disk(at, old); error != 0) {
                    spdlog::warn("{}: page {} is written, and its bytes on disk cannot be read: "
                                 "{}; what the ledger has as lost of it stays so",
                                 context_.ledger.path_of(id_), page_of(at).value,
                                 std::strerror(error));
                } else {
                    std::ranges::copy(model::differing_ranges(left.first(size), old, at),
                                      std::back_inserter(changed));
                }
            }
            left = left.subspan(size);
            at = at + ByteCount{size};
        }
    }
    return changed;
}

void FileData::heal(std::span<const ByteRange> ranges) {
    for (const ByteRange& range : ranges) {
        context_.ledger.heal(id_, range, context_.block_size);
    }
}

// --- The probe ----------------------------------------------------------------------------------

void FileData::probe_begins() {
    const std::scoped_lock lock(mutex_);
    probing_ = true;
    probe_spoilt_ = false;
    written_back_.clear();
}

std::size_t FileData::learn_dirty(const PageSet& pages) {
    const std::scoped_lock lock(mutex_);
    probing_ = false;
    if (probe_spoilt_) {
        return 0;
    }
    std::vector<trace::Event> events;
    std::ranges::sort(written_back_, {}, &PageRange::first);
    auto written = written_back_.begin();
    for (const PageRange& range : pages.ranges()) {
        for (PageIndex page = range.first; page <= range.last && start_of(page) < size_; ++page) {
            while (written != written_back_.end() && written->last < page) {
                ++written;
            }
            // Ranges may overlap: look at all that begin at or before the page.
            bool written_back = false;
            for (auto back = written;
                 !written_back && back != written_back_.end() && back->first <= page; ++back) {
                written_back = page <= back->last;
            }
            if (written_back) {
                continue;
            }
            if (!blocks_.generation(page)) {
                learn_allocation(range_of(page));
            }
            if (blocks_.learn_dirty(page)) {
                flushable_ = true;
                events.push_back(
                    {.inode = id_, .page_or_offset = page.value, .kind = trace::Kind::page_dirty});
            }
        }
    }
    context_.trace.record(events);
    context_.pages_found_dirty.fetch_add(events.size(), std::memory_order_relaxed);
    return events.size();
}

PageSet FileData::compare_candidates() const {
    const std::scoped_lock lock(mutex_);
    std::vector<PageIndex> pages;
    pages.reserve(hashes_.size());
    for (const auto& [page, hash] : hashes_) {
        pages.push_back(page);
    }
    std::ranges::sort(pages);
    PageSet set;
    for (const PageIndex page : pages) {
        set.append({page, page});
    }
    return set;
}

bool FileData::differs(PageIndex page, std::span<const std::byte> bytes) {
    const std::scoped_lock lock(mutex_);
    const auto known = hashes_.find(page);
    if (known == hashes_.end()) {
        return false;
    }
    if (blocks_.page(page).told) {
        return true; // known dirty since it was found so
    }
    if (!known->second) {
        // A write(2) has changed part of the page. If stores of the page are lost, the disk does
        // not say what it was; then what is there now is the best that can be known.
        const ByteRange here = intersect(range_of(page), {ByteOffset{0}, size_});
        if (has_losses_ && context_.ledger.has_open(id_, here, context_.block_size)) {
            known->second = hash_of(bytes);
            return false;
        }
        std::array<std::byte, model::kPageSize> image{};
        const Result<int> fd = file_.readable();
        if (here.empty() || !fd ||
            !read_image(here.begin, std::span(image).first(here.size().value))) {
            return false;
        }
        known->second = hash_of(image);
    }
    return *known->second != hash_of(bytes);
}

void FileData::update_hash(ByteOffset offset, std::span<const std::byte> bytes) {
    if (!context_.compare_pages) {
        return;
    }
    for (std::size_t at = 0; at < bytes.size(); at += model::kPageSize) {
        hashes_[page_of(offset + ByteCount{at})] =
            hash_of(bytes.subspan(at, std::min<std::size_t>(model::kPageSize, bytes.size() - at)));
    }
}

} // namespace partialfs::journal
