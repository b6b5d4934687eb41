// What may stand on disk after a run that a crash cut short.
//
// A byte must be there if a sync that covers it had returned: the version that was synced, or any
// that an operation put there since and that may have been begun. Of a byte that nothing had
// synced, any version is right, and none at all. The size of a file likewise.
#pragma once

#include "tools/mmapstress/report/progress_file.hpp"
#include "tools/mmapstress/verify/expected.hpp"
#include "tools/schedule/durability.hpp"
#include "tools/schedule/op_source.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

namespace mmapstress {

/// Not thread-safe; const functions may run at the same time as one another.
class CrashState {
  public:
    /// Walks through the operations twice. `sync` is the filesystem's.
    CrashState(const OpSourceFactory& factory, const RunProgress& progress,
               SyncReaches sync = SyncReaches::disk);

    /// The bytes as they were synced last; zeros where nothing was. Its sizes are what settle()
    /// made of them.
    [[nodiscard]] const Expected& expected() const { return synced_; }
    /// Bytes that a sync had covered, all files together.
    [[nodiscard]] std::uint64_t synced_bytes() const;
    /// Whether this file, size and all, had been synced.
    [[nodiscard]] bool is_synced(FileIndex file) const {
        return files_[file.value].bound.value != 0;
    }

    /// Tells the size that a file was found to have. If it may be that, expected() has it from now
    /// on; else the nearest that it may be.
    void settle(FileIndex file, ByteCount found);

    /// Of `range`, all of which differs from expected(), calls `sink` for each maximal part that no
    /// operation begun since can have left there. `found` is what stands in its place.
    void refuse(FileIndex file, ByteRange range, std::span<const std::byte> found,
                const std::function<void(ByteRange)>& sink) const;

  private:
    /// What an operation would have left that may have been carried out, or not.
    struct Later {
        ByteRange range;
        Version version; ///< of expected()
        /// Stored past the end of the file: only if it has appeared there when the file grew.
        bool past_eof = false;
    };
    struct File {
        /// Operations below it had been synced with the size of the file; 0: none had. One more
        /// than an operation's id, so that 1 stands for the file's start alone.
        OpId bound;
        /// The same for the bytes alone, where msync has gone further: indexes into bounds_.
        VersionMap further;
        ByteCount smallest; ///< that its size may be
        ByteCount largest;
        std::vector<Later> later;
        /// Where it is 1 nothing is known: bytes were moved there that may have been more things
        /// than it is worth to follow.
        VersionMap unknown;
        /// Which of them are in each stretch of the file.
        std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> at;
    };

    void find_bounds(const OpSourceFactory& factory, const RunProgress& progress, SyncReaches sync);
    void start(const Header& header);
    /// Takes in what an operation does to `range` and to the size of its file.
    void take(const Op& op, ByteRange range, ByteCount size);
    /// Takes in one that moves bytes, whose file had `before` bytes and has `after` then.
    void take_move(const Op& op, ByteCount before, ByteCount after);
    /// The size alone.
    void take_size(const Op& op, ByteCount size);
    /// Everything that `range` may hold: the synced version first, that of memory is the last that
    /// is not past_eof.
    [[nodiscard]] std::vector<Later> all_of(FileIndex file, ByteRange range) const;
    /// Calls `visit(part, synced)` for each part of `range`: whether the operation had been synced.
    template <typename Visit>
    void visit_bounds(const Op& op, ByteRange range, Visit visit) const;
    void excuse(FileIndex file, const Later& later);

    std::vector<OpId> bounds_{OpId{0}};
    std::vector<File> files_;
    Expected synced_;
};

} // namespace mmapstress
