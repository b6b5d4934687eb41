// Compares files with the expected bytes, in one stage after another.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/system/aligned_buffer.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/mmapstress/verify/collector.hpp"
#include "tools/mmapstress/verify/expected.hpp"

#include <array>
#include <functional>
#include <span>
#include <string>

namespace mmapstress {

class CrashState;

/// Not thread-safe.
class Verifier {
  public:
    Verifier(const Expected& expected, Collector& collector,
             std::function<void(const Progress&)> progress);

    /// Reads `range` from the descriptor and compares it with the expected bytes. Missing bytes are
    /// damage. Fails if reading fails, but see expect_readable().
    Outcome<> compare_fd(FileIndex file, int fd, ByteRange range, const std::string& path);
    /// Compares `mapped`, the mapped bytes of the file `fd` from `offset` on. Fails on SIGBUS.
    Outcome<> compare_mapping(FileIndex file, int fd, std::span<const std::byte> mapped,
                              ByteOffset offset, const std::string& path);
    /// The file is gone: all of its expected bytes are missing.
    void compare_gone(FileIndex file);
    /// Checks that `fd` is not longer than expected; bytes past the expected end are damage. (That
    /// it is too short is found by compare_fd().)
    Outcome<> check_length(FileIndex file, int fd, const std::string& path);

    /// From now on, bytes that `state` does not refuse are accepted like the expected ones. It must
    /// outlive the verifier.
    void excuse(const CrashState& state) { excused_ = &state; }
    /// From now on a page that cannot be read is damage, if the error is one of the medium or of
    /// its checksums (EIO, EUCLEAN, EBADMSG, ENODATA): the sync of its file had returned.
    void expect_readable() { expect_readable_ = true; }
    /// From now on holes of large files are not read: SEEK_DATA is trusted (HoleFinder).
    void trust_holes() { trust_holes_ = true; }
    /// Carries out a stage: `check` for each file, until one fails. Fills in `result`.
    void stage(Stage stage, StageResult& result, const std::function<Outcome<>(FileIndex)>& check);
    /// All of a file.
    [[nodiscard]] ByteRange all(FileIndex file) const {
        return {ByteOffset{0}, ByteOffset{expected_.size(file).value}};
    }
    /// The bytes that the stages to come will compare, for the progress shown.
    void expect_stages(std::uint64_t stages);
    [[nodiscard]] Collector& collector() { return collector_; }

  private:
    void tell(std::uint64_t bytes);
    /// Counts a hole that need not be read.
    void pass_over(std::uint64_t bytes);
    /// Whether a read that failed with `error` shows damage of `file`.
    [[nodiscard]] bool is_unreadable(FileIndex file, int error) const;
    void without_bytes(FileIndex file, ByteRange range, DamageKind kind);
    /// Collects wrong bytes as damage, except those that were stored past the end of the file.
    void sort_out(FileIndex file, ByteRange range, Writer writer, ByteOffset at,
                  std::span<const std::byte> chunk);
    void compare_chunk(FileIndex file, ByteOffset at, std::span<const std::byte> chunk);

    const Expected& expected_;
    Collector& collector_;
    const CrashState* excused_ = nullptr;
    std::function<void(const Progress&)> progress_;
    Progress told_;
    bool expect_readable_ = false;
    bool trust_holes_ = false;
    std::uint64_t stage_bytes_ = 0;
    std::uint64_t stage_holes_ = 0;
    AlignedBuffer buffer_;
};

} // namespace mmapstress
