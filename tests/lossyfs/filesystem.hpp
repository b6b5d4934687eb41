// What is passed through, what is dropped, and the log of it. Only one thread uses it, so nothing
// here is locked.
#pragma once

#include "tests/lossyfs/dropped_blocks.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lossyfs {

/// Failures that have nothing to do with losing data.
struct Failings {
    bool nodirect = false;
    bool unreadable = false;
    std::string hang;
};

/// The directory underneath; all pages written to it pass through here.
class Filesystem {
  public:
    Filesystem(std::string source, const std::string& log, std::uint64_t every, BlockSize block,
               bool unmappable, Failings failings)
        : unmappable_(unmappable), failings_(std::move(failings)), source_(std::move(source)),
          log_(log, std::ios::app), every_(every), block_size_(block), dropped_(block) {}

    [[nodiscard]] bool unmappable() const { return unmappable_; }
    [[nodiscard]] const Failings& failings() const { return failings_; }
    [[nodiscard]] bool log_is_open() const { return log_.is_open(); }
    [[nodiscard]] std::string host(const char* path) const { return source_ + path; }
    [[nodiscard]] DroppedBlocks& dropped() { return dropped_; }

    /// Bytes of the range of the descriptor's file, as many as there are.
    static std::vector<std::byte> read_all(int fd, ByteRange range);

    /// Returns 0 or -errno.
    int write(const std::string& path, int fd, ByteOffset offset, std::span<const std::byte> data);

    /// Writes one page that the kernel writes back, completely or without one block. Returns 0 or
    /// -errno.
    int write_page(const std::string& path, int fd, ByteOffset offset,
                   std::span<const std::byte> data);

    /// Logs what is lost for good, and that the log is complete.
    void finish();

  private:
    bool unmappable_;
    Failings failings_;
    std::string source_;
    std::ofstream log_;
    std::uint64_t every_;
    BlockSize block_size_;
    DroppedBlocks dropped_;
    std::uint64_t pages_ = 0;
    std::uint64_t drops_ = 0;
};

} // namespace lossyfs
