#include "tools/mmapstress/workloads/apt/workload.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/workloads/apt/cache_builder.hpp"
#include "tools/mmapstress/workloads/apt/cache_layout.hpp"
#include "tools/mmapstress/workloads/apt/cache_reader.hpp"
#include "tools/mmapstress/workloads/sources.hpp"

#include <algorithm>
#include <map>

namespace mmapstress {
namespace {

/// Bytes of the mapping for each package of the release: the cache fills about a fifteenth of them.
constexpr std::uint64_t kRoomPerPackage = 8192;
constexpr std::uint64_t kFewestPackages = 40;
/// To read and parse one paragraph of an index took about this long on the machines of 2006.
constexpr std::uint64_t kParagraphMicroseconds = 100;
/// Some other program calls fsync() now and then.
constexpr std::uint64_t kParagraphsPerCommit = 250;
/// While apt worked, background writeback wrote pages that were some seconds old.
constexpr std::uint64_t kParagraphsPerFlush = 400;

class AptSource final : public OpSource {
  public:
    AptSource(const WorkloadSettings& settings, Header header, ByteCount limit)
        : header_(std::move(header)), limit_(limit), ops_(settings.ops) {}

    [[nodiscard]] const Header& header() const override { return header_; }

    bool more(std::vector<Op>& out) override {
        if (ops_ ? next_id_ > *ops_ : built_ == header_.files.size()) {
            return false;
        }
        file_ = FileIndex{static_cast<std::uint32_t>(built_ % header_.files.size())};
        by_ = WorkerIndex{static_cast<std::uint16_t>(built_ % header_.workers())};
        if (built_ >= header_.files.size()) {
            check_from_disk(out);
        }
        build(out);
        ++built_;
        return true;
    }

  private:
    Op& add(std::vector<Op>& out, OpKind kind, ByteRange range = {}) {
        Op op;
        op.id.value = next_id_++;
        op.kind = kind;
        op.by = by_;
        if (traits_of(kind).has_file) {
            op.file = file_;
            op.offset = range.begin;
            op.length = range.size();
        }
        out.push_back(std::move(op));
        return out.back();
    }

    /// Reads the file's last cache from disk; then empties the file for the next one.
    void check_from_disk(std::vector<Op>& out) {
        add(out, OpKind::evict);
        add(out, OpKind::read_check);
        add(out, OpKind::truncate);
    }

    void build(std::vector<Op>& out) {
        const std::uint64_t packages = std::max(kFewestPackages, limit_.value / kRoomPerPackage);
        const auto cache =
            apt::build_cache(apt::make_distribution(header_.seed + built_, packages), limit_);
        if (!cache) {
            return; // make_apt() has refused a limit that is so small
        }
        for (const apt::CacheStep& step : cache->steps) {
            take(out, step);
        }
    }

    void take(std::vector<Op>& out, const apt::CacheStep& step) {
        using Kind = apt::CacheStep::Kind;
        switch (step.kind) {
        case Kind::create: {
            Op& last_byte =
                add(out, OpKind::write, {ByteOffset{step.range.end.value - 1}, step.range.end});
            last_byte.content.kind = ContentKind::fill;
            break;
        }
        case Kind::map:
            add(out, OpKind::map, step.range);
            break;
        case Kind::store: {
            Op& store = add(out, OpKind::store, step.range);
            store.content.kind = ContentKind::data;
            store.content.data = step.bytes;
            break;
        }
        case Kind::read_list:
            ++paragraphs_;
            if (paragraphs_ % kParagraphsPerFlush == 0) {
                add(out, OpKind::sync_file_range, {ByteOffset{0}, ByteOffset{limit_.value}});
            }
            if (paragraphs_ % kParagraphsPerCommit == 0) {
                add(out, OpKind::commit);
            }
            add(out, OpKind::pause).pause = kParagraphMicroseconds;
            break;
        case Kind::msync:
            add(out, OpKind::msync, step.range);
            break;
        case Kind::unmap:
            add(out, OpKind::unmap);
            break;
        case Kind::truncate:
            add(out, OpKind::truncate).length = ByteCount{step.range.end.value};
            break;
        }
    }

    Header header_;
    ByteCount limit_;
    std::optional<std::uint64_t> ops_;
    FileIndex file_;
    WorkerIndex by_;
    std::uint64_t next_id_ = 1;
    std::uint64_t built_ = 0;
    std::uint64_t paragraphs_ = 0;
};

/// The sizes of the files that hold a finished cache after `last`.
std::map<FileIndex, ByteCount> finished_caches(OpSource& source, OpId last) {
    std::map<FileIndex, ByteCount> finished;
    std::vector<Op> ops;
    while (source.more(ops)) {
        for (const Op& op : ops) {
            if (op.id > last) {
                return finished;
            }
            if (op.kind == OpKind::truncate && op.length.value > 0) {
                finished[op.file] = op.length;
            } else if (op.kind == OpKind::truncate || op.kind == OpKind::store) {
                finished.erase(op.file); // the next cache has begun
            }
        }
        ops.clear();
    }
    return finished;
}

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string> make_apt(const WorkloadSettings& settings) {
    auto header = TRY(header_for(settings, kAptName, ByteCount{apt::kDefaultLimit}, 1));
    const ByteCount limit = header.files.front().size;
    for (FileSpec& file : header.files) {
        file.size = ByteCount{0}; // each cache begins with a new, empty file
    }
    if (limit.value < kFewestPackages * kRoomPerPackage) {
        return std::unexpected("apt: the cache needs files of at least " +
                               std::to_string(kFewestPackages * kRoomPerPackage) + " bytes");
    }
    if (limit.value > std::uint64_t{1} << 31U) {
        return std::unexpected("apt: the cache's links are of 32 bits, so at most 2 GiB");
    }
    return std::make_unique<AptSource>(settings, std::move(header), limit);
}

std::vector<std::string> judge_apt(OpSource& source, OpId last, const FileReader& read) {
    std::vector<std::string> broken;
    for (const auto& [file, size] : finished_caches(source, last)) {
        const std::string name = "cache " + std::to_string(file.value) + ": ";
        std::vector<std::byte> bytes(size.value);
        if (!read(file, ByteOffset{0}, bytes)) {
            broken.push_back(name + "cannot be read");
            continue;
        }
        for (const apt::CacheProblem& problem : apt::check_cache(bytes).problems) {
            broken.push_back(name + problem.text + " (" + std::string(to_string(problem.kind)) +
                             " at " + std::to_string(problem.where.value) + ")");
        }
    }
    return broken;
}

} // namespace mmapstress
