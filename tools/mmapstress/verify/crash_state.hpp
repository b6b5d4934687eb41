// What may be on disk after a run that a crash cut short.
//
// If a sync that covers a byte had returned, the byte must be there: in the version that was
// synced, or in that of any later operation that may have been begun. A byte that no sync covered
// may have any version, or be missing. The same holds for the size of a file.
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

    /// The bytes as they were synced last; zeros where nothing was synced. settle() sets its sizes.
    [[nodiscard]] const Expected& expected() const { return synced_; }
    /// Bytes that a sync had covered, all files together.
    [[nodiscard]] std::uint64_t synced_bytes() const;
    /// Whether this file, size and all, had been synced.
    [[nodiscard]] bool is_synced(FileIndex file) const {
        return files_[file.value].bound.value != 0;
    }

    /// Sets the size of the file in expected() to `found`, the size that the file has on disk; if
    /// it may not have that size, to the nearest size that it may have.
    void settle(FileIndex file, ByteCount found);

    /// `found` are the bytes on disk in `range`, all of which differ from expected(). Calls `sink`
    /// for each maximal part that no operation begun since the sync can have left there.
    void refuse(FileIndex file, ByteRange range, std::span<const std::byte> found,
                const std::function<void(ByteRange)>& sink) const;

  private:
    /// What an operation leaves that may or may not have been carried out.
    struct Later {
        ByteRange range;
        Version version; ///< of expected()
        /// Stored past the end of the file: it may have appeared there when the file grew.
        bool past_eof = false;
    };
    struct File {
        /// Operations with ids below it had been synced, with the size of the file; 0: no sync. It
        /// is an operation's id plus 1, so 1 means that only the file's start had been synced.
        OpId bound;
        /// The same for the bytes without the size, where an msync went further: indexes into
        /// bounds_.
        VersionMap further;
        ByteCount smallest; ///< its size is from `smallest` to `largest`
        ByteCount largest;
        std::vector<Later> later;
        /// 1 where nothing is known: bytes with too many possible versions were moved there.
        VersionMap unknown;
        /// The indexes of the entries of `later` that touch each stretch of the file.
        std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> at;
    };

    void find_bounds(const OpSourceFactory& factory, const RunProgress& progress, SyncReaches sync);
    void start(const Header& header);
    /// Notes what an operation does to `range` and to the size of its file.
    void take(const Op& op, ByteRange range, ByteCount size);
    /// Notes an operation that moves bytes; its file has `before` bytes before it, and `after`
    /// bytes after it.
    void take_move(const Op& op, ByteCount before, ByteCount after);
    /// Notes the new size alone.
    void take_size(const Op& op, ByteCount size);
    /// Every version that `range` may have: the synced one first; the last one that is not past_eof
    /// is the version in memory.
    [[nodiscard]] std::vector<Later> all_of(FileIndex file, ByteRange range) const;
    /// Calls `visit(part, synced)` for each part of `range`. `synced`: the operation's bytes there
    /// had been synced.
    template <typename Visit>
    void visit_bounds(const Op& op, ByteRange range, Visit visit) const;
    void excuse(FileIndex file, const Later& later);

    std::vector<OpId> bounds_{OpId{0}};
    std::vector<File> files_;
    Expected synced_;
};

} // namespace mmapstress
