#include "tools/schedule/op_effect.hpp"

#include <algorithm>
#include <limits>

namespace mmapstress {

namespace {

constexpr ByteOffset kNoEnd{std::numeric_limits<std::int64_t>::max()};

/// The part of the range that lies within a file of this size.
ByteRange inside(ByteRange range, ByteCount size) {
    const ByteOffset end = std::min(range.end, ByteOffset{size.value});
    return range.begin < end ? ByteRange{range.begin, end} : ByteRange{};
}

ByteRange rounded_out(ByteRange range, ByteCount unit) {
    const std::uint64_t end = (range.end.value + unit.value - 1) / unit.value * unit.value;
    return {ByteOffset{range.begin.value / unit.value * unit.value}, ByteOffset{end}};
}

/// Whether it puts its bytes at its offset even past the end of the file.
bool writes_by_offset(OpKind kind) {
    const OpTraits& traits = traits_of(kind);
    return traits.has_source || (traits.has_content && !traits.has_map);
}

} // namespace

ByteCount size_after(const Op& op, ByteCount size) {
    if (op.kind == OpKind::truncate) {
        return op.length;
    }
    if (op.kind == OpKind::append) {
        return ByteCount{size.value + op.length.value};
    }
    if (op.kind == OpKind::collapse) {
        return ByteCount{size.value - op.length.value};
    }
    if (op.kind == OpKind::insert) {
        return ByteCount{size.value + op.length.value};
    }
    if (writes_by_offset(op.kind)) {
        return ByteCount{std::max(size.value, op.range().end.value)};
    }
    return size;
}

ByteRange changed_bytes(const Op& op, ByteCount size) {
    const ByteOffset end{size.value};
    switch (op.kind) {
    case OpKind::truncate: {
        const ByteOffset after{op.length.value};
        return {std::min(end, after), std::max(end, after)};
    }
    case OpKind::append:
        return {end, end + op.length};
    case OpKind::punch:
    case OpKind::zero_range:
        return inside(op.range(), size);
    case OpKind::collapse:
        return {op.offset, end};
    case OpKind::insert:
        return {op.offset, end + op.length};
    case OpKind::past_eof_store:
        return {};
    default:
        break;
    }
    if (writes_by_offset(op.kind)) {
        return {std::min(op.offset, end), op.range().end};
    }
    return traits_of(op.kind).has_content ? inside(op.range(), size) : ByteRange{};
}

bool takes_bytes_away(const Op& op) {
    return op.kind == OpKind::truncate || op.kind == OpKind::punch || op.kind == OpKind::zero_range;
}

bool moves_bytes(const Op& op) {
    return traits_of(op.kind).has_source || op.kind == OpKind::collapse ||
           op.kind == OpKind::insert;
}

Move move_of(const Op& op, ByteCount size) {
    const ByteOffset end{size.value};
    if (op.kind == OpKind::collapse) {
        return {op.file, {op.range().end, end}, op.offset};
    }
    if (op.kind == OpKind::insert) {
        return {op.file, {op.offset, end}, op.range().end};
    }
    return {op.source, op.source_range(), op.offset};
}

ByteRange changed_together(const Op& op, ByteCount size, ByteCount folio) {
    ByteRange changed = changed_bytes(op, size);
    // If other workers may change the size first, a truncate to the present size changes it, too.
    if (op.kind == OpKind::truncate) {
        return {std::min(ByteOffset{op.length.value}, ByteOffset{size.value}), kNoEnd};
    }
    // Whether the kernel carries it out depends on the sizes of both files.
    if (op.kind == OpKind::clone_file) {
        return {ByteOffset{0}, kNoEnd};
    }
    if (op.kind == OpKind::direct_write) {
        changed = rounded_out(changed, folio);
    }
    if (size_after(op, size) != size) {
        return {changed.begin, kNoEnd};
    }
    if (op.kind == OpKind::direct_write) {
        return changed;
    }
    if (op.kind == OpKind::read_fault) {
        return {op.offset, op.offset + ByteCount{1}};
    }
    // A store past the end of the file changes no byte of it, but its page is part of the file. A
    // punch there would remove what another worker has appended meanwhile.
    return traits_of(op.kind).has_content || takes_bytes_away(op) ? op.range() : changed;
}

ByteRange needed_of_source(const Op& op) {
    // If the source grew meanwhile, the clone would become longer, too.
    return op.kind == OpKind::clone_file ? ByteRange{ByteOffset{0}, kNoEnd} : op.source_range();
}

} // namespace mmapstress
