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

/// The files of a run, all in one directory. A deque, so that files never move in memory.
using TestFiles = std::deque<TestFile>;

/// The settings that all executors of a run share. Everything that they refer to must outlive the
/// executors.
struct ExecutorSetting {
    TestFiles& files;
    const Header& header;
    std::string directory; ///< the run's own
    CommitWatch& commits;
    /// This operation stores nothing, but its bytes are expected (RunSettings::drop).
    std::optional<OpId> drop;
    /// After all workers together have stored into pages of this many bytes, pages are asked to
    /// leave memory. 0: never.
    ByteCount reclaim_every{0};
    /// Where the workers' helper files are; empty: in `directory`.
    std::string helper_directory = {};
};

/// Each thread has its own. Threads and processes may carry out operations at the same time if the
/// operations are not `alone` (op.hpp) and the mappings that they need exist.
class Executor {
  public:
    explicit Executor(const ExecutorSetting& setting)
        : files_(setting.files), commits_(setting.commits), seed_(setting.header.seed),
          commit_by_(setting.header.commit_by), directory_(setting.directory), drop_(setting.drop),
          reclaim_every_(setting.reclaim_every.value / setting.header.workers()),
          kernel_stores_(setting.helper_directory.empty() ? setting.directory
                                                          : setting.helper_directory) {}

    /// Carries the operation out. Not for checks, which need the expected bytes. The failure names
    /// the file. An append needs its offset. The caller updates the sizes of the TestFiles.
    Outcome<> execute(const Op& op);
    /// Makes the mapping, or opens the descriptor, that the operation will need, unless it exists:
    /// threads that carry operations out at the same time must not make it.
    Outcome<> prepare(const Op& op);
    /// Removes the mappings of this process that another process's operation ends: evict, unmap and
    /// remap.
    void follow(const Op& op);

    /// Gives a file its first bytes, as the header says. `start_writes` are those of all files.
    Outcome<> start(FileIndex file, const FileSpec& spec, const std::vector<Op>& start_writes);
    /// Ends one file as the header says, without the eviction.
    Outcome<> end(FileIndex file, End how);
    /// fsync(). If it must certainly commit, fchmod() goes before it.
    Outcome<> fsync(FileIndex file, bool certain_commit);
    /// The steps of evict that follow its fsync.
    Outcome<> drop_cache(FileIndex file);

  private:
    /// The mapped bytes that an operation uses.
    Outcome<std::span<std::byte>> needed_bytes(const Op& op);
    /// Stores or writes an operation's bytes.
    Outcome<> put(const Op& op);
    Outcome<> store(const Op& op);
    /// Counts the pages of a store, and asks pages to leave memory when it is time.
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
    ByteCount dirtied_{0};    ///< bytes of pages stored into since pages were last asked to leave
    std::vector<std::byte> buffer_;
    KernelStores kernel_stores_;
};

} // namespace mmapstress
