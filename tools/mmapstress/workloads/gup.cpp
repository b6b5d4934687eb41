// The kernel stores into the mapping while the file grows.
//
// On FUSE filesystems of Linux 6.18 such stores were lost. In O_DIRECT reads of 64 KiB into a
// mapping of a bindfs mount, 5 to 7 % returned all their bytes, and the bytes were gone if another
// thread had grown the file with ftruncate() meanwhile (K1, result/known_faults.hpp).
#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr ByteCount kDefaultSize{8U << 20U};
constexpr std::uint64_t kDefaultOps = 2000;
/// With this size a place is stored into only about twice: a later store would repair what was
/// lost.
constexpr std::uint64_t kChunk = 32U << 10U;
constexpr std::uint64_t kSizesPerRound = 6;
/// A file grows by this much in all before it gets its first size again.
constexpr std::uint64_t kGrowth = 1U << 20U;

class GupSource final : public BuiltSource {
  public:
    GupSource(const WorkloadSettings& settings, Header header)
        : BuiltSource(std::move(header), Dice(settings.seed), settings.ops.value_or(kDefaultOps)),
          grown_(header_.files.size()) {}

  private:
    /// Each worker but the last stores once; the last one changes the file's size meanwhile.
    void round(std::vector<Op>& out) override {
        file_ = some_file();
        const std::uint64_t storers = std::max<std::uint64_t>(1, header_.workers() - 1);
        for (std::uint64_t storer = 0; storer != storers; ++storer) {
            build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(storer)});
            store(out, storer, storers);
        }
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(header_.workers() - 1)});
        for (std::uint64_t i = 0; i != kSizesPerRound; ++i) {
            change_size(out);
        }
        if (dice_.below(64) == 0) {
            build_.whole(out, OpKind::fsync, file_);
        }
    }

    /// Stores into one of the worker's own chunks.
    void store(std::vector<Op>& out, std::uint64_t storer, std::uint64_t storers) {
        constexpr std::array kKinds{OpKind::direct_read_store,
                                    OpKind::direct_read_store,
                                    OpKind::direct_read_store,
                                    OpKind::direct_read_store,
                                    OpKind::uring_read_store,
                                    OpKind::uring_read_store,
                                    OpKind::uring_fixed_store,
                                    OpKind::vm_write_store,
                                    OpKind::read_store,
                                    OpKind::recvmsg_store,
                                    OpKind::store,
                                    OpKind::store};
        const OpKind kind = dice_.pick(kKinds);
        const std::uint64_t size = header_.files[file_.value].size.value;
        const std::uint64_t chunks = std::max<std::uint64_t>(1, size / kChunk);
        const std::uint64_t mine = chunks > storer ? (chunks - storer - 1) / storers + 1 : 1;
        const std::uint64_t chunk = (dice_.below(mine) * storers + storer) % chunks;
        const std::uint64_t unit = traits_of(kind).unit;
        const std::uint64_t begin = chunk * kChunk;
        const std::uint64_t end = std::min(begin + kChunk, size) / unit * unit;
        if (begin >= end) { // the chunk is smaller than a sector
            build_.content(out, OpKind::store, file_, {ByteOffset{0}, ByteOffset{size}});
            return;
        }
        build_.content(out, kind, file_, {ByteOffset{begin}, ByteOffset{end}});
    }

    /// Makes the file longer by one or two pages. If it has grown enough, gives it its first size.
    void change_size(std::vector<Op>& out) {
        std::uint64_t& grown = grown_[file_.value];
        grown = grown >= kGrowth ? 0 : grown + kPageSize + dice_.below(kPageSize);
        build_.resize(out, file_, ByteCount{header_.files[file_.value].size.value + grown});
    }

    FileIndex file_;
    std::vector<std::uint64_t> grown_;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string> make_gup(const WorkloadSettings& settings) {
    constexpr std::uint16_t kThreads = 3;
    auto header = TRY(header_for(settings, "gup", kDefaultSize, 1, kThreads));
    for (FileSpec& file : header.files) {
        file.start = Start::written;
    }
    return std::make_unique<GupSource>(settings, std::move(header));
}

} // namespace mmapstress
