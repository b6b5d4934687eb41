// More dirty data than memory, so that writeback and reclaim write it.
#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr std::uint32_t kDefaultFiles = 2;
constexpr std::uint64_t kTimesMemory = 4;
constexpr std::uint64_t kPasses = 2;
constexpr std::uint64_t kStoresPerCommit = 512;

class PressureSource final : public BuiltSource {
  public:
    PressureSource(const WorkloadSettings& settings, Header header)
        : BuiltSource(std::move(header), Dice(settings.seed), 0) {
        std::uint64_t pages = 0;
        for (std::uint32_t file = 0; file != header_.files.size(); ++file) {
            pages += pages_of(FileIndex{file});
        }
        ops_ = settings.ops.value_or(pages * kPasses);
    }

  private:
    void round(std::vector<Op>& out) override {
        if (build_.count() % kStoresPerCommit == kStoresPerCommit - 1) {
            build_.plain(out, OpKind::commit);
        } else {
            store_somewhere(out);
        }
    }

    /// Stores walk through a file page by page, and jump to another place now and then.
    void store_somewhere(std::vector<Op>& out) {
        if (dice_.below(16) == 0) {
            file_ = some_file();
            page_ = dice_.below(pages_of(file_));
        }
        const std::uint64_t size = header_.files[file_.value].size.value;
        const ByteRange page = intersect({ByteOffset{0}, ByteOffset{size}},
                                         partialfs::model::range_of(PageIndex{page_}));
        const std::uint64_t begin = dice_.below(page.size().value);
        const std::uint64_t length = 1 + dice_.below(page.size().value - begin);
        const ByteOffset from = page.begin + ByteCount{begin};
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(page_ % header_.workers())});
        build_.content(out, OpKind::store, file_, {from, from + ByteCount{length}});
        // Half of the time the next page follows, else the same one again.
        if (dice_.below(2) == 0) {
            page_ = (page_ + 1) % pages_of(file_);
        }
    }

    FileIndex file_;
    std::uint64_t page_ = 0;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string>
make_pressure(const WorkloadSettings& settings) {
    const std::uint64_t files = std::max<std::uint32_t>(1, settings.files.value_or(kDefaultFiles));
    const ByteCount size{settings.memory.value * kTimesMemory / files / kPageSize * kPageSize};
    return make_source<PressureSource>(settings,
                                       header_for(settings, "pressure", size, kDefaultFiles));
}

} // namespace mmapstress
