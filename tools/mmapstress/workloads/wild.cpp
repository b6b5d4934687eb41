// All operations, weighted, by several workers at a time.
#include "fusefs/base/try.hpp"
#include "tools/mmapstress/workloads/built_source.hpp"
#include "tools/mmapstress/workloads/mood.hpp"
#include "tools/schedule/op_effect.hpp"

#include <algorithm>
#include <optional>

namespace mmapstress {

namespace {

/// Few, because a later store repairs what an earlier one lost.
constexpr std::uint64_t kDefaultOps = 500;
constexpr std::uint64_t kHugePage = 2U << 20U;

/// Chooses the numbers of threads and processes that the settings leave open.
void choose_workers(Dice& dice, const WorkloadSettings& settings, Header& header) {
    struct Workers {
        std::uint16_t threads;
        std::uint16_t processes;
    };
    constexpr std::array<Workers, 7> kWorkers{
        {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {1, 2}, {2, 2}, {1, 3}}};
    const Workers& workers = dice.pick(kWorkers);
    header.threads = settings.threads.value_or(settings.processes ? 1 : workers.threads);
    header.processes = settings.processes.value_or(settings.threads ? 1 : workers.processes);
}

/// 0 up to 2^bits - 1. Each order of magnitude comes equally often: many are small, some are large.
std::uint64_t of_any_order(Dice& dice, std::uint64_t bits) {
    return dice.below(1ULL << dice.below(bits + 1));
}

/// A file whose size ends anywhere in a page; one in eight has room for a huge page.
FileSpec file_of_some_size(Dice& dice, std::optional<ByteCount> size) {
    FileSpec file;
    const std::uint64_t any = 1 + dice.below(4 * kPageSize);
    const std::uint64_t pages = dice.below(8) == 0 ? kHugePage : of_any_order(dice, 11) * kPageSize;
    file.size = size.value_or(ByteCount{pages + any});
    file.start = dice.pick(std::array{Start::sparse, Start::written, Start::written_fsync});
    return file;
}

bool changes_size(Shape shape) {
    switch (shape) {
    case Shape::longer:
    case Shape::size:
    case Shape::cut:
    case Shape::gap:
    case Shape::other:
    case Shape::twin:
    case Shape::past_eof:
        return true;
    default:
        return false;
    }
}

class WildSource final : public BuiltSource {
  public:
    WildSource(const WorkloadSettings& settings, Header header, Dice dice)
        : BuiltSource(std::move(header), dice, settings.ops.value_or(kDefaultOps)),
          stripe_(
              dice_.pick(std::array<std::uint64_t, 4>{256, kPageSize, 16 * kPageSize, kHugePage})) {
        for (const FileSpec& file : header_.files) {
            sizes_.push_back(file.size);
            largest_.emplace_back(2 * file.size.value + 16 * kPageSize);
        }
    }

  private:
    void round(std::vector<Op>& out) override {
        file_ = some_file();
        const MapIndex map{static_cast<std::uint8_t>(dice_.below(4) == 0 ? 1 : 0)};
        const Choice& choice = mood_.choose(dice_);
        worker_ = worker_for(choice.shape);
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(worker_)});
        if (size() == 0) {
            build_.resize(out, file_, ByteCount{1 + dice_.below(4 * kPageSize)});
        } else if (!emit(out, choice, map)) {
            build_.content(out, OpKind::store, file_, *some_bytes(200, 1), map);
        }
        const Op& op = out.back();
        if (traits_of(op.kind).has_file) {
            sizes_[op.file.value] = size_after(op, sizes_[op.file.value]);
        }
    }

    std::uint64_t worker_for(Shape shape) {
        const std::uint64_t any = dice_.below(header_.workers());
        return orderly_ && changes_size(shape) ? file_.value % header_.workers() : any;
    }

    [[nodiscard]] std::uint64_t size() const { return sizes_[file_.value].value; }
    [[nodiscard]] std::uint64_t room() const {
        const std::uint64_t largest = largest_[file_.value].value;
        return largest > size() ? largest - size() : 0;
    }

