// The mount's ledger of lost stores: adds a lock and a clock to the pure model::Ledger.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/model/ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace partialfs::file {

/// Thread-safe. Its mutex is a leaf: paths are looked up outside it.
class LedgerBook {
  public:
    using PathOf = std::function<std::string(model::InodeId)>;

    /// How many of the latest commits' times are remembered.
    static constexpr std::size_t kCommitTimesKept = 65536;

    explicit LedgerBook(model::BlockSize block_size,
                        std::size_t open_kept = model::Ledger::kOpenKept)
        : block_size_(block_size), open_kept_(open_kept), ledger_(block_size, open_kept) {}

    /// To be called once, before the first loss.
    void set_path_of(PathOf path_of) { path_of_ = std::move(path_of); }

    /// A commit is about to clean blocks.
    void commit_began(model::CommitId commit, model::Nanoseconds now);
    /// A writepage has passed over a block that this commit had called clean (CommitId{0}: none
    /// had). `lost`, ascending, are the bytes of it that differ from the disk.
    void passed_over(model::InodeId inode, model::CommitId cleaned_by,
                     std::span<const model::ByteRange> lost);
    /// The disk has refused these bytes with this errno.
    void refused(model::InodeId inode, model::ByteRange lost, int error);
    /// A rule of faults has left these bytes out, ascending. `error`: the errno that the kernel
    /// got, or 0.
    void left_out(model::InodeId inode, std::span<const model::ByteRange> lost, int error);
    /// A rule of faults has left out a change of the size.
    void left_out_size(model::InodeId inode, model::LostSize size);
    /// A power cut has taken these bytes, ascending, of a file that was at `path`.
    void cut(model::InodeId inode, std::string_view path, std::span<const model::ByteRange> lost);
    /// A power cut has taken a change of the file's size.
    void cut_size(model::InodeId inode, std::string_view path, model::LostSize size);
    /// See model::Ledger.
    void heal(model::InodeId inode, model::ByteRange range);
    void drop(model::InodeId inode, model::ByteRange range);
    void truncate(model::InodeId inode, model::ByteOffset size);
    void forget(model::InodeId inode);
    void settle(model::InodeId inode, std::string_view path);

    /// The file's present path relative to the mount; empty if it has none. Called without a lock
    /// held.
    [[nodiscard]] std::string path_of(model::InodeId inode) const;
    [[nodiscard]] bool has_open(model::InodeId inode) const;
    [[nodiscard]] bool has_open(model::InodeId inode, model::ByteRange range) const;
    [[nodiscard]] model::Ledger::Counts counts() const;
    [[nodiscard]] std::vector<model::LostStore> read(model::LedgerPosition from, std::uint64_t last,
                                                     std::size_t most) const;
    /// The ledger's parameters; they never change.
    [[nodiscard]] model::BlockSize block_size() const { return block_size_; }
    [[nodiscard]] std::size_t open_kept() const { return open_kept_; }

  private:
    /// Enters `loss` with the present time.
    void record(model::InodeId inode, model::Loss loss, std::span<const model::ByteRange> lost);

    [[nodiscard]] model::Nanoseconds time_of(model::CommitId commit) const REQUIRES(mutex_);

    const model::BlockSize block_size_;
    const std::size_t open_kept_;
    PathOf path_of_;
    mutable base::Mutex mutex_;
    model::Ledger ledger_ GUARDED_BY(mutex_);
    /// Of the commits up to last_commit_.
    std::deque<model::Nanoseconds> commit_times_ GUARDED_BY(mutex_);
    model::CommitId last_commit_ GUARDED_BY(mutex_){0};
};

} // namespace partialfs::file
