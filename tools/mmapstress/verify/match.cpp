#include "tools/mmapstress/verify/match.hpp"

#include "tools/schedule/op_effect.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

/// So many equal bytes, or all that there are, are no coincidence.
constexpr std::size_t kLongMatch = 8;
/// So many are accepted if nothing else explains the place; fewer only if the operation ends there.
constexpr std::size_t kShortMatch = 2;

void take_longer(Match& best, const Match& other) {
    if (other.length > best.length) {
        best = other;
    }
}

std::size_t equal_length(std::span<const std::byte> a, std::span<const std::byte> b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

} // namespace

ByteRange changed_range(const Op& op) {
    if (op.kind == OpKind::truncate) {
        return {ByteOffset{op.length.value}, partialfs::model::kBehindAll};
    }
    if (op.kind == OpKind::collapse || op.kind == OpKind::insert) {
        return {op.offset, partialfs::model::kBehindAll};
    }
    const bool changes = traits_of(op.kind).has_content || takes_bytes_away(op) || moves_bytes(op);
    return changes ? op.range() : ByteRange{};
}

Match Matcher::at(const Finding& finding, const History& history, std::size_t at) const {
    const std::span<const std::byte> left = finding.found().subspan(at);
    const auto zeros = static_cast<std::size_t>(
        std::ranges::find_if(left, [](std::byte byte) { return byte != std::byte{0}; }) -
        left.begin());
    Match best{zeros, DamageKind::zeros, OpId{0}, FileIndex{0}, ByteOffset{0}};
    for (auto id = history.rbegin(); id != history.rend(); ++id) {
        const Op& op = ops_.at(*id);
        if (traits_of(op.kind).has_content && op.id != finding.writer.id) {
            take_longer(best, version(finding, op.id, op.range(), op.offset, op.content, at));
        }
    }
    const FileSpec& spec = header_.files[finding.file.value];
    if (spec.start == Start::written || spec.start == Start::written_fsync) {
        const ByteRange all{ByteOffset{0}, ByteOffset{spec.size.value}};
        take_longer(best, version(finding, OpId{0}, all, ByteOffset{0}, spec.content, at));
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
    if (const std::optional<Match> remains = remains_at(finding, history, at)) {
        return *remains;
    }
    return {1, DamageKind::foreign, OpId{0}, FileIndex{0}, ByteOffset{0}};
}

/// If a version was overwritten by another one and both were lost, a single byte of it may be left.
/// So the next few bytes are compared with what the place held, all versions together, after each
/// operation.
std::optional<Match> Matcher::remains_at(const Finding& finding, const History& history,
                                         std::size_t at) const {
    const std::span<const std::byte> left = finding.found().subspan(at);
    const std::size_t length = std::min(kLongMatch, left.size());
    const ByteRange window{finding.range.begin + ByteCount{at},
                           finding.range.begin + ByteCount{at + length}};
    std::vector<std::byte> stood(length);
    std::vector<Match> whose(length, {1, DamageKind::zeros, OpId{0}, FileIndex{0}, ByteOffset{0}});
    std::size_t longest = std::min(kShortMatch, length) - 1;
    std::optional<Match> best;
    const auto look = [&] {
        const std::size_t same = equal_length(stood, left.first(length));
        if (same != 0 && same >= longest && same >= std::min(kShortMatch, length)) {
            longest = same;
            best = whose[0];
        }
    };
    const auto lay = [&](ByteRange range, OpId id, ByteOffset op_offset, const Content* content) {
        const ByteRange part = intersect(range, window);
        if (part.empty()) {
            return;
        }
        const std::size_t first = (part.begin - window.begin).value;
        const std::span<std::byte> bytes = std::span(stood).subspan(first, part.size().value);
        if (content == nullptr) {
            std::ranges::fill(bytes, std::byte{0});
        } else {
            fill_content(bytes, *content, header_.seed, finding.file, id, op_offset, part.begin);
        }
        const Match match{1, content == nullptr ? DamageKind::zeros : DamageKind::stale, id,
                          FileIndex{0}, ByteOffset{0}};
        std::ranges::fill(std::span(whose).subspan(first, part.size().value), match);
        look();
    };
    const FileSpec& spec = header_.files[finding.file.value];
    if (spec.start == Start::written || spec.start == Start::written_fsync) {
        lay({ByteOffset{0}, ByteOffset{spec.size.value}}, OpId{0}, ByteOffset{0}, &spec.content);
    }
    look();
    for (const OpId id : history) {
        const Op& op = ops_.at(id);
        if (id != finding.writer.id && !moves_bytes(op)) {
            lay(changed_range(op), id, op.offset,
                traits_of(op.kind).has_content ? &op.content : nullptr);
        }
    }
    return best;
}

/// How many bytes from `at` on are those of an operation on the same place.
Match Matcher::version(const Finding& finding, OpId id, ByteRange range, ByteOffset op_offset,
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

/// Looks for a whole cell around the place, at any alignment, and follows it as far as it goes.
std::optional<Match> Matcher::misplaced_at(const Finding& finding, std::size_t at) const {
    const std::span<const std::byte> page = *finding.page;
    const std::size_t place = finding.range.begin.value % kPageSize + at;
    for (std::size_t back = 0; back < kCellSize && back <= place; ++back) {
        const std::size_t start = place - back;
        if (start + kCellSize > page.size()) {
            continue;
        }
        for (std::uint32_t file = 0; file < header_.files.size(); ++file) {
            const auto origin =
                origin_of(page.subspan(start).first<kCellSize>(), header_.seed, FileIndex{file});
            if (!origin || origin->id > last_) {
                continue;
            }
            return follow(finding, at, FileIndex{file}, *origin, back);
        }
    }
    return std::nullopt;
}

Match Matcher::follow(const Finding& finding, std::size_t at, FileIndex file, const Origin& origin,
                      std::size_t back) const {
    const std::span<const std::byte> left = finding.found().subspan(at);
    const ByteOffset offset = origin.offset + ByteCount{back};
    std::vector<std::byte> bytes(left.size());
    fill_pattern(bytes, header_.seed, file, origin.id, offset);
    const std::size_t length = std::max<std::size_t>(1, equal_length(bytes, left));
    const bool in_place = file == finding.file && offset == finding.range.begin + ByteCount{at};
    if (in_place) {
        // From an operation that is no longer in the history.
        return {length, DamageKind::stale, origin.id, FileIndex{0}, ByteOffset{0}};
    }
    return {length, DamageKind::misplaced, origin.id, file, offset};
}

bool is_unclear(std::span<const std::byte> bytes) {
    const auto colour = [](std::byte byte) { return byte >> 2; };
    const bool one_colour =
        colour(bytes[0]) != std::byte{0} && std::ranges::all_of(bytes, [&](std::byte byte) {
            return colour(byte) == colour(bytes[0]);
        });
    return bytes.size() < kLongMatch || (one_colour && bytes.size() < 2 * kCellSize - 1);
}

} // namespace mmapstress
