#include "tools/mmapstress/verify/classify.hpp"

#include "tools/mmapstress/verify/match.hpp"
#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/op_walker.hpp"
#include "tools/schedule/pattern.hpp"

#include <algorithm>
#include <ranges>
#include <set>
#include <span>
#include <utility>

namespace mmapstress {

namespace {

/// A history has at most the last so many operations.
constexpr std::size_t kHistoryKept = 4096;

/// The operation's line of text, without its newline.
std::string line_of(const Op& op) {
    std::string line;
    print_op(line, op);
    line.pop_back();
    return line;
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
          grown_by_(findings_.size()), index_(findings_, header.files.size()) {}

    /// `size`: the file's before the operation.
    void note(const Op& op, ByteCount size) {
        if (size_after(op, size) > size) {
            index_.overlapping(op.file, changed_bytes(op, size),
                               [&](std::size_t finding) { grown_by_[finding] = op.id; });
        }
        bool named = false;
        index_.overlapping(op.file, changed_range(op), [&](std::size_t finding) {
            History& history = histories_[finding];
            if (moves_bytes(op)) {
                history.clear(); // the bytes that were here before are elsewhere now, or gone
            }
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
            if (findings_[i].kind == DamageKind::past_eof) {
                result.damage.push_back(past_eof(findings_[i], grown_by_[i], histories_[i]));
            } else if (findings_[i].writer.zero) {
                name_zeroing(findings_[i], histories_[i], result.damage);
            } else {
                cut_up(findings_[i], histories_[i], result.damage);
            }
        }
        for (const DamagedRange& range : result.damage) {
            for (const OpId id : range.ops) {
                name(id, result.named_ops);
            }
        }
        return result;
    }

  private:
    void name(OpId id, std::map<OpId, std::string>& names) const {
        const auto op = ops_.find(id);
        if (op == ops_.end() || names.contains(id)) {
            return;
        }
        names.emplace(id, line_of(op->second));
    }

    /// For bytes that should be zero: finds the operation, such as a truncate or a punch, that
    /// zeroed each part of the finding. Where there is none, they are zero since the file's start.
    void name_zeroing(const Finding& finding, const History& history,
                      std::vector<DamagedRange>& out) const {
        std::vector<OpId> zeroed(finding.range.size().value);
        for (const OpId id : history) {
            const Op& op = ops_.at(id);
            const ByteRange part = intersect(changed_range(op), finding.range);
            if ((takes_bytes_away(op) || moves_bytes(op)) && !part.empty()) {
                std::ranges::fill(std::span(zeroed).subspan(
                                      (part.begin - finding.range.begin).value, part.size().value),
                                  id);
            }
        }
        for (auto at = zeroed.begin(); at != zeroed.end();) {
            const auto end = std::find_if(at, zeroed.end(), [&](OpId id) { return id != *at; });
            Finding part = finding;
            part.writer.id = *at;
            part.range = {
                finding.range.begin + ByteCount{static_cast<std::uint64_t>(at - zeroed.begin())},
                finding.range.begin + ByteCount{static_cast<std::uint64_t>(end - zeroed.begin())}};
            cut_up(part, history, out);
            at = end;
        }
    }

    /// What is known about a finding before its bytes are looked at.
    static DamagedRange range_of(const Finding& finding, const History& history) {
        DamagedRange whole;
        whole.file = finding.file;
        whole.stages = finding.stages;
        whole.kind = finding.kind;
        whole.lost = finding.writer.id;
        const std::size_t told = std::min(history.size(), DamagedRange::kOpsKept);
        whole.ops.assign(history.end() - static_cast<std::ptrdiff_t>(told), history.end());
        whole.range = finding.range;
        return whole;
    }

    /// The lost bytes are the zeros that the file should have got when it grew.
    static DamagedRange past_eof(const Finding& finding, OpId grown_by, const History& history) {
        DamagedRange whole = range_of(finding, history);
        whole.lost = grown_by;
        whole.origin = finding.origin;
        return whole;
    }

    void cut_up(const Finding& finding, const History& history,
                std::vector<DamagedRange>& out) const {
        const Matcher matcher(header_, ops_, last_);
        DamagedRange whole = range_of(finding, history);
        if (!finding.page) {
            // If it is foreign there were bytes, but too much damage was found to keep its page.
            whole.kind = finding.kind == DamageKind::foreign ? DamageKind::unclear : finding.kind;
            out.push_back(std::move(whole));
            return;
        }
        const std::size_t first = out.size();
        const std::span<const std::byte> found = finding.found();
        for (std::size_t at = 0; at < found.size();) {
            const Match match = matcher.at(finding, history, at);
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
        for (std::size_t i = first; i < out.size(); ++i) {
            if (out[i].kind == DamageKind::foreign &&
                is_unclear(found.subspan((out[i].range.begin - finding.range.begin).value,
                                         out[i].range.size().value))) {
                out[i].kind = DamageKind::unclear;
            }
        }
    }

    /// Bytes directly before misplaced ones may have the same origin: they count as foreign so far,
    /// as they were too few for a cell.
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

    const Header& header_;
    std::vector<Finding> findings_;
    std::vector<History> histories_;
    std::vector<OpId> grown_by_; ///< the last operation by which the place became part of the file
    Index index_;
    std::map<OpId, Op> ops_;
    OpId last_;
};

/// Adds the lines of operations that are in no history: those that stored the found bytes for
/// another place, or past the end of a file, and those that were lost.
void name_others(Classified& classified, const std::vector<PastEof>& past_eof,
                 const OpSourceFactory& factory, OpId last) {
    std::set<OpId> missing;
    for (const PastEof& bytes : past_eof) {
        missing.insert(bytes.stored_by);
    }
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

Classified classify(std::vector<Finding> findings, const std::vector<PastEof>& past_eof,
                    const OpSourceFactory& factory, OpId last) {
    if (findings.empty() && past_eof.empty()) {
        return {};
    }
    OpWalker walker(factory());
    Classifier classifier(std::move(findings), walker.header());
    for (const Op& op : walker.header().start_writes) {
        classifier.note(op, walker.size(op.file));
    }
    std::vector<ByteCount> sizes(walker.header().files.size());
    for (std::uint32_t i = 0; i < sizes.size(); ++i) {
        sizes[i] = walker.size(FileIndex{i});
    }
    while (const Op* op = walker.next()) {
        if (op->id > last) {
            break;
        }
        ByteCount& size = sizes[op->file.value]; // without a file: of file 0, which stays the same
        classifier.note(*op, size);
        size = walker.size(op->file);
    }
    Classified result = classifier.finish();
    name_others(result, past_eof, factory, last);
    return result;
}

} // namespace mmapstress
