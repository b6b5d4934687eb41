#include "tools/schedule/pattern.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace mmapstress {

namespace {

static_assert(std::endian::native == std::endian::little, "cells are put together as integers");

constexpr std::uint64_t kMultiplyA = 0xbf58476d1ce4e5b9U;
constexpr std::uint64_t kMultiplyB = 0x94d049bb133111ebU;
constexpr std::uint64_t kInverseA = 0x96de1b173f119089U;
constexpr std::uint64_t kInverseB = 0x319642b2d24d8ec3U;
static_assert(kMultiplyA * kInverseA == 1 && kMultiplyB * kInverseB == 1);
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;
constexpr std::uint64_t kPayload = 0x0303030303030303U; ///< the payload bits of eight bytes
constexpr std::uint64_t kEveryByte = 0x0101010101010101U;

/// SplitMix64's finaliser: a bijection in which every input bit reaches every output bit.
constexpr std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * kMultiplyA;
    x = (x ^ (x >> 27)) * kMultiplyB;
    return x ^ (x >> 31);
}

constexpr std::uint64_t unmix(std::uint64_t x) {
    x = (x ^ (x >> 31) ^ (x >> 62)) * kInverseB;
    x = (x ^ (x >> 27) ^ (x >> 54)) * kInverseA;
    return x ^ (x >> 30) ^ (x >> 60);
}
static_assert(unmix(mix(0x0123456789abcdefU)) == 0x0123456789abcdefU);

constexpr std::uint64_t key_of(std::uint64_t seed, FileIndex file, std::uint64_t id_high,
                               std::uint64_t cell_high) {
    const std::uint64_t key = mix(seed + kGolden) ^ mix(file.value + 2 * kGolden);
    return key ^ mix(id_high + 3 * kGolden) ^ mix(cell_high + 5 * kGolden);
}

/// The low 16 bits as the payload of eight bytes.
constexpr std::uint64_t spread(std::uint64_t x) {
    x &= 0xffffU;
    x = (x | (x << 24)) & 0x000000ff000000ffU;
    x = (x | (x << 12)) & 0x000f000f000f000fU;
    return (x | (x << 6)) & kPayload;
}

constexpr std::uint64_t gather(std::uint64_t x) {
    x &= kPayload;
    x = (x | (x >> 6)) & 0x000f000f000f000fU;
    x = (x | (x >> 12)) & 0x000000ff000000ffU;
    return (x | (x >> 24)) & 0xffffU;
}
static_assert(gather(spread(0x89abU)) == 0x89abU);

using Cell = std::array<std::uint64_t, kCellSize / sizeof(std::uint64_t)>;

constexpr Cell cell_at(std::uint64_t key, std::uint64_t id, std::uint64_t index,
                       std::uint64_t colour) {
    const std::uint64_t bits = mix(key ^ (id << 32) ^ (index & 0xffffffffU));
    return {spread(bits) | colour, spread(bits >> 16) | colour, spread(bits >> 32) | colour,
            spread(bits >> 48) | colour};
}

} // namespace

void fill_pattern(std::span<std::byte> out, std::uint64_t seed, FileIndex file, OpId id,
                  ByteOffset offset) {
    const std::uint64_t colour = (std::uint64_t{colour_of(id)} << 2) * kEveryByte;
    std::uint64_t position = offset.value;
    std::byte* to = out.data();
    std::size_t left = out.size();
    while (left != 0) {
        // The key changes with the high half of the cell's number: every 2^37 bytes.
        std::uint64_t index = position / kCellSize;
        const std::uint64_t key = key_of(seed, file, id.value >> 32, index >> 32);
        const std::uint64_t stretch_end = ((index >> 32) + 1) << 32;
        if (const std::uint64_t skip = position % kCellSize; skip != 0 || left < kCellSize) {
            const Cell cell = cell_at(key, id.value, index, colour);
            std::byte bytes[kCellSize];
            std::memcpy(bytes, &cell, kCellSize);
            const std::size_t count = std::min<std::size_t>(kCellSize - skip, left);
            std::memcpy(to, bytes + skip, count);
            to += count;
            left -= count;
            position += count;
            continue;
        }
        const std::uint64_t cells = std::min<std::uint64_t>(left / kCellSize, stretch_end - index);
        for (const std::uint64_t end = index + cells; index != end; ++index, to += kCellSize) {
            const Cell cell = cell_at(key, id.value, index, colour);
            std::memcpy(to, &cell, kCellSize);
        }
        left -= cells * kCellSize;
        position += cells * kCellSize;
    }
}

void fill_content(std::span<std::byte> out, const Content& content, std::uint64_t seed,
                  FileIndex file, OpId id, ByteOffset op_offset, ByteOffset offset) {
    switch (content.kind) {
    case ContentKind::pattern:
        fill_pattern(out, seed, file, id, offset);
        break;
    case ContentKind::fill:
        std::ranges::fill(out, content.fill);
        break;
    case ContentKind::data:
        std::ranges::copy(std::span(content.data).subspan((offset - op_offset).value, out.size()),
                          out.begin());
        break;
    }
}

std::optional<Origin> origin_of(std::span<const std::byte, kCellSize> cell, std::uint64_t seed,
                                FileIndex file) {
    Cell found{};
    std::memcpy(&found, cell.data(), kCellSize);
    const std::uint64_t colour = (found[0] >> 2) & 0x3fU;
    const std::uint64_t everywhere = (colour << 2) * kEveryByte;
    std::uint64_t bits = 0;
    for (std::size_t i = found.size(); i-- != 0;) {
        if ((found[i] & ~kPayload) != everywhere) {
            return std::nullopt;
        }
        bits = (bits << 16) | gather(found[i]);
    }
    bits = unmix(bits) ^ key_of(seed, file, 0, 0);
    const Origin origin{OpId{bits >> 32}, ByteOffset{(bits & 0xffffffffU) * kCellSize}};
    if (colour_of(origin.id) != colour) {
        return std::nullopt;
    }
    return origin;
}

} // namespace mmapstress
