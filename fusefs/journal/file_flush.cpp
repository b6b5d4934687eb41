// FileData's part of a commit: the ordered flush, the sync, and the metadata held back until then.
#include "fusefs/journal/file_data.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

namespace partialfs::journal {

using backing::Result;
using model::BlockInPage;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::FlushPolicy;
using model::intersect;
using model::PageIndex;

namespace {

/// Pages written in one go, with the mutex held: bounds how long others wait for it.
constexpr std::uint64_t kBatchPages = 256;

/// Whether a request to the kernel failed because the mount is no longer there.
constexpr bool kernel_is_gone(int error) {
    return error == ENODEV || error == ENOTCONN;
}

} // namespace

/// Pieces of pages, collected in ascending order and written run by run; what was written in vain
/// becomes dirty again. Lives with the file's mutex held.
class FileData::Batch {
  public:
    Batch(FileData& file, int fd) : file_(file), fd_(fd) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() = default;

    /// The blocks `blocks` of `page` have been called clean by `flush` and are to be written.
    void page(PageIndex page, BlockMask blocks) { pages_.push_back({page, blocks}); }
    /// Bytes of the latest page.
    void piece(ByteOffset at, std::span<const std::byte> bytes) {
        if (at != end_) {
            put();
        }
        if (parts_.empty()) {
            begin_ = at;
        }
        parts_.push_back({const_cast<std::byte*>(bytes.data()), bytes.size()});
        end_ = at + ByteCount{bytes.size()};
    }
    /// Writes what is left. Returns the errno of the first write that failed, or 0.
    int finish() {
        put();
        return error_;
    }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] const std::vector<std::pair<PageIndex, BlockMask>>& pages() const {
        return pages_;
    }

  private:
    void put() {
        if (error_ == 0 && !parts_.empty()) {
            const std::vector<ByteRange> healed = file_.healed_by(begin_, parts_);
            const Result<void> done = backing::write_all(file_.context_.io, fd_, parts_, begin_);
            if (done) {
                bytes_ += (end_ - begin_).value;
                file_.unsynced_ = true;
                file_.flushed_ctime_ = stamp_now();
                file_.backing_size_ = std::max(file_.backing_size_, end_);
                file_.heal(healed);
                file_.written_unsynced({begin_, end_});
            } else {
                error_ = done.error().value;
            }
        }
        parts_.clear();
        end_ = ByteOffset{std::numeric_limits<std::uint64_t>::max()};
    }

    FileData& file_;
    int fd_;
    int error_ = 0;
    std::uint64_t bytes_ = 0;
    ByteOffset begin_;
    ByteOffset end_{std::numeric_limits<std::uint64_t>::max()};
    std::vector<iovec> parts_;
    std::vector<std::pair<PageIndex, BlockMask>> pages_;
};

void FileData::add_buffered(Batch& batch, PageIndex page, BlockMask blocks) {
    for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            const ByteRange block = intersect(context_.block_size.range_of(page, BlockInPage{i}),
                                              {ByteOffset{0}, size_});
            // Writing just the buffered bytes leaves the rest of the block as it is on disk, which
            // is what reading it and writing it back would do.
            buffers_.for_each(block, [&](ByteOffset at, std::span<const std::byte> part) {
                batch.piece(at, part);
            });
        }
    }
}

void FileData::settle(const Batch& batch, int error, CommitId commit, bool from_kernel,
                      Flushed& result) {
    std::vector<trace::Event> events;
    for (const auto& [page, blocks] : batch.pages()) {
        if (error != 0) {
            blocks_.flush_failed(page, blocks);
            continue;
        }
        for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
            if (blocks.contains(BlockInPage{i})) {
                const ByteRange block = context_.block_size.range_of(page, BlockInPage{i});
                if (from_kernel) {
                    buffers_.erase(block);
                } else {
                    buffers_.move_to(in_flight_, block);
                }
            }
        }
        flushed_.push_back({page, blocks, blocks_.generation(page).value_or(model::Generation{0}),
                            blocks_.page(page).told});
        result.blocks += static_cast<std::uint64_t>(blocks.count());
        events.push_back({.inode = id_,
                          .page_or_offset = page.value,
                          .commit = commit,
                          .kind = trace::Kind::ordered_flush,
                          .written = blocks});
    }
    context_.trace.record(events);
    context_.blocks_flushed.fetch_add(error == 0 ? result.blocks : 0, std::memory_order_relaxed);
    result.bytes += batch.bytes();
    if (error != 0 && result.error == 0) {
        result.error = error;
    }
}