    /// False, with nothing emitted, if the operation is not possible on the file as it is now.
    bool emit(std::vector<Op>& out, const Choice& choice, MapIndex map) {
        switch (choice.shape) {
        case Shape::nothing:
            build_.plain(out, choice.kind);
            return true;
        case Shape::wait:
            build_.pause(out, dice_.below(2000));
            return true;
        case Shape::whole:
            build_.whole(out, choice.kind, file_);
            return true;
        case Shape::mapping:
            build_.whole(out, choice.kind, file_, map);
            return true;
        case Shape::field:
            return emit_bytes(out, choice.kind, 200, map);
        case Shape::chunk:
            return emit_chunk(out, choice.kind, map);
        case Shape::bulk:
            return emit_bulk(out, choice.kind);
        case Shape::pages:
            build_.range(out, choice.kind, file_, some_pages(), map);
            return true;
        case Shape::part:
            return emit_part(out, choice.kind, map);
        case Shape::longer:
            return emit_longer(out, choice.kind);
        case Shape::size:
            build_.resize(out, file_, some_size());
            return true;
        case Shape::cut:
            return emit_cut(out, choice.kind);
        case Shape::gap:
            return emit_gap(out, choice.kind);
        case Shape::other:
            return emit_copy(out, choice.kind);
        case Shape::twin:
            return emit_clone(out);
        case Shape::past_eof:
            return emit_past_eof(out, choice.kind, map);
        }
        return false;
    }

    bool emit_bytes(std::vector<Op>& out, OpKind kind, std::uint64_t most, MapIndex map) {
        const OpTraits& traits = traits_of(kind);
        const auto range = some_bytes(most, traits.unit);
        if (!range) {
            return false;
        }
        const MapIndex through = traits.has_map ? map : MapIndex{0};
        if (traits.has_content) {
            build_.content(out, kind, file_, *range, through);
        } else {
            build_.range(out, kind, file_, *range, through);
        }
        return true;
    }

    /// Up to 64 KiB. Transfers in sectors are long more often: a long one takes more time, so it
    /// meets more other operations.
    bool emit_chunk(std::vector<Op>& out, OpKind kind, MapIndex map) {
        const bool in_sectors = traits_of(kind).unit != 1;
        return emit_bytes(out, kind, in_sectors ? 1U << 16U : 1 + of_any_order(dice_, 16), map);
    }

    /// Begins at a multiple of its size, as the writes of a program that copies a file do.
    bool emit_bulk(std::vector<Op>& out, OpKind kind) {
        const std::uint64_t length = dice_.pick(
            std::array<std::uint64_t, 4>{64U << 10U, 128U << 10U, 512U << 10U, 1U << 20U});
        if (size() < length) {
            return false;
        }
        const ByteOffset begin{dice_.below(size() / length) * length};
        build_.content(out, kind, file_, {begin, begin + ByteCount{length}});
        return true;
    }

    bool emit_part(std::vector<Op>& out, OpKind kind, MapIndex map) {
        const MapIndex through = traits_of(kind).has_map ? map : MapIndex{0};
        ByteRange range = some_pages();
        range.end = std::min(range.end, ByteOffset{size()});
        if (dice_.below(3) == 0) {
            build_.whole(out, kind, file_, through);
        } else {
            build_.range(out, kind, file_, range, through);
        }
        return true;
    }

    bool emit_longer(std::vector<Op>& out, OpKind kind) {
        const std::uint64_t length = 1 + dice_.below(2 * kPageSize);
        const std::uint64_t gap = dice_.below(2) == 0 ? dice_.below(kPageSize) : 0;
        if (room() < gap + length) {
            return false;
        }
        const std::uint64_t overlap = std::min(size(), dice_.below(100));
        const ByteOffset begin{gap != 0 ? size() + gap : size() - overlap};
        build_.content(out, kind, file_, {begin, begin + ByteCount{length}});
        return true;
    }

    ByteCount some_size() {
        const std::uint64_t step = 1 + dice_.below(3 * kPageSize);
        const std::uint64_t die = dice_.below(6);
        if (die < 3) {
            return ByteCount{size() + std::min(step, room())};
        }
        if (die < 5) {
            return ByteCount{size() - std::min(step, size())};
        }
        return header_.files[file_.value].size;
    }

    bool emit_cut(std::vector<Op>& out, OpKind kind) {
        const std::uint64_t pages = (size() - 1) / kPageSize;
        if (pages == 0) {
            return false;
        }
        const std::uint64_t first = dice_.below(pages);
        const std::uint64_t count = 1 + dice_.below(std::min<std::uint64_t>(4, pages - first));
        build_.range(out, kind, file_, pages_at(first, count));
        return true;
    }

    bool emit_gap(std::vector<Op>& out, OpKind kind) {
        const std::uint64_t count = 1 + dice_.below(4);
        if (room() < count * kPageSize) {
            return false;
        }
        build_.range(out, kind, file_, pages_at(dice_.below(whole_pages()), count));
        return true;
    }

