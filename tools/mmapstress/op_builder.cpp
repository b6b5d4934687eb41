#include "tools/mmapstress/op_builder.hpp"

#include "tools/mmapstress/pattern.hpp"

#include <algorithm>

namespace mmapstress {

template <typename Visit>
void IdPicker::visit(FileIndex file, ByteRange range, Visit visit) {
    std::uint64_t at = range.begin.value / kGrain;
    const std::uint64_t end = (range.end.value + kGrain - 1) / kGrain;
    constexpr std::uint64_t kPerStretch = kStretch / kGrain;
    while (at < end) {
        Recent& recent = recent_[{file, at / kPerStretch}];
        const std::uint64_t stop = std::min(end, (at / kPerStretch + 1) * kPerStretch);
        for (; at != stop; ++at) {
            visit(recent[at % kPerStretch]);
        }
    }
}

OpId IdPicker::next(FileIndex file, ByteRange range) {
    // How often each colour stands among the recent ones; the latest weighs most.
    std::array<std::uint64_t, kColours + 1> used{};
    visit(file, range, [&](std::uint16_t recent) {
        used[recent & 15U] += 1000;
        used[(recent >> 4U) & 15U] += 100;
        used[(recent >> 8U) & 15U] += 10;
        used[(recent >> 12U) & 15U] += 1;
    });
    OpId best = OpId{last_.value + 1};
    for (std::uint64_t step = 2; step <= kColours && used[colour_of(best)] != 0; ++step) {
        const OpId candidate{last_.value + step};
        if (used[colour_of(candidate)] < used[colour_of(best)]) {
            best = candidate;
        }
    }
    last_ = best;
    visit(file, range, [&](std::uint16_t& recent) {
        recent = static_cast<std::uint16_t>((recent << 4U) | colour_of(best));
    });
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

void OpBuilder::whole(std::vector<Op>& out, OpKind kind, FileIndex file) {
    add(out, kind, ids_.next()).file = file;
}

void OpBuilder::range(std::vector<Op>& out, OpKind kind, FileIndex file, ByteRange range) {
    Op& op = add(out, kind, ids_.next());
    op.file = file;
    op.offset = range.begin;
    op.length = range.size();
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
