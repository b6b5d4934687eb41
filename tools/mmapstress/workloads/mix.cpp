// Small hot files, with stores, writes, syncs and commits mixed.
#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr ByteCount kDefaultSize{32U << 10U};
constexpr std::uint32_t kDefaultFiles = 4;
constexpr std::uint64_t kDefaultOps = 2000;
constexpr std::uint64_t kHotBytes = 16 * kPageSize;
/// After this many operations the hot part of a large file moves on.
constexpr std::uint64_t kOpsPerHotPart = 2000;
/// Each worker has its own stripes of a page, at least this wide.
constexpr std::uint64_t kNarrowestStripe = 64;

class MixSource final : public BuiltSource {
  public:
    MixSource(const WorkloadSettings& settings, Header header)
        : BuiltSource(std::move(header), Dice(settings.seed), settings.ops.value_or(kDefaultOps)) {}

  private:
    void round(std::vector<Op>& out) override {
        const auto worker = static_cast<std::uint16_t>(dice_.below(header_.workers()));
        build_.set_worker(WorkerIndex{worker});
        const FileIndex file = some_file();
        // The chances are in thousandths.
        const std::uint64_t die = dice_.below(1000);
        if (die < 600) {
            build_.content(out, OpKind::store, file, some_bytes(file, worker));
        } else if (die < 720) {
            build_.content(out, OpKind::write, file, some_bytes(file, worker));
        } else if (die < 860) {
            build_.plain(out, OpKind::commit);
        } else if (die < 910) {
            build_.whole(out, OpKind::fsync, file);
        } else if (die < 930) {
            build_.whole(out, OpKind::fdatasync, file);
        } else if (die < 970) {
            build_.range(out, OpKind::sync_file_range, file, some_pages(file));
        } else if (die < 980) {
            build_.whole(out, OpKind::msync, file);
        } else if (die < 990) {
            build_.whole(out, OpKind::msync_async, file);
        } else {
            build_.range(out, OpKind::live_check, file, some_bytes(file, worker));
        }
    }

    /// The part of the file that is hot now.
    [[nodiscard]] ByteRange hot_part(FileIndex file) const {
        const std::uint64_t size = header_.files[file.value].size.value;
        const std::uint64_t parts = (size + kHotBytes - 1) / kHotBytes;
        const std::uint64_t begin = build_.count() / kOpsPerHotPart % parts * kHotBytes;
        return {ByteOffset{begin}, ByteOffset{std::min(begin + kHotBytes, size)}};
    }

    /// Bytes inside one page of the hot part, in the worker's own stripes.
    ByteRange some_bytes(FileIndex file, std::uint16_t worker) {
        const ByteRange hot = hot_part(file);
        const std::uint64_t workers = header_.workers();
        const std::uint64_t stripe =
            workers == 1 ? kPageSize : std::max(kNarrowestStripe, kPageSize / workers);
        const std::uint64_t stripes = (hot.size().value + stripe - 1) / stripe;
        // The number of the worker's stripes in the hot part. If it has none, it takes any stripe:
        // the crew orders workers that meet.
        const std::uint64_t mine = stripes > worker ? (stripes - worker - 1) / workers + 1 : 0;
        const std::uint64_t index =
            mine == 0 ? dice_.below(stripes) : dice_.below(mine) * workers + worker;
        const ByteRange inside =
            intersect(hot, {ByteOffset{hot.begin.value + index * stripe},
                            ByteOffset{hot.begin.value + (index + 1) * stripe}});
        const std::uint64_t begin = dice_.below(inside.size().value);
        const std::uint64_t room = inside.size().value - begin;
        // Mostly a few bytes, as programs store fields; sometimes all there is.
        const std::uint64_t length =
            dice_.below(3) == 0 ? room : 1 + dice_.below(std::min<std::uint64_t>(room, 200));
        const ByteOffset from = inside.begin + ByteCount{begin};
        return {from, from + ByteCount{length}};
    }

    ByteRange some_pages(FileIndex file) {
        const ByteRange hot = hot_part(file);
        const std::uint64_t pages = (hot.size().value + kPageSize - 1) / kPageSize;
        const std::uint64_t first = dice_.below(pages);
        const std::uint64_t count = 1 + dice_.below(pages - first);
        const ByteOffset from{hot.begin.value + first * kPageSize};
        return {from, from + ByteCount{count * kPageSize}};
    }
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string> make_mix(const WorkloadSettings& settings) {
    return make_source<MixSource>(settings,
                                  header_for(settings, "mix", kDefaultSize, kDefaultFiles));
}

} // namespace mmapstress
