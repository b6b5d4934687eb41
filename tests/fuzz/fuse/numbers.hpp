// The numbers that the daemon has given out, and the bytes that represent them in a script.
#pragma once

#include "tests/fuzz/fuse/request_layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace partialfs::fuzz {

/// Not thread-safe.
///
/// A byte is the position of a number in the order in which the daemon gave them out, from 1. 0 and
/// positions not yet reached represent numbers that were never given out. The last bytes are the
/// control directory's inodes.
class Numbers {
  public:
    /// The root is the first inode.
    Numbers();

    /// Records the numbers that an answer gives out. `body` is what follows its fuse_out_header.
    void learn(std::uint32_t opcode, std::span<const std::byte> body);

    [[nodiscard]] std::uint64_t inode(std::uint8_t byte) const;
    [[nodiscard]] std::uint64_t handle(std::uint8_t byte) const;
    /// The byte that represents a number; 0 if none does.
    [[nodiscard]] std::uint8_t byte_of_inode(std::uint64_t number) const;
    [[nodiscard]] std::uint8_t byte_of_handle(std::uint64_t number) const;

    /// Well-formed arguments with real numbers in place of a script's bytes, which are the lowest
    /// byte of each field.
    [[nodiscard]] Bytes filled_in(const RequestLayout& layout,
                                  std::span<const std::byte> arguments) const;
    /// The reverse: bytes in place of the numbers.
    [[nodiscard]] Bytes taken_out(const RequestLayout& layout,
                                  std::span<const std::byte> arguments) const;

  private:
    void learn_inode(std::uint64_t number);
    void learn_entries(std::span<const std::byte> listing);

    std::vector<std::uint64_t> inodes_;
    std::vector<std::uint64_t> handles_;
};

} // namespace partialfs::fuzz
