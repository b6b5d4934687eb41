#include "tools/mmapstress/verify/classify.hpp"

#include "tools/mmapstress/schedule/op_walker.hpp"
#include "tools/mmapstress/schedule/pattern.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <utility>

namespace mmapstress {

namespace {

/// So many equal bytes, or all there are, are no chance.
constexpr std::size_t kLongMatch = 8;
/// So many are believed if nothing else explains the place; fewer only if the operation ends there.
constexpr std::size_t kShortMatch = 2;

/// The operations that changed any byte of a finding, in order; of more than kHistoryKept the last
/// ones.
using History = std::vector<OpId>;
constexpr std::size_t kHistoryKept = 4096;

/// The operation's line of text, without its newline.
std::string line_of(const Op& op) {
    std::string line;
    print_op(line, op);
    line.pop_back();
    return line;
}

/// The bytes of `op` that an earlier version of a file may hold.
ByteRange changed_range(const Op& op) {
    if (op.kind == OpKind::truncate) {
        return {ByteOffset{op.length.value}, ByteOffset{std::numeric_limits<std::uint64_t>::max()}};
    }
    if (traits_of(op.kind).has_content || op.kind == OpKind::punch) {
        return op.range();
    }
    return {};
}

/// Finds the findings that an operation overlaps.
class Index {
  public:
    Index(const std::vector<Finding>& findings, std::size_t files)
        : findings_(findings), first_(files + 1) {
        // The findings are ordered by file and begin, and each lies inside one page.
        for (std::uint32_t file = 0; file <= files; ++file) {
            first_[file] = static_cast<std::size_t>(
                std::ranges::lower_bound(findings, FileIndex{file}, {}, &Finding::file) -
                findings.begin());
        }
    }

    template <typename Visit>
    void overlapping(FileIndex file, ByteRange range, Visit visit) const {
        if (range.empty()) {
            return;
        }
        const std::uint64_t from = range.begin.value / kPageSize * kPageSize;
        const auto begin = findings_.begin() + static_cast<std::ptrdiff_t>(first_[file.value]);
        const auto end = findings_.begin() + static_cast<std::ptrdiff_t>(first_[file.value + 1]);
        auto at = std::lower_bound(begin, end, from, [](const Finding& finding, std::uint64_t to) {
            return finding.range.begin.value < to;
        });
        for (; at != end && at->range.begin < range.end; ++at) {
            if (!intersect(at->range, range).empty()) {
                visit(static_cast<std::size_t>(at - findings_.begin()));
            }
        }
    }

  private:
    const std::vector<Finding>& findings_;
    std::vector<std::size_t> first_;
};

class Classifier {
  public:
    Classifier(std::vector<Finding> findings, const Header& header)
        : header_(header), findings_(std::move(findings)), histories_(findings_.size()),
          index_(findings_, header.files.size()) {}

    void note(const Op& op) {
        bool named = false;
        index_.overlapping(op.file, changed_range(op), [&](std::size_t finding) {
            History& history = histories_[finding];
            if (history.size() == kHistoryKept) {
                history.erase(history.begin());
            }
            history.push_back(op.id);
            named = true;
        });
        if (named) {
            ops_.emplace(op.id, op);
        }
        last_ = op.id;
    }

    Classified finish() {
        Classified result;
        for (std::size_t i = 0; i < findings_.size(); ++i) {
            cut_up(findings_[i], histories_[i], result.damage);
        }
        for (const DamagedRange& range : result.damage) {
            for (const OpId id : range.ops) {
                name(id, result.named_ops);
            }
        }
        return result;
    }

  private:
    /// What stands at some place, and for how many bytes.
    struct Match {
        std::size_t length = 0;
        DamageKind kind = DamageKind::foreign;
        OpId origin;
        FileIndex file;
        ByteOffset offset;
        bool ends_with_its_op = false;
    };

    void name(OpId id, std::map<OpId, std::string>& names) const {
        const auto op = ops_.find(id);
        if (op == ops_.end() || names.contains(id)) {
            return;
        }
        names.emplace(id, line_of(op->second));
    }

