#include "fusefs/file/write_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace partialfs::file {

using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

namespace {

/// The memory that an extent costs besides its bytes: the map's node, the shared pointer's control
/// block, malloc's overhead.
constexpr std::uint64_t kOverhead = 192;

} // namespace

WriteBuffer::Extents::const_iterator WriteBuffer::first_touching(ByteRange range) const {
    auto extent = extents_.upper_bound(range.begin);
    if (extent != extents_.begin()) {
        const auto before = std::prev(extent);
        if (before->first + size_of(before->second) > range.begin) {
            extent = before;
        }
    }
    return extent;
}

void WriteBuffer::split_at(ByteOffset offset) {
    auto extent = extents_.lower_bound(offset);
    if (extent == extents_.begin()) {
        return;
    }
    --extent;
    const std::uint64_t head = (offset - extent->first).value;
    if (head >= extent->second.bytes.size()) {
        return;
    }
    Extent tail = extent->second;
    tail.bytes = tail.bytes.subspan(head);
    extent->second.bytes = extent->second.bytes.first(head);
    extents_.emplace_hint(std::next(extent), offset, std::move(tail));
}

void WriteBuffer::erase(ByteRange range) {
    if (range.empty() || extents_.empty()) {
        return;
    }
    split_at(range.begin);
    split_at(range.end);
    extents_.erase(extents_.lower_bound(range.begin), extents_.lower_bound(range.end));
}

void WriteBuffer::insert(ByteOffset offset, std::shared_ptr<Buffer> owner,
                         std::span<const std::byte> bytes, Epoch epoch) {
    if (bytes.empty()) {
        return;
    }
    erase({offset, offset + ByteCount{bytes.size()}});
    extents_.emplace(offset, Extent{std::move(owner), bytes, epoch});
}

bool WriteBuffer::insert_copy(ByteOffset offset, std::span<const std::byte> bytes, Epoch epoch,
                              BufferBudget& budget, Charge charge) {
    if (bytes.empty()) {
        return true;
    }
    // Append to an extent of the same epoch whose memory has room behind its end: the pattern of a
    // log file that is written line by line.
    const auto after = extents_.lower_bound(offset);
    if (after != extents_.begin()) {
        Extent& before = std::prev(after)->second;
        const ByteOffset end = std::prev(after)->first + size_of(before);
        const std::byte* tail = before.bytes.data() + before.bytes.size();
        const auto room =
            static_cast<std::size_t>(before.owner->data() + before.owner->capacity() - tail);
        // The extent must be the only user of the room behind it.
        if (end == offset && before.epoch == epoch && bytes.size() <= room &&
            before.owner.use_count() == 1) {
            erase({offset, offset + ByteCount{bytes.size()}});
            std::memcpy(const_cast<std::byte*>(tail), bytes.data(), bytes.size());
            before.bytes = {before.bytes.data(), before.bytes.size() + bytes.size()};
            return true;
        }
    }
    const std::uint64_t to_page_end = model::kPageSize - offset.value % model::kPageSize;
    const std::size_t capacity = std::max<std::size_t>(bytes.size(), to_page_end);
    auto owner = std::make_shared<Buffer>(capacity, budget);
    if (!owner->charge(capacity + kOverhead, charge)) {
        return false;
    }
    std::memcpy(owner->data(), bytes.data(), bytes.size());
    const std::span<const std::byte> copy{owner->data(), bytes.size()};
    insert(offset, std::move(owner), copy, epoch);
    return true;
}

std::size_t WriteBuffer::overlay(ByteOffset offset, std::span<std::byte> target,
                                 Epoch since) const {
    const ByteRange range{offset, offset + ByteCount{target.size()}};
    std::size_t put = 0;
    for (auto extent = first_touching(range); extent != extents_.end() && extent->first < range.end;
         ++extent) {
        if (extent->second.epoch < since) {
            continue;
        }
        const ByteRange part =
            intersect(range, {extent->first, extent->first + size_of(extent->second)});
        std::memcpy(target.data() + (part.begin - offset).value,
                    extent->second.bytes.data() + (part.begin - extent->first).value,
                    part.size().value);
        put += part.size().value;
    }
    return put;
}

bool WriteBuffer::covers(ByteRange range) const {
    ByteOffset reached = range.begin;
    for (auto extent = first_touching(range);
         extent != extents_.end() && extent->first <= reached && reached < range.end; ++extent) {
        reached = std::max(reached, extent->first + size_of(extent->second));
    }
    return reached >= range.end;
}

bool WriteBuffer::touches(ByteRange range) const {
    const auto extent = first_touching(range);
    return !range.empty() && extent != extents_.end() && extent->first < range.end;
}

void WriteBuffer::move_to(WriteBuffer& other, ByteRange range, Epoch before, Epoch now) {
    if (range.empty() || extents_.empty()) {
        return;
    }
    split_at(range.begin);
    split_at(range.end);
    auto extent = extents_.lower_bound(range.begin);
    while (extent != extents_.end() && extent->first < range.end) {
        if (extent->second.epoch >= before) {
            ++extent;
            continue;
        }
        other.insert(extent->first, extent->second.owner, extent->second.bytes, now);
        extent = extents_.erase(extent);
    }
}

void WriteBuffer::take_missing(WriteBuffer& other) {
    for (const auto& [offset, newer] : extents_) {
        other.erase({offset, offset + size_of(newer)});
    }
    extents_.merge(other.extents_);
    other.clear();
}

std::optional<ByteOffset> WriteBuffer::first_from(ByteOffset offset) const {
    const auto extent = first_touching({offset, ByteOffset{offset.value + 1}});
    if (extent == extents_.end()) {
        return std::nullopt;
    }
    return std::max(extent->first, offset);
}

std::uint64_t WriteBuffer::bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [offset, extent] : extents_) {
        sum += extent.bytes.size();
    }
    return sum;
}

ByteOffset WriteBuffer::end_of_run(ByteOffset offset) const {
    ByteOffset reached = offset;
    for (auto extent = first_touching({offset, ByteOffset{offset.value + 1}});
         extent != extents_.end() && extent->first <= reached; ++extent) {
        reached = std::max(reached, extent->first + size_of(extent->second));
    }
    return reached;
}

} // namespace partialfs::file
