// Stores into pages while I/O on the same pages is in flight.
//
// The race is that of 2006: a store between the moment when the filesystem marks a page clean and
// the end of its I/O. Since 6.16 (commit 095f627add86) there is another one: writes that drop their
// pages from the cache as soon as they are on disk, whether there was a new store or not.
#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr ByteCount kDefaultSize{256U << 10U};
constexpr std::uint32_t kDefaultFiles = 2;
constexpr std::uint64_t kDefaultOps = 4000;

class WritebackSource final : public BuiltSource {
  public:
    WritebackSource(const WorkloadSettings& settings, Header header)
        : BuiltSource(std::move(header), Dice(settings.seed), settings.ops.value_or(kDefaultOps)) {}

  private:
    /// Each worker but the last stores a few times; the last one starts writeback of the file.
    void round(std::vector<Op>& out) override {
        file_ = some_file();
        const std::uint64_t storers = std::max<std::uint64_t>(1, header_.workers() - 1);
        const ByteRange hot = some_pages();
        for (std::uint64_t i = 0; i != 4 * storers; ++i) {
            build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(i % storers)});
            store(out, hot, i % storers, storers);
        }
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(header_.workers() - 1)});
        flush(out, hot);
    }

    /// A few pages, in which stores and writeback meet.
    ByteRange some_pages() {
        const std::uint64_t pages = pages_of(file_);
        const std::uint64_t first = dice_.below(pages);
        const std::uint64_t count = 1 + dice_.below(std::min<std::uint64_t>(8, pages - first));
        return {ByteOffset{first * kPageSize}, ByteOffset{(first + count) * kPageSize}};
    }

    /// Each worker has its own part of each page.
    void store(std::vector<Op>& out, ByteRange hot, std::uint64_t storer, std::uint64_t storers) {
        const std::uint64_t part = std::max<std::uint64_t>(1, kPageSize / storers);
        const std::uint64_t page =
            hot.begin.value + dice_.below(hot.size().value / kPageSize) * kPageSize;
        const std::uint64_t size = header_.files[file_.value].size.value;
        const std::uint64_t first = page + storer % kPageSize * part % kPageSize;
        const std::uint64_t last = std::min(size, first + part);
        if (first >= last) {
            build_.content(out, OpKind::store, file_, {ByteOffset{0}, ByteOffset{1}});
            return;
        }
        const std::uint64_t begin = first + dice_.below(last - first);
        const ByteRange bytes{ByteOffset{begin}, ByteOffset{begin + 1 + dice_.below(last - begin)}};
        const OpKind kind = dice_.below(16) == 0  ? OpKind::dontcache_write
                            : dice_.below(8) == 0 ? OpKind::write
                                                  : OpKind::store;
        build_.content(out, kind, file_, bytes);
    }

    void flush(std::vector<Op>& out, ByteRange hot) {
        constexpr std::array kOfPages{OpKind::start_writeback, OpKind::start_writeback,
                                      OpKind::start_writeback, OpKind::sync_file_range,
                                      OpKind::madvise_pageout, OpKind::madvise_cold};
        constexpr std::array kOfFiles{OpKind::fsync, OpKind::fdatasync, OpKind::msync_async,
                                      OpKind::msync_async, OpKind::msync};
        const std::uint64_t die = dice_.below(20);
        if (die < 12) {
            build_.range(out, dice_.pick(kOfPages), file_, hot);
        } else if (die < 18) {
            build_.whole(out, dice_.pick(kOfFiles), file_);
        } else {
            build_.plain(out, OpKind::commit);
        }
    }

    FileIndex file_;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string>
make_writeback(const WorkloadSettings& settings) {
    constexpr std::uint16_t kThreads = 3;
    auto header = TRY(header_for(settings, "writeback", kDefaultSize, kDefaultFiles, kThreads));
    for (std::size_t i = 0; i < header.files.size(); i += 2) {
        header.files[i].start = Start::written; // with large folios, if the filesystem has them
    }
    return std::make_unique<WritebackSource>(settings, std::move(header));
}

} // namespace mmapstress
