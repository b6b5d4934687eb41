// The daemon's system calls on the files of SOURCE, with the faults of the layer `disk`.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/faults/fault_book.hpp"
#include "fusefs/faults/stale_blocks.hpp"

#include <string>

namespace partialfs::faults {

/// Thread-safe. Without rules each function is the system call, after one check of the book.
class FaultyIo final : public backing::FileIo {
  public:
    /// `source`, an absolute path, is the directory to which paths in the mount are relative.
    /// `book` must outlive this.
    FaultyIo(FaultBook& book, std::string source) : book_(book), source_(std::move(source)) {}

    [[nodiscard]] bool may_read_directly() const override { return !book_.any(Layer::disk); }
    ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override;
    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override;
    int fdatasync(int fd) override;
    int fsync(int fd) override;
    int syncfs(int fd) override;
    int ftruncate(int fd, off_t size) override;
    int fallocate(int fd, int mode, off_t offset, off_t length) override;
    int futimens(int fd, const timespec times[2]) override;

  private:
    std::optional<Fault> strike(Operation operation, int fd,
                                std::optional<model::ByteRange> range = {});
    /// Returns `call()`; 0 without the call if a rule skips the operation; -1 with errno set if a
    /// rule makes it fail.
    template <typename Call>
    int guarded(Operation operation, int fd, std::optional<model::ByteRange> range, Call call);
    ssize_t pwritev_with(const Fault& fault, int fd, const iovec* parts, int count, off_t offset);

    FaultBook& book_;
    const std::string source_;
    StaleBlocks old_blocks_;
};

/// The path, relative to `source`, by which the kernel knows the file of a descriptor; its last
/// path if it has none any more. Empty for `source` itself; for a file outside `source` only the
/// last part of its path.
std::string path_in_mount(int fd, const std::string& source);

} // namespace partialfs::faults
