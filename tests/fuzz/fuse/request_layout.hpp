// The format of a FUSE request's arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace partialfs::fuzz {

using Bytes = std::vector<std::byte>;

/// The arguments after a fuse_in_header: a structure of fixed size, then names that end in a zero,
/// then data. Offsets are counted from the structure's first byte; kNone: there is no such field.
struct RequestLayout {
    static constexpr std::size_t kNone = ~std::size_t{0};

    std::uint32_t opcode;
    std::size_t fixed = 0;      ///< bytes of the structure
    std::size_t node = kNone;   ///< 64 bits: the number of a second inode
    std::size_t handle = kNone; ///< 64 bits: the number of an open file or directory
    std::size_t names = 0;      ///< how many names follow
    std::size_t length = kNone; ///< 32 bits: how many bytes of data follow the names
    std::size_t room = kNone;   ///< 32 bits: the largest answer allowed, in bytes
    bool lists_inodes = false;  ///< the data is fuse_forget_one items; the first field counts them
    bool answered = true;
};

/// Null for an opcode that libfuse does not know.
const RequestLayout* layout_of(std::uint32_t opcode);

/// The most bytes of data that an answer may have.
inline constexpr std::uint32_t kMostRoom = 65536;

/// Turns any bytes into arguments with the properties that the kernel guarantees, and libfuse
/// relies on: structures are complete, names end in a zero, lengths match what follows. Names
/// contain no slash, and are neither `.` nor `..`: these would lead out of the served directory.
Bytes well_formed(const RequestLayout& layout, std::span<const std::byte> arguments);

/// Reads or sets a field of the arguments. `offset` must be inside.
std::uint64_t get_u64(std::span<const std::byte> bytes, std::size_t offset);
void set_u64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value);
std::uint32_t get_u32(std::span<const std::byte> bytes, std::size_t offset);
void set_u32(std::span<std::byte> bytes, std::size_t offset, std::uint32_t value);

} // namespace partialfs::fuzz