FileData::Flushed FileData::flush(PageCache& cache, const PageSet& dirty, CommitId commit) {
    const FlushPolicy policy = context_.policy.load(std::memory_order_relaxed);
    Flushed result;
    std::optional<PageIndex> cursor{PageIndex{0}};
    std::unique_lock lock(mutex_);
    if (!flushable_) {
        return result;
    }
    flushable_ = false;
    bool left_over = false;
    while (result.error == 0) {
        cursor = blocks_.next_flushable(*cursor, policy, size_);
        if (!cursor) {
            break;
        }
        if (dirty.contains(*cursor) && blocks_.page(*cursor).told) {
            // The bytes are in the kernel's page cache.
            PageRange run{*cursor, *cursor};
            std::vector<std::optional<model::Generation>> generations;
            const std::uint64_t limit = std::min(kBatchPages, cache.retrieve_limit());
            generations.push_back(blocks_.generation(run.first));
            for (PageIndex page{run.first.value + 1};
                 run.count() < limit && dirty.contains(page) &&
                 blocks_.next_flushable(page, policy, size_) == page;
                 ++page) {
                generations.push_back(blocks_.generation(page));
                run.last = page;
            }
            ++epoch_;
            const Epoch since = epoch_;
            lock.unlock();
            const Result<RetrievedPages> fetched = cache.retrieve(id_, run);
            lock.lock();
            const PageIndex next{
                flush_retrieved(run, generations, since, fetched, policy, commit, result)};
            left_over = left_over || next <= run.last;
            cursor = PageIndex{std::max(next.value, run.first.value + 1)};
            continue;
        }
        if (blocks_.page(*cursor).told) {
            // Its writeback is on the way to us, or the kernel has dropped the page. Where the
            // kernel cannot be asked, the page is fetched: what is not in its cache is not dirty
            // there.
            const PageIndex page = *cursor;
            const std::array generations{blocks_.generation(page)};
            const Epoch since = ++epoch_;
            lock.unlock();
            bool clean = false;
            Result<RetrievedPages> fetched{};
            if (const std::optional<bool> answer = cache.is_clean(id_, page)) {
                clean = *answer;
            } else {
                fetched = cache.retrieve(id_, {page, page});
                clean = fetched ? fetched->bytes.empty() : kernel_is_gone(fetched.error().value);
            }
            lock.lock();
            if (fetched && !fetched->bytes.empty()) {
                left_over = flush_retrieved({page, page}, generations, since, fetched, policy,
                                            commit, result) <= page ||
                            left_over;
                cursor = PageIndex{page.value + 1};
                continue;
            }
            if (clean && blocks_.generation(page) == generations[0] && blocks_.page(page).told) {
                BlockMask buffered;
                for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
                    if (buffers_.touches(context_.block_size.range_of(page, BlockInPage{i}))) {
                        buffered |= BlockMask::of(BlockInPage{i});
                    }
                }
                blocks_.forget_told(page, buffered);
                continue;
            }
            left_over = true;
            cursor = PageIndex{page.value + 1};
            continue;
        }
        cursor = flush_run(*cursor, policy, commit, result);
        // Let others in between batches: who unlocks and locks again at once goes first.
        lock.unlock();
        std::this_thread::yield();
        lock.lock();
    }
    flushable_ = flushable_ || left_over || result.error != 0;
    return result;
}

PageIndex FileData::flush_retrieved(PageRange run,
                                    std::span<const std::optional<model::Generation>> generations,
                                    Epoch since, const Result<RetrievedPages>& fetched,
                                    FlushPolicy policy, CommitId commit, Flushed& result) {
    const Result<int> fd = writable_fd();
    if (!fd) {
        result.error = fd.error().value;
        return run.first;
    }
    if (!fetched) {
        return run.first;
    }
    const std::span<std::byte> bytes = fetched->bytes;
    // Stores that lie past the end of what was fetched, in a file that has grown since, are of
    // write(2) alone and in the buffers.
    buffers_.overlay(start_of(run.first), bytes, since);
    Batch batch(*this, *fd);
    PageIndex page = run.first;
    for (std::size_t n = 0; page <= run.last && n * model::kPageSize < bytes.size(); ++n, ++page) {
        // Written back, truncated or punched since: the copy may be older than what is on disk.
        if (blocks_.generation(page) != generations[n] || !blocks_.page(page).told) {
            continue;
        }
        const BlockMask blocks = blocks_.flush(page, policy, size_, commit);
        if (blocks.empty()) {
            continue;
        }
        batch.page(page, blocks);
        const ByteRange present =
            intersect({start_of(run.first), start_of(run.first) + ByteCount{bytes.size()}},
                      {ByteOffset{0}, size_});
        for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
            if (!blocks.contains(BlockInPage{i})) {
                continue;
            }
            const ByteRange block = context_.block_size.range_of(page, BlockInPage{i});
            const ByteRange here = intersect(block, present);
            if (!here.empty()) {
                batch.piece(here.begin, bytes.subspan((here.begin - start_of(run.first)).value,
                                                      here.size().value));
            }
            const ByteRange beyond =
                intersect({std::max(here.empty() ? block.begin : here.end, block.begin), block.end},
                          {ByteOffset{0}, size_});
            if (!beyond.empty()) {
                buffers_.for_each(beyond, [&](ByteOffset at, std::span<const std::byte> part) {
                    batch.piece(at, part);
                });
            }
        }
    }
    const int error = batch.finish();
    settle(batch, error, commit, /*from_kernel=*/true, result);
    return page;
}

