// The bytes that an operation puts into a file. They are made so that wrong bytes show where they
// came from.
//
// A cell is 32 bytes of the file, aligned to 32. In every byte of it the upper six bits are the
// colour of the operation, 1 to 63, and the lower two bits of all of them hold 64 bits: the
// operation's id and the cell's number, 32 bits of each, scrambled by a bijection that depends on
// the seed, the file and the high halves of id and cell. So
//   - no byte is zero: zeros on disk are a hole or a lost first store, never a stored value;
//   - two operations of different colours differ in every byte: a lost store is one whole range.
//     The workloads choose ids so that the last versions of a byte have different colours;
//   - two operations of one colour still differ in three of four bytes;
//   - a whole cell that is found at a wrong place can be decoded: which operation stored it, and
//     at which offset.
//
// Pure functions, any thread.
#pragma once

#include "tools/schedule/op.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mmapstress {

/// Bytes of a cell.
inline constexpr std::uint64_t kCellSize = 32;
/// How many colours there are.
inline constexpr std::uint64_t kColours = 63;

/// The operation's colour, 1 to 63: the upper six bits of every byte it stores.
constexpr std::uint8_t colour_of(OpId id) {
    return static_cast<std::uint8_t>(1 + id.value % kColours);
}

/// Fills `out` with what operation `id` puts at `offset` of `file`, as a pattern.
void fill_pattern(std::span<std::byte> out, std::uint64_t seed, FileIndex file, OpId id,
                  ByteOffset offset);

/// Fills `out` with the content of an operation (or of a file's start, with id 0) for the bytes
/// from `offset` on. `op_offset` is where the operation begins; content of kind data needs it.
void fill_content(std::span<std::byte> out, const Content& content, std::uint64_t seed,
                  FileIndex file, OpId id, ByteOffset op_offset, ByteOffset offset);

/// What a cell's bytes say about their origin.
struct Origin {
    OpId id;
    ByteOffset offset; ///< of the cell

    bool operator==(const Origin&) const = default;
};

/// Decodes a whole cell of `file`, with an id below 2^32 and an offset below 2^37. Nothing if it is
/// not such a cell. Other bytes are mistaken for one with a probability of some 2^-60; the caller
/// checks that the operation exists and covers that offset.
std::optional<Origin> origin_of(std::span<const std::byte, kCellSize> cell, std::uint64_t seed,
                                FileIndex file);

} // namespace mmapstress