    bool emit_copy(std::vector<Op>& out, OpKind kind) {
        const std::uint64_t unit = traits_of(kind).unit;
        const FileIndex source{static_cast<std::uint32_t>(dice_.below(header_.files.size()))};
        const std::uint64_t units = sizes_[source.value].value / unit;
        if (units == 0) {
            return false;
        }
        const std::uint64_t from = dice_.below(units);
        const std::uint64_t most = std::max<std::uint64_t>(1, 4 * kPageSize / unit);
        const std::uint64_t length = 1 + dice_.below(std::min(most, units - from));
        const std::uint64_t to = dice_.below(size() / unit + 1);
        const bool overlaps = source == file_ && to < from + length && from < to + length;
        if (overlaps || to * unit + length * unit > size() + room()) {
            return false;
        }
        build_.copy(out, kind, file_, {ByteOffset{to * unit}, ByteOffset{(to + length) * unit}},
                    source, ByteOffset{from * unit});
        return true;
    }

    bool emit_clone(std::vector<Op>& out) {
        const FileIndex source{static_cast<std::uint32_t>(dice_.below(header_.files.size()))};
        const std::uint64_t length = sizes_[source.value].value;
        const bool ends_inside = length < size() && length % kPageSize != 0;
        if (source == file_ || length == 0 || ends_inside || length > size() + room()) {
            return false;
        }
        build_.copy(out, OpKind::clone_file, file_, {ByteOffset{0}, ByteOffset{length}}, source,
                    ByteOffset{0});
        return true;
    }

    bool emit_past_eof(std::vector<Op>& out, OpKind kind, MapIndex map) {
        const std::uint64_t behind = whole_pages() * kPageSize - size();
        if (behind == 0) {
            return false;
        }
        const std::uint64_t first = size() + dice_.below(behind);
        const std::uint64_t length = 1 + dice_.below(whole_pages() * kPageSize - first);
        build_.content(out, kind, file_, {ByteOffset{first}, ByteOffset{first + length}}, map);
        return true;
    }

    /// The file's pages, with the last one, which may be partial.
    [[nodiscard]] std::uint64_t whole_pages() const { return (size() + kPageSize - 1) / kPageSize; }
    static ByteRange pages_at(std::uint64_t first, std::uint64_t count) {
        return {ByteOffset{first * kPageSize}, ByteOffset{(first + count) * kPageSize}};
    }
    ByteRange some_pages() {
        const std::uint64_t first = dice_.below(whole_pages());
        return pages_at(first, 1 + dice_.below(whole_pages() - first));
    }

    /// A range of the file, mostly in one of the worker's own stripes. Nothing if there is no room
    /// for one unit there; for a unit of 1 there always is.
    std::optional<ByteRange> some_bytes(std::uint64_t most, std::uint64_t unit) {
        const std::uint64_t stripes = (size() + stripe_ - 1) / stripe_;
        const std::uint64_t mine =
            stripes > worker_ ? (stripes - worker_ - 1) / header_.workers() + 1 : 0;
        const bool anywhere = mine == 0 || (!orderly_ && dice_.below(8) == 0);
        const std::uint64_t index =
            anywhere ? dice_.below(stripes) : dice_.below(mine) * header_.workers() + worker_;
        const std::uint64_t first = index * stripe_;
        const std::uint64_t last =
            header_.workers() == 1 ? size() : std::min(size(), first + stripe_);
        std::uint64_t begin = first + dice_.below(std::min(stripe_, last - first));
        std::uint64_t end = begin + 1 + dice_.below(std::min(most, last - begin));
        begin -= begin % unit;
        end = std::min((end + unit - 1) / unit * unit, size() / unit * unit);
        if (begin >= end) {
            return std::nullopt;
        }
        return ByteRange{ByteOffset{begin}, ByteOffset{end}};
    }

    Mood mood_{dice_};
    /// Whether each worker stays in its own stripes, and only one changes a file's size. Then few
    /// operations have to wait for others, so many are under way at once. Otherwise each worker may
    /// do anything anywhere.
    bool orderly_ = dice_.below(4) != 0;
    std::uint64_t stripe_; ///< width of a stripe; they belong to the workers in turn
    std::vector<ByteCount> sizes_;
    std::vector<ByteCount> largest_; ///< sizes up to which the files may grow
    std::uint64_t worker_ = 0;
    FileIndex file_;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string> make_wild(const WorkloadSettings& settings) {
    auto header = TRY(header_for(settings, "wild", ByteCount{kPageSize}, 1));
    Dice dice(settings.seed);
    choose_workers(dice, settings, header);
    const auto files = settings.files.value_or(dice.pick(std::array<std::uint32_t, 4>{1, 1, 2, 4}));
    header.files.clear();
    for (std::uint32_t i = 0; i < files; ++i) {
        header.files.push_back(file_of_some_size(dice, settings.size));
    }
    return std::make_unique<WildSource>(settings, std::move(header), dice);
}

} // namespace mmapstress