PageIndex FileData::flush_run(PageIndex first, FlushPolicy policy, CommitId commit,
                              Flushed& result) {
    const Result<int> fd = writable_fd();
    if (!fd) {
        result.error = fd.error().value;
        return first;
    }
    Batch batch(*this, *fd);
    PageIndex page = first;
    const PageIndex limit{first.value + kBatchPages};
    while (page < limit) {
        const BlockMask blocks = blocks_.flush(page, policy, size_, commit);
        if (!blocks.empty()) {
            batch.page(page, blocks);
            add_buffered(batch, page, blocks);
        }
        const auto next = blocks_.next_flushable(PageIndex{page.value + 1}, policy, size_);
        if (!next) {
            page = limit;
            break;
        }
        page = *next;
        if (blocks_.page(page).told) {
            break;
        }
    }
    const int error = batch.finish();
    settle(batch, error, commit, /*from_kernel=*/false, result);
    return page;
}

FileData::Flushed FileData::flush_buffers(CommitId commit) {
    const FlushPolicy policy = context_.policy.load(std::memory_order_relaxed);
    Flushed result;
    const std::scoped_lock lock(mutex_);
    std::optional<PageIndex> cursor{PageIndex{0}};
    while (result.error == 0 && (cursor = blocks_.next_flushable(*cursor, policy, size_))) {
        cursor = blocks_.page(*cursor).told ? PageIndex{cursor->value + 1}
                                            : flush_run(*cursor, policy, commit, result);
    }
    return result;
}

FileData::Flushed FileData::write_back_unmapped() {
    Flushed result;
    const std::scoped_lock lock(mutex_);
    std::optional<PageIndex> cursor{PageIndex{0}};
    while (result.error == 0 && (cursor = blocks_.next_unmapped_dirty(*cursor))) {
        const Result<int> fd = writable_fd();
        if (!fd) {
            result.error = fd.error().value;
            break;
        }
        Batch batch(*this, *fd);
        std::vector<trace::Event> events;
        const PageIndex limit{cursor->value + kBatchPages};
        while (cursor && *cursor < limit) {
            const BlockMask allocated = blocks_.page(*cursor).allocated;
            const model::WriteDecision decision = blocks_.writepage_unmapped(*cursor, size_);
            inode_dirty_ = inode_dirty_ || !(decision.written - allocated).empty();
            if (!decision.written.empty()) {
                batch.page(*cursor, decision.written);
                add_buffered(batch, *cursor, decision.written);
            }
            events.push_back({.inode = id_,
                              .page_or_offset = cursor->value,
                              .kind = trace::Kind::writepage,
                              .written = decision.written,
                              .skipped = decision.skipped});
            cursor = blocks_.next_unmapped_dirty(PageIndex{cursor->value + 1});
        }
        context_.trace.record(events);
        const int error = batch.finish();
        Flushed ignored;
        settle(batch, error, CommitId{0}, /*from_kernel=*/false, ignored);
        result.error = error;
        result.bytes += batch.bytes();
        flushable_ = true;
        if (!cursor) {
            break;
        }
    }
    return result;
}

