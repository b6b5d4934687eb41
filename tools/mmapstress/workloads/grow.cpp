// Files that grow while their last pages are being stored into.
//
// With blocks smaller than a page, the new blocks of a page that was writable already got no place
// on disk (commits 90a80202, d6320cbfc929, 0572639ff66d). And bytes stored past the end of the file
// became part of it (fixed in f2fs; FUSE and tmpfs still do that: K3).
#include "tools/mmapstress/workloads/built_source.hpp"
#include "tools/schedule/op_effect.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr ByteCount kDefaultSize{5000};
constexpr std::uint32_t kDefaultFiles = 4;
constexpr std::uint64_t kDefaultOps = 2000;
/// A file that has grown by more than this is cut to its first size again.
constexpr std::uint64_t kGrowth = 256U << 10U;
/// Stores go into this many bytes before the end of the file.
constexpr std::uint64_t kTail = 3 * kPageSize;

class GrowSource final : public BuiltSource {
  public:
    GrowSource(const WorkloadSettings& settings, Header header)
        : BuiltSource(std::move(header), Dice(settings.seed), settings.ops.value_or(kDefaultOps)) {
        std::ranges::transform(header_.files, std::back_inserter(sizes_), &FileSpec::size);
    }

  private:
    /// All workers store near the end a few times, and one of them makes the file longer.
    void round(std::vector<Op>& out) override {
        file_ = some_file();
        const std::size_t first = out.size();
        const std::uint64_t stores = 1 + dice_.below(std::uint64_t{2} * header_.workers());
        for (std::uint64_t i = 0; i != stores; ++i) {
            build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(i % header_.workers())});
            store_near_the_end(out, i % header_.workers());
        }
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(dice_.below(header_.workers()))});
        if (dice_.below(3) == 0) {
            store_past_the_end(out);
        }
        if (dice_.below(3) == 0) {
            flush(out);
        }
        grow(out);
        for (std::size_t i = first; i != out.size(); ++i) {
            if (traits_of(out[i].kind).has_file) {
                size() = size_after(out[i], size());
            }
        }
    }

    ByteCount& size() { return sizes_[file_.value]; }

    void store_near_the_end(std::vector<Op>& out, std::uint64_t worker) {
        // Each worker has its own stripes there.
        constexpr std::uint64_t kStripe = 256;
        const std::uint64_t end = size().value;
        const std::uint64_t begin = end - std::min(end, kTail);
        const std::uint64_t turn = (begin / kStripe + dice_.below(kTail / kStripe)) /
                                   header_.workers() * header_.workers();
        const std::uint64_t first = std::max(begin, (turn + worker) * kStripe);
        const std::uint64_t last = std::min(end, (turn + worker + 1) * kStripe);
        if (first >= last) {
            build_.content(out, OpKind::store, file_, {ByteOffset{end - 1}, ByteOffset{end}});
            return;
        }
        const std::uint64_t from = first + dice_.below(last - first);
        build_.content(out, OpKind::store, file_,
                       {ByteOffset{from}, ByteOffset{from + 1 + dice_.below(last - from)}});
    }

    void store_past_the_end(std::vector<Op>& out) {
        const std::uint64_t end = size().value;
        const std::uint64_t behind = (end + kPageSize - 1) / kPageSize * kPageSize - end;
        if (behind != 0) {
            const std::uint64_t from = end + dice_.below(std::min<std::uint64_t>(behind, 100));
            const std::uint64_t room = end + behind - from;
            build_.content(out, OpKind::past_eof_store, file_,
                           {ByteOffset{from}, ByteOffset{from + 1 + dice_.below(room)}});
        }
    }

    void flush(std::vector<Op>& out) {
        const ByteRange all{ByteOffset{0}, ByteOffset{size().value}};
        switch (dice_.below(4)) {
        case 0:
            build_.range(out, OpKind::start_writeback, file_, all);
            break;
        case 1:
            build_.whole(out, OpKind::msync_async, file_);
            break;
        case 2:
            build_.whole(out, OpKind::fdatasync, file_);
            break;
        default:
            build_.plain(out, OpKind::commit);
            break;
        }
    }

    void grow(std::vector<Op>& out) {
        const std::uint64_t end = size().value;
        const std::uint64_t by = 1 + dice_.below(dice_.below(2) == 0 ? 1500 : 6000);
        const std::uint64_t at_first = header_.files[file_.value].size.value;
        if (end > at_first + kGrowth) {
            build_.resize(out, file_, ByteCount{at_first});
            return;
        }
        switch (dice_.below(3)) {
        case 0:
            build_.resize(out, file_, ByteCount{end + by});
            break;
        case 1:
            build_.content(out, OpKind::append, file_, {ByteOffset{end}, ByteOffset{end + by}});
            break;
        default:
            build_.content(out, OpKind::write, file_,
                           {ByteOffset{end + by}, ByteOffset{end + by + 1 + dice_.below(100)}});
            break;
        }
    }

    FileIndex file_;
    std::vector<ByteCount> sizes_;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string> make_grow(const WorkloadSettings& settings) {
    constexpr std::uint16_t kThreads = 2;
    return make_source<GrowSource>(
        settings, header_for(settings, "grow", kDefaultSize, kDefaultFiles, kThreads));
}

} // namespace mmapstress
