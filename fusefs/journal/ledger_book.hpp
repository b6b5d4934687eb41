// The mount's ledger of lost stores, with the lock and the clock that the pure one has not.
#pragma once

#include "fusefs/model/ledger.hpp"

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace partialfs::journal {

/// Thread-safe. Its mutex is a leaf but for the path lookup, which is done outside it.
class LedgerBook {
  public:
    using PathOf = std::function<std::string(model::InodeId)>;

    /// How many of the latest commits' times are remembered.
    static constexpr std::size_t kCommitTimesKept = 65536;

    /// To be called once, before the first loss.
    void set_path_of(PathOf path_of) { path_of_ = std::move(path_of); }

    /// A commit is about to clean blocks.
    void commit_began(model::CommitId commit, model::Nanoseconds now);
    /// See model::Ledger::record(). `lost` are ranges inside `block`, found by a writepage now.
    void record(model::InodeId inode, model::PageIndex page, model::BlockInPage in_page,
                model::BlockIndex block, model::CommitId cleaned_by,
                const std::vector<model::ByteRange>& lost);
    /// The bytes of `range` have been written to disk, or truncated or punched away.
    void heal(model::InodeId inode, model::ByteRange range, model::BlockSize block_size);
    void drop(model::InodeId inode, model::ByteRange range, model::BlockSize block_size);
    void truncate(model::InodeId inode, model::ByteOffset size);
    void forget(model::InodeId inode);

    /// The file's present path relative to the mount; empty if it has none. Without a lock.
    [[nodiscard]] std::string path_of(model::InodeId inode) const;
    [[nodiscard]] bool has_open(model::InodeId inode) const;
    [[nodiscard]] bool has_open(model::InodeId inode, model::ByteRange range,
                                model::BlockSize block_size) const;
    [[nodiscard]] model::Ledger::Counts counts() const;
    /// The entries as JSON Lines in the order of discovery; open ones under their present path.
    [[nodiscard]] std::string lines() const;

  private:
    [[nodiscard]] model::Nanoseconds time_of(model::CommitId commit) const;

    PathOf path_of_;
    mutable std::mutex mutex_; ///< guards all below
    model::Ledger ledger_;
    std::deque<model::Nanoseconds> commit_times_; ///< of the commits up to last_commit_
    model::CommitId last_commit_{0};
};

} // namespace partialfs::journal