    void cut_up(const Finding& finding, const History& history,
                std::vector<DamagedRange>& out) const {
        DamagedRange whole;
        whole.file = finding.file;
        whole.stages = finding.stages;
        whole.lost = finding.writer.id;
        const std::size_t told = std::min(history.size(), DamagedRange::kOpsKept);
        whole.ops.assign(history.end() - static_cast<std::ptrdiff_t>(told), history.end());
        whole.range = finding.range;
        if (finding.missing) {
            whole.kind = DamageKind::missing;
        }
        if (finding.missing || !finding.page) {
            out.push_back(std::move(whole));
            return;
        }
        const std::size_t first = out.size();
        const std::span<const std::byte> found = finding.found();
        for (std::size_t at = 0; at < found.size();) {
            const Match match = match_at(finding, history, at);
            DamagedRange part = whole;
            part.range.begin = finding.range.begin + ByteCount{at};
            part.range.end = part.range.begin + ByteCount{match.length};
            part.kind = match.kind;
            part.origin = match.origin;
            part.origin_file = match.file;
            part.origin_offset = match.offset;
            at += match.length;
            if (out.size() > first && match.kind == DamageKind::misplaced) {
                extend_backwards(finding, part, out, first);
            }
            if (out.size() > first && out.back().kind == part.kind &&
                part.kind == DamageKind::foreign) {
                out.back().range.end = part.range.end;
            } else {
                out.push_back(std::move(part));
            }
        }
    }

    /// Bytes before misplaced ones that were too few to be a cell, and so taken for foreign, may be
    /// of the same origin.
    void extend_backwards(const Finding& finding, DamagedRange& part,
                          std::vector<DamagedRange>& out, std::size_t first) const {
        DamagedRange& before = out.back();
        if (before.kind != DamageKind::foreign || before.range.end != part.range.begin) {
            return;
        }
        const std::uint64_t length = std::min(before.range.size().value, part.origin_offset.value);
        std::vector<std::byte> bytes(length);
        fill_pattern(bytes, header_.seed, part.origin_file, part.origin,
                     ByteOffset{part.origin_offset.value - length});
        const std::span<const std::byte> found =
            finding.found().first((part.range.begin - finding.range.begin).value);
        const auto same = static_cast<std::uint64_t>(
            std::ranges::mismatch(std::views::reverse(bytes), std::views::reverse(found)).in1 -
            std::views::reverse(bytes).begin());
        part.range.begin.value -= same;
        part.origin_offset.value -= same;
        before.range.end.value -= same;
        if (before.range.empty() && out.size() > first) {
            out.pop_back();
        }
    }

    Match match_at(const Finding& finding, const History& history, std::size_t at) const {
        const std::span<const std::byte> left = finding.found().subspan(at);
        const auto zeros = static_cast<std::size_t>(
            std::ranges::find_if(left, [](std::byte byte) { return byte != std::byte{0}; }) -
            left.begin());
        Match best{zeros, DamageKind::zeros, OpId{0}, FileIndex{0}, ByteOffset{0}};
        for (auto id = history.rbegin(); id != history.rend(); ++id) {
            const Op& op = ops_.at(*id);
            if (traits_of(op.kind).has_content && op.id != finding.writer.id) {
                take_longer(best,
                            version_match(finding, op.id, op.range(), op.offset, op.content, at));
            }
        }
        const FileSpec& spec = header_.files[finding.file.value];
        if (spec.start == Start::written || spec.start == Start::written_fsync) {
            const ByteRange all{ByteOffset{0}, ByteOffset{spec.size.value}};
            take_longer(best,
                        version_match(finding, OpId{0}, all, ByteOffset{0}, spec.content, at));
        }
        if (best.length >= std::min(kLongMatch, left.size())) {
            return best;
        }
        if (const std::optional<Match> moved = misplaced_at(finding, at)) {
            return *moved;
        }
        if (best.length >= kShortMatch || best.ends_with_its_op) {
            return best;
        }
        return {1, DamageKind::foreign, OpId{0}, FileIndex{0}, ByteOffset{0}};
    }

    static void take_longer(Match& best, const Match& other) {
        if (other.length > best.length) {
            best = other;
        }
    }

