#include "tools/mmapstress/workloads/op_builder.hpp"

#include "tools/schedule/pattern.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr std::uint64_t kSmallPlace = 512;
constexpr std::uint64_t kLargePlace = 4096;
constexpr std::uint64_t kLargeFile = 64U << 20U;

/// This many colours are remembered for a place: sixty bits.
constexpr std::size_t kRemembered = 10;
constexpr unsigned kColourBits = 6;
constexpr std::uint64_t kColourMask = 0x3f;
static_assert(kColours <= kColourMask && kRemembered * kColourBits <= 64);

/// Puts a colour in front of the others.
std::uint64_t used(std::uint64_t colours, std::uint64_t colour) {
    std::uint64_t kept = colour;
    unsigned shift = kColourBits;
    for (; colours != 0 && shift < kRemembered * kColourBits; colours >>= kColourBits) {
        if ((colours & kColourMask) != colour) {
            kept |= (colours & kColourMask) << shift;
            shift += kColourBits;
        }
    }
    return kept;
}

} // namespace

IdPicker::IdPicker(const Header& header) {
    for (const FileSpec& file : header.files) {
        place_sizes_.push_back(file.size.value > kLargeFile ? kLargePlace : kSmallPlace);
    }
}

template <typename Visit>
void IdPicker::visit(FileIndex file, ByteRange range, Visit visit) {
    const std::uint64_t size = place_sizes_[file.value];
    std::uint64_t at = range.begin.value / size;
    const std::uint64_t end = (range.end.value + size - 1) / size;
    while (at < end) {
        Stretch& stretch = stretches_[{file, at / kPlaces}];
        const std::uint64_t stop = std::min(end, (at / kPlaces + 1) * kPlaces);
        for (; at != stop; ++at) {
            visit(stretch[at % kPlaces]);
        }
    }
}

OpId IdPicker::next(FileIndex file, ByteRange range) {
    // For each colour: how many others have been used since, in the place where it was used last.
    std::array<std::size_t, kColours + 1> since{};
    since.fill(kRemembered);
    visit(file, range, [&](std::uint64_t colours) {
        for (std::size_t others = 0; colours != 0; colours >>= kColourBits, ++others) {
            std::size_t& least = since[colours & kColourMask];
            least = std::min(least, others);
        }
    });
    OpId best{last_.value + 1};
    for (std::uint64_t step = 2; step <= kColours && since[colour_of(best)] < kRemembered; ++step) {
        const OpId candidate{last_.value + step};
        if (since[colour_of(candidate)] > since[colour_of(best)]) {
            best = candidate;
        }
    }
    last_ = best;
    visit(file, range, [&](std::uint64_t& colours) { colours = used(colours, colour_of(best)); });
    return best;
}

Op& OpBuilder::add(std::vector<Op>& out, OpKind kind, OpId id) {
    Op op;
    op.id = id;
    op.kind = kind;
    op.by = by_;
    out.push_back(std::move(op));
    ++count_;
    return out.back();
}

void OpBuilder::plain(std::vector<Op>& out, OpKind kind) {
    add(out, kind, ids_.next());
}

void OpBuilder::whole(std::vector<Op>& out, OpKind kind, FileIndex file, MapIndex map) {
    Op& op = add(out, kind, ids_.next());
    op.file = file;
    op.map = traits_of(kind).has_map ? map : MapIndex{0};
}

void OpBuilder::range(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range,
                      MapIndex map) {
    const OpTraits& traits = traits_of(kind);
    Op& op = add(out, kind, ids_.next());
    op.file = file;
    op.map = traits.has_map ? map : MapIndex{0};
    op.offset = range.begin;
    op.length = traits.has_length ? range.size() : ByteCount{0};
}

void OpBuilder::resize(std::vector<Op>& out, FileIndex file, ByteCount size) {
    Op& op = add(out, OpKind::truncate, ids_.next());
    op.file = file;
    op.length = size;
}

void OpBuilder::copy(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range,
                     FileIndex source, ByteOffset from) {
    this->range(out, kind, file, range);
    out.back().source = source;
    out.back().from = from;
}

void OpBuilder::content(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range,
                        MapIndex map) {
    Op& op = add(out, kind, ids_.next(file, range));
    op.file = file;
    op.map = map;
    op.offset = kind == OpKind::append ? ByteOffset{0} : range.begin;
    op.length = range.size();
}

void OpBuilder::pause(std::vector<Op>& out, std::uint64_t microseconds) {
    add(out, OpKind::pause, ids_.next()).pause = microseconds;
}

} // namespace mmapstress
