// Carries out one operation on the files: the system calls that op.hpp states, nothing else.
#pragma once

#include "tools/mmapstress/engine/commit_watch.hpp"
#include "tools/mmapstress/engine/kernel_stores.hpp"
#include "tools/mmapstress/engine/test_file.hpp"
#include "tools/schedule/schedule.hpp"

#include <atomic>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mmapstress {

/// The files of a run, all in one directory. A deque, as files do not move once they are there.
using TestFiles = std::deque<TestFile>;

/// What the executors of a run have in common. Everything that it refers to must outlive them.
struct ExecutorSetting {
    TestFiles& files;
    const Header& header;
    std::string directory; ///< the run's own
    CommitWatch& commits;
    /// The operation that is not to store anything, though it is expected to.
    std::optional<OpId> drop;
    /// Bytes of pages that all workers together store into before pages are asked to leave memory;
    /// 0: they are not.
    ByteCount reclaim_every{0};
    /// Where the workers' helper files are; empty: in `directory`.
    std::string helper_directory = {};
};

/// Each thread has its own; it moves, but is never copied. Threads and processes may carry out
/// operations at the same time if those are not `alone` (op.hpp) and the mappings that they need
/// are there.
class Executor {
  public:
    explicit Executor(const ExecutorSetting& setting)
        : files_(setting.files), commits_(setting.commits), seed_(setting.header.seed),
          commit_by_(setting.header.commit_by), directory_(setting.directory), drop_(setting.drop),
          reclaim_every_(setting.reclaim_every.value / setting.header.workers()),
          kernel_stores_(setting.helper_directory.empty() ? setting.directory
                                                          : setting.helper_directory) {}

    /// Does it. Not for the checks, which need the expected bytes. The failure names the file.
    /// An append needs its offset. Sizes of the TestFiles are the caller's to follow.
    Outcome<> execute(const Op& op);
    /// Makes the mapping, or opens the descriptor, that the operation will need, if it is not
    /// there: threads that carry operations out at the same time must find it.
    Outcome<> prepare(const Op& op);
    /// What an operation that another process carries out means for the mappings of this one:
    /// evict, unmap and remap take them away.
    void follow(const Op& op);

    /// Makes a file as the header says it starts. `start_writes`: those of all files.
    Outcome<> start(FileIndex file, const FileSpec& spec, const std::vector<Op>& start_writes);
    /// The header's end for one file, up to the eviction.
    Outcome<> end(FileIndex file, End how);
    /// fsync(), after fchmod() if it must commit for certain.
    Outcome<> fsync(FileIndex file, bool certain_commit);
    /// evict's steps after its fsync.
    Outcome<> drop_cache(FileIndex file);

  private:
    /// The mapped bytes that an operation works on.
    Outcome<std::span<std::byte>> needed_bytes(const Op& op);
    /// Puts an operation's bytes where they belong.
    Outcome<> put(const Op& op);
    Outcome<> store(const Op& op);
    /// After a store, whose pages these are.
    void reclaim(ByteRange stored);
    Outcome<> fork_store(const Op& op);
    Outcome<> kernel_store(const Op& op);
    /// An operation's bytes, valid until the next call.
    std::span<const std::byte> content_of(const Op& op);
    Outcome<> commit();
    Outcome<> sync_sibling();
    /// syncfs(), or sync() where there is none.
    Outcome<> sync_filesystem();
    Outcome<> touch_inode(FileIndex file);
    Outcome<> read_fault(const Op& op);
    static void pause(const Op& op);
    Outcome<> write_content(FileIndex file, ByteRange range, OpId id, const Content& content);

    TestFiles& files_;
    CommitWatch& commits_;
    std::uint64_t seed_;
    CommitBy commit_by_;
    std::string directory_;
    std::optional<OpId> drop_;
    ByteCount reclaim_every_; ///< 0: never
    ByteCount dirtied_{0};    ///< since pages were asked to leave, at most
    std::vector<std::byte> buffer_;
    KernelStores kernel_stores_;
};

} // namespace mmapstress