    /// How far the bytes from `at` on are those of an operation on the same place.
    Match version_match(const Finding& finding, OpId id, ByteRange range, ByteOffset op_offset,
                        const Content& content, std::size_t at) const {
        const ByteOffset begin = finding.range.begin + ByteCount{at};
        if (!range.contains(begin)) {
            return {};
        }
        const ByteRange part = intersect(range, {begin, finding.range.end});
        std::vector<std::byte> bytes(part.size().value);
        fill_content(bytes, content, header_.seed, finding.file, id, op_offset, begin);
        const std::size_t length = equal_length(bytes, finding.found().subspan(at));
        return {length,       DamageKind::stale, id,
                FileIndex{0}, ByteOffset{0},     length != 0 && length == bytes.size()};
    }

    static std::size_t equal_length(std::span<const std::byte> a, std::span<const std::byte> b) {
        return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
    }

    /// Looks for a whole cell around the place, at any alignment, and follows it as far as it goes.
    std::optional<Match> misplaced_at(const Finding& finding, std::size_t at) const {
        const std::span<const std::byte> page = *finding.page;
        const std::size_t place = finding.range.begin.value % kPageSize + at;
        for (std::size_t back = 0; back < kCellSize && back <= place; ++back) {
            const std::size_t start = place - back;
            if (start + kCellSize > page.size()) {
                continue;
            }
            for (std::uint32_t file = 0; file < header_.files.size(); ++file) {
                const auto origin = origin_of(page.subspan(start).first<kCellSize>(), header_.seed,
                                              FileIndex{file});
                if (!origin || origin->id > last_) {
                    continue;
                }
                return follow(finding, at, FileIndex{file}, *origin, back);
            }
        }
        return std::nullopt;
    }

    Match follow(const Finding& finding, std::size_t at, FileIndex file, const Origin& origin,
                 std::size_t back) const {
        const std::span<const std::byte> left = finding.found().subspan(at);
        const ByteOffset offset = origin.offset + ByteCount{back};
        std::vector<std::byte> bytes(left.size());
        fill_pattern(bytes, header_.seed, file, origin.id, offset);
        const std::size_t length = std::max<std::size_t>(1, equal_length(bytes, left));
        const bool in_place = file == finding.file && offset == finding.range.begin + ByteCount{at};
        if (in_place) {
            // Of an operation that the history no longer holds.
            return {length, DamageKind::stale, origin.id, FileIndex{0}, ByteOffset{0}};
        }
        return {length, DamageKind::misplaced, origin.id, file, offset};
    }

    const Header& header_;
    std::vector<Finding> findings_;
    std::vector<History> histories_;
    Index index_;
    std::map<OpId, Op> ops_;
    OpId last_;
};

/// Names the operations that wrote elsewhere what was found: those no history has.
void name_others(Classified& classified, const OpSourceFactory& factory, OpId last) {
    std::set<OpId> missing;
    for (const DamagedRange& range : classified.damage) {
        for (const OpId id : {range.lost, range.origin}) {
            if (id.value != 0 && !classified.named_ops.contains(id)) {
                missing.insert(id);
            }
        }
    }
    if (missing.empty()) {
        return;
    }
    OpWalker walker(factory());
    const auto name = [&](const Op& op) {
        if (missing.contains(op.id)) {
            classified.named_ops.emplace(op.id, line_of(op));
        }
    };
    std::ranges::for_each(walker.header().start_writes, name);
    for (const Op* op = walker.next(); op != nullptr && op->id <= last; op = walker.next()) {
        name(*op);
    }
}

} // namespace

Classified classify(std::vector<Finding> findings, const OpSourceFactory& factory, OpId last) {
    if (findings.empty()) {
        return {};
    }
    OpWalker walker(factory());
    Classifier classifier(std::move(findings), walker.header());
    for (const Op& op : walker.header().start_writes) {
        classifier.note(op);
    }
    while (const Op* op = walker.next()) {
        if (op->id > last) {
            break;
        }
        classifier.note(*op);
    }
    Classified result = classifier.finish();
    name_others(result, factory, last);
    return result;
}

} // namespace mmapstress
