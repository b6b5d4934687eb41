// The numbers that the daemon has given out, and the bytes that stand for them in a script.
#pragma once

#include "tests/fuzz/fuse/request_layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace partialfs::fuzz {

/// Not thread-safe.
///
/// A byte counts what has been given out, in the order in which it came: 1 is the first. 0 and what
/// has not come stand for numbers that nobody has given out. The last bytes are the control
/// directory's inodes.
class Numbers {
  public:
    /// The root is the first inode.
    Numbers();

    /// Learns of what an answer gives out. `body` is what follows its fuse_out_header.
    void learn(std::uint32_t opcode, std::span<const std::byte> body);

    [[nodiscard]] std::uint64_t inode(std::uint8_t byte) const;
    [[nodiscard]] std::uint64_t handle(std::uint8_t byte) const;
    /// The byte that stands for a number; 0 if none does.
    [[nodiscard]] std::uint8_t byte_of_inode(std::uint64_t number) const;
    [[nodiscard]] std::uint8_t byte_of_handle(std::uint64_t number) const;

    /// Well-formed arguments with numbers in place of a script's bytes, which stand in the lowest
    /// byte of the field.
    [[nodiscard]] Bytes filled_in(const RequestLayout& layout,
                                  std::span<const std::byte> arguments) const;
    /// The reverse.
    [[nodiscard]] Bytes taken_out(const RequestLayout& layout,
                                  std::span<const std::byte> arguments) const;

  private:
    void learn_inode(std::uint64_t number);
    void learn_entries(std::span<const std::byte> listing);

    std::vector<std::uint64_t> inodes_;
    std::vector<std::uint64_t> handles_;
};

} // namespace partialfs::fuzz
