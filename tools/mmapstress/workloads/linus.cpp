// The test program of December 2006: chunks in random order through one mapping.
#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace mmapstress {

namespace {

constexpr ByteCount kDefaultSize{8U << 20U};
constexpr std::uint32_t kDefaultFiles = 1;
constexpr std::uint64_t kChunk = 1460; ///< what a TCP segment carries
// What happened beside the program then: the data arrived over a network, the kernel wrote dirty
// pages back now and then, and other programs' fsyncs committed the journal.
constexpr std::uint64_t kChunksPerPause = 64;
constexpr std::uint64_t kPauseMicroseconds = 4000;
constexpr std::uint64_t kChunksPerCommit = 512;
constexpr std::uint64_t kChunksPerWriteback = 1500;

class LinusSource final : public OpSource {
  public:
    LinusSource(const WorkloadSettings& settings, Header header)
        : header_(std::move(header)), dice_(settings.seed), ops_(settings.ops) {
        for (std::uint32_t file = 0; file < header_.files.size(); ++file) {
            const std::uint64_t size = header_.files[file].size.value;
            for (std::uint64_t chunk = 0; chunk * kChunk < size; ++chunk) {
                order_.emplace_back(FileIndex{file}, chunk);
            }
        }
        dice_.shuffle(order_);
    }

    [[nodiscard]] const Header& header() const override { return header_; }

    bool more(std::vector<Op>& out) override {
        if (ops_ && build_.count() >= *ops_) {
            return false;
        }
        if (at_ == order_.size()) {
            if (!ops_) {
                return false;
            }
            dice_.shuffle(order_);
            at_ = 0;
        }
        const std::size_t end = std::min(order_.size(), at_ + kChunksPerPause);
        for (; at_ != end; ++at_, ++stored_) {
            store_chunk(out);
        }
        build_.pause(out, kPauseMicroseconds);
        return true;
    }

  private:
    void store_chunk(std::vector<Op>& out) {
        const auto [file, chunk] = order_[at_];
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(chunk % header_.workers())});
        const ByteRange all{ByteOffset{0}, ByteOffset{header_.files[file.value].size.value}};
        build_.content(
            out, OpKind::store, file,
            intersect(all, {ByteOffset{chunk * kChunk}, ByteOffset{(chunk + 1) * kChunk}}));
        if (stored_ % kChunksPerCommit == kChunksPerCommit - 1) {
            build_.plain(out, OpKind::commit);
        }
        if (stored_ % kChunksPerWriteback == kChunksPerWriteback - 1) {
            build_.range(out, OpKind::sync_file_range, file, all);
        }
    }

    Header header_;
    Dice dice_;
    std::optional<std::uint64_t> ops_;
    OpBuilder build_{header_};
    std::vector<std::pair<FileIndex, std::uint64_t>> order_;
    std::size_t at_ = 0;
    std::uint64_t stored_ = 0;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string> make_linus(const WorkloadSettings& settings) {
    return make_source<LinusSource>(settings,
                                    header_for(settings, "linus", kDefaultSize, kDefaultFiles));
}

std::vector<std::string> linus_story(OpSource& source, OpId last_op,
                                     const std::vector<DamagedRange>& damage) {
    // The number of the last store into each chunk.
    std::map<std::pair<FileIndex, std::uint64_t>, std::uint64_t> stored;
    std::vector<Op> ops;
    std::uint64_t number = 0;
    while (source.more(ops)) {
        for (const Op& op : ops) {
            if (op.kind == OpKind::store && op.id <= last_op) {
                stored[{op.file, op.offset.value / kChunk}] = ++number;
            }
        }
        ops.clear();
    }
    const auto when = [&](FileIndex file, std::uint64_t chunk) {
        const auto found = stored.find({file, chunk});
        return found == stored.end() ? std::string("-") : std::to_string(found->second);
    };
    std::vector<std::string> story;
    for (const DamagedRange& range : damage) {
        const std::uint64_t begin = range.range.begin.value;
        const std::uint64_t last = range.range.end.value - 1;
        const std::uint64_t chunk = begin / kChunk;
        const std::string before = chunk == 0 ? "-" : when(range.file, chunk - 1);
        story.push_back("file " + std::to_string(range.file.value) + " chunk " +
                        std::to_string(chunk) + " corrupted (" +
                        std::to_string(begin - chunk * kChunk) + "-" +
                        std::to_string(last - chunk * kChunk) + ") (" +
                        std::to_string(begin % kPageSize) + "-" + std::to_string(last % kPageSize) +
                        " of page " + std::to_string(begin / kPageSize) + "), " +
                        std::string(name_of(range.kind)) + ", written as (" + before + ")" +
                        when(range.file, chunk) + "(" + when(range.file, chunk + 1) + ")");
    }
    return story;
}

} // namespace mmapstress
