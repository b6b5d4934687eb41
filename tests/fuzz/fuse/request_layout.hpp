// What the arguments of a FUSE request look like on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace partialfs::fuzz {

using Bytes = std::vector<std::byte>;

/// The arguments behind a fuse_in_header: a structure of fixed size, then names that end in a zero,
/// then data. Offsets are counted from the structure's first byte; kNone: there is no such field.
struct RequestLayout {
    static constexpr std::size_t kNone = ~std::size_t{0};

    std::uint32_t opcode;
    std::size_t fixed = 0;      ///< bytes of the structure
    std::size_t node = kNone;   ///< 64 bits: the number of a second inode
    std::size_t handle = kNone; ///< 64 bits: the number of an open file or directory
    std::size_t names = 0;      ///< how many follow
    std::size_t length = kNone; ///< 32 bits: how many bytes of data follow the names
    std::size_t room = kNone;   ///< 32 bits: how many bytes the answer may have
    bool lists_inodes = false;  ///< the data is as many fuse_forget_one as the first field says
    bool answered = true;
};

/// Null for an opcode that libfuse does not know.
const RequestLayout* layout_of(std::uint32_t opcode);

/// Most bytes that an answer of data may have.
inline constexpr std::uint32_t kMostRoom = 65536;

/// Makes arguments out of any bytes that keep what the kernel always keeps to, and libfuse relies
/// on: structures are whole, names end, lengths are those of what follows. Names get no slash, and
/// are neither `.` nor `..`: they would lead out of the directory that is served.
Bytes well_formed(const RequestLayout& layout, std::span<const std::byte> arguments);

/// A field of the arguments. `offset` must be inside.
std::uint64_t get_u64(std::span<const std::byte> bytes, std::size_t offset);
void set_u64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value);
std::uint32_t get_u32(std::span<const std::byte> bytes, std::size_t offset);
void set_u32(std::span<std::byte> bytes, std::size_t offset, std::uint32_t value);

} // namespace partialfs::fuzz