void FileData::start_sync() {
    const std::scoped_lock lock(mutex_);
    if (unsynced_ && backing_fd_) {
        ::sync_file_range(backing_fd_->get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    }
}

void FileData::written_unsynced(ByteRange range) {
    // Neighbours are joined; beyond this many, the oldest are left to the backing filesystem alone.
    constexpr std::size_t kMost = 65536;
    unsynced_ = true;
    if (!unsynced_ranges_.empty() && unsynced_ranges_.back().end == range.begin) {
        unsynced_ranges_.back().end = range.end;
    } else if (unsynced_ranges_.size() < kMost) {
        unsynced_ranges_.push_back(range);
    }
}

void FileData::rewrite_unsynced() {
    const Result<int> fd = writable_fd();
    std::vector<std::byte> copy(std::size_t{256} * 1024);
    for (const ByteRange& range : unsynced_ranges_) {
        const ByteRange left = intersect(range, {ByteOffset{0}, backing_size_});
        for (ByteOffset at = left.begin; fd && at < left.end;) {
            const std::span<std::byte> part =
                std::span(copy).first(std::min<std::size_t>(copy.size(), (left.end - at).value));
            const Result<std::size_t> got = backing::read_all(context_.io, *fd, part, at);
            if (!got || *got == 0) {
                break;
            }
            iovec iov{part.data(), *got};
            // A failure here changes nothing: the next sync fails as well, and tries again.
            if (!backing::write_all(context_.io, *fd, {&iov, 1}, at)) {
                break;
            }
            at = at + ByteCount{*got};
        }
    }
}

Result<void> FileData::sync_data() {
    std::unique_lock lock(mutex_);
    int error = 0;
    if (unsynced_) {
        const Result<int> opened = writable_fd();
        if (!opened) {
            return std::unexpected(opened.error());
        }
        const std::shared_ptr<const backing::Fd> fd = backing_fd_;
        unsynced_ = false;
        lock.unlock();
        error = context_.io.fdatasync(fd->get()) == 0 ? 0 : errno;
        lock.lock();
    }
    if (error == 0) {
        in_flight_.clear();
        flushed_.clear();
        failing_ = 0;
        // What was written while the system call ran has put its range here again.
        if (!unsynced_) {
            unsynced_ranges_.clear();
        }
        if (!ext3()) {
            blocks_.forget_idle();
        }
        return {};
    }
    unsynced_ = true;
    flushable_ = true;
    for (const FlushedPage& page : flushed_) {
        const auto generation = blocks_.generation(page.page).value_or(model::Generation{0});
        if (page.told && generation == page.generation) {
            blocks_.flush_failed(page.page, page.blocks); // the kernel still has the bytes
        }
    }
    in_flight_.for_each(
        {ByteOffset{0}, ByteOffset{std::numeric_limits<std::uint64_t>::max()}},
        [&](ByteOffset at, std::span<const std::byte> part) {
            const ByteRange range{at, at + ByteCount{part.size()}};
            for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
                blocks_.flush_failed(page, context_.block_size.touched(page, range));
            }
        });
    buffers_.take_missing(in_flight_);
    flushed_.clear();
    rewrite_unsynced();
    return backing::failed(error);
}

Result<bool> FileData::let_metadata_through(bool durable) {
    std::shared_ptr<const backing::Fd> to_sync;
    bool changed = false;
    {
        const std::scoped_lock lock(mutex_);
        const bool size_held = size_ != backing_size_;
        if (!size_held && !mtime_ && !(durable && metadata_unsynced_)) {
            return false;
        }
        const Result<int> fd = writable_fd();
        if (!fd) {
            return std::unexpected(fd.error());
        }
        changed = size_held || mtime_;
        if (size_held) {
            // Not over bytes that have come in since the flush.
            const ByteOffset covered =
                std::min(size_, buffers_.first_from(backing_size_).value_or(size_));
            if (covered > backing_size_) {
                if (context_.io.ftruncate(*fd, static_cast<off_t>(covered.value)) != 0) {
                    return backing::last_error();
                }
                backing_size_ = covered;
                sparse_ = true;
                metadata_unsynced_ = true;
            }
        }
        if (mtime_) {
            const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, *mtime_};
            if (context_.io.futimens(*fd, times) != 0 && errno != EPERM) {
                return backing::last_error();
            }
            if (buffers_.empty() && size_ == backing_size_) {
                mtime_.reset();
            }
            flushed_ctime_ = stamp_now();
        }
        if (durable && metadata_unsynced_) {
            metadata_unsynced_ = false;
            to_sync = backing_fd_;
        }
    }
    if (to_sync && context_.io.fsync(to_sync->get()) != 0) {
        const int error = errno;
        const std::scoped_lock lock(mutex_);
        metadata_unsynced_ = true;
        return backing::failed(error);
    }
    return changed;
}

} // namespace partialfs::journal
