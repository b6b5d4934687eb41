#include "tools/mmapstress/verify/version_map.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace mmapstress {

namespace {

/// Bytes of a std::map node beside its value, and of an allocation beside its contents.
constexpr std::size_t kNodeOverhead = 48;
constexpr std::size_t kAllocationOverhead = 16;
constexpr std::size_t kEntry = sizeof(std::uint32_t) + sizeof(std::uint16_t);

} // namespace

VersionMap::Stretch::Stretch(Version all)
    : data_(std::make_unique_for_overwrite<std::byte[]>(kEntry)) {
    versions()[0] = all.value;
    begins()[0] = 0;
}

std::size_t VersionMap::Stretch::memory() const {
    return sizeof(*this) + kNodeOverhead + kAllocationOverhead + capacity_ * kEntry;
}

std::uint32_t VersionMap::Stretch::find(std::uint32_t position) const {
    const std::uint16_t* const first = begins();
    return static_cast<std::uint32_t>(
        std::upper_bound(first, first + count_, static_cast<std::uint16_t>(position)) - first - 1);
}

void VersionMap::Stretch::splice(std::uint32_t at, std::uint32_t old, std::uint32_t fresh) {
    const std::uint32_t count = count_ - old + fresh;
    const std::uint32_t tail = count_ - at - old;
    if (count > capacity_) {
        const std::uint32_t capacity = count + count / 8 + 2;
        Stretch grown(Version{0});
        grown.capacity_ = capacity;
        grown.data_ = std::make_unique_for_overwrite<std::byte[]>(capacity * kEntry);
        std::memcpy(grown.versions(), versions(), at * sizeof(std::uint32_t));
        std::memcpy(grown.begins(), begins(), at * sizeof(std::uint16_t));
        std::memcpy(grown.versions() + at + fresh, versions() + at + old,
                    tail * sizeof(std::uint32_t));
        std::memcpy(grown.begins() + at + fresh, begins() + at + old, tail * sizeof(std::uint16_t));
        data_ = std::move(grown.data_);
        capacity_ = capacity;
    } else if (old != fresh) {
        std::memmove(versions() + at + fresh, versions() + at + old, tail * sizeof(std::uint32_t));
        std::memmove(begins() + at + fresh, begins() + at + old, tail * sizeof(std::uint16_t));
    }
    count_ = count;
}

void VersionMap::Stretch::assign(std::uint32_t begin, std::uint32_t end_position, Version version) {
    std::uint32_t first = find(begin);
    std::uint32_t last = find(end_position - 1);
    // Keeps the rest of the intervals at both ends, or joins with neighbours of the same version.
    const Version before = this->version(first);
    const bool keep_before = this->begin(first) < begin && before != version;
    const Version after = this->version(last);
    const std::uint32_t after_begin = end_position;
    const bool keep_after = end_position < end(last) && after != version;
    std::uint32_t start = begin;
    if (this->begin(first) < begin && before == version) {
        start = this->begin(first);
    } else if (!keep_before && first != 0 && this->version(first - 1) == version) {
        --first;
        start = this->begin(first);
    }
    if (!keep_after && last + 1 != count_ && this->version(last + 1) == version) {
        ++last;
    }
    const std::uint32_t before_begin = keep_before ? this->begin(first) : 0;
    const std::uint32_t fresh = 1U + (keep_before ? 1U : 0U) + (keep_after ? 1U : 0U);
    splice(first, last - first + 1, fresh);
    std::uint32_t at = first;
    const auto put = [&](std::uint32_t position, Version value) {
        begins()[at] = static_cast<std::uint16_t>(position);
        versions()[at] = value.value;
        ++at;
    };
    if (keep_before) {
        put(before_begin, before);
    }
    put(start, version);
    if (keep_after) {
        put(after_begin, after);
    }
}

void VersionMap::assign(ByteRange range, Version version) {
    std::uint64_t at = range.begin.value;
    while (at < range.end.value) {
        const std::uint64_t stretch = at / kStretch;
        const std::uint64_t base = stretch * kStretch;
        const std::uint64_t end = std::min(range.end.value, base + kStretch);
        const bool whole = at == base && end == base + kStretch;
        auto found = stretches_.lower_bound(stretch);
        const bool present = found != stretches_.end() && found->first == stretch;
        if (whole) {
            if (present) {
                memory_ -= found->second.memory();
                found = stretches_.erase(found);
            }
            if (version == Version{0}) {
                // Goes on at the next known stretch: the bytes in between have this version
                // already.
                at = found == stretches_.end() ? range.end.value
                                               : std::max(end, found->first * kStretch);
                continue;
            }
            found = stretches_.try_emplace(found, stretch, version);
            memory_ += found->second.memory();
        } else if (present || version != Version{0}) {
            if (!present) {
                found = stretches_.try_emplace(found, stretch, Version{0});
                memory_ += found->second.memory();
            }
            memory_ -= found->second.memory();
            found->second.assign(static_cast<std::uint32_t>(at - base),
                                 static_cast<std::uint32_t>(end - base), version);
            memory_ += found->second.memory();
        }
        at = end;
    }
}

} // namespace mmapstress
