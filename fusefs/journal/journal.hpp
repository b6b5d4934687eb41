// The journal: which files a commit concerns, what triggers one, and who carries it out.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/file/journaled_file.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace partialfs::journal {

/// A commit, in this order: look for PG_dirty pages among those that it could flush; write the
/// dirty blocks that the flush policy chooses, file by file, in ascending order; let size and mtime
/// through; sync those files; write the commit record in the trace; answer the requests.
///
/// One thread commits at a time. A request that comes while no thread commits is served at once, on
/// its own thread, so an fsync needs no other thread. Requests that come during a commit are served
/// next by the journal's thread, all together, with one commit at most. So at most one request
/// thread waits for the kernel, which may need another one.
///
/// Thread-safe.
class Journal {
  public:
    /// Called with the result: 0 or an errno. Must not throw.
    using Done = std::function<void(int)>;

    struct Options {
        /// Time between commits by the timer; 0: no timer.
        std::chrono::nanoseconds interval{std::chrono::seconds(5)};
        /// The share of its time that the timer may spend looking for PG_dirty pages.
        double probe_share = 0.01;
    };

    /// `context` and `cache` must outlive the journal.
    Journal(file::Context& context, file::PageCache& cache, Options options);
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    /// As stop().
    ~Journal();

    /// Starts the thread. Requests wait until then.
    void start();
    /// Makes a last commit and ends the thread; later requests get ENODEV. Returns the errno of the
    /// last commit, or 0.
    int stop();

    /// Joins the file to the running transaction, because a commit has something to do for it now
    /// or soon. Does nothing if the file has joined, or is dead. Throws std::bad_alloc.
    void join(const std::shared_ptr<file::JournaledFile>& file);

    /// fsync(2), after the kernel has written the file's PG_dirty pages back. Commits if the flush
    /// policy requires it, and calls `done` with 0 or the errno for this file; maybe before it
    /// returns, maybe from another thread.
    void fsync(std::shared_ptr<file::JournaledFile> file, bool data_only, Done done);
    /// A commit of everything. `done` gets the first error.
    void commit(Done done);
    /// Flushes one file as a commit would, without syncing: for rename. 0, or the errno. Waits for
    /// the kernel if the file needs_kernel().
    int flush_file(file::JournaledFile& file);
    /// The power has been cut, and the files of the boot that ended are dead: waits for the commit
    /// that is under way, answers waiting requests with EIO, and releases all dead files.
    void power_was_cut();
    /// Asks for a commit soon, as much data is buffered. Does not wait for it.
    void hurry();

    struct Status {
        std::uint64_t commits = 0;
        std::size_t files = 0;                 ///< in the running transaction, or known
        std::chrono::nanoseconds last_probe{}; ///< how long the latest probe of all files took
        std::uint64_t probes = 0;
        std::chrono::nanoseconds last_commit{}; ///< how long the latest commit took
    };
    [[nodiscard]] Status status() const;
    /// The number of the commit that the running transaction will become.
    [[nodiscard]] model::CommitId running_commit() const {
        return model::CommitId{status().commits + 1};
    }
    /// The file with this number, if it is in the running transaction or known; or null.
    [[nodiscard]] std::shared_ptr<file::JournaledFile> find(model::InodeId id) const;
    /// Sums over these files.
    [[nodiscard]] file::JournaledFile::Gauge gauge() const;

  private:
    struct Fsync {
        std::shared_ptr<file::JournaledFile> file;
        file::Durable durable;
        bool needs_commit = true; ///< false: only its own file is synced
    };
    struct Commit {};
    /// A request for an fsync or a commit.
    struct Request {
        std::variant<Fsync, Commit> what;
        Done done; ///< null once the request is answered

        void answer(int error) { std::exchange(done, nullptr)(error); }
    };
    using Files = std::vector<std::shared_ptr<file::JournaledFile>>;
    using FileMap = std::map<model::InodeId, std::shared_ptr<file::JournaledFile>>;
    /// Requests served together, by one commit at most.
    struct Round {
        bool commits = false;
        std::map<model::InodeId, file::Durable> asked; ///< how durable an fsync wants the file
        std::map<model::InodeId, int> errors;          ///< of each file that failed
        std::set<model::InodeId> committed;
        int first_error = 0; ///< of the commit
    };
    using Clock = std::chrono::steady_clock;
    enum class Trigger : std::uint8_t { asked, timer };

    /// Errors are then due to the cut, which is reported itself: they need no warning.
    [[nodiscard]] bool power_is_cut() const;
    /// Serves the request on this thread if no thread commits; otherwise leaves it to the journal's
    /// thread. If this throws, `request` is unchanged.
    void submit(Request&& request);
    void run();
    /// Whether the journal's thread has something to do, and no other thread commits.
    [[nodiscard]] bool is_called(Clock::time_point next_timer) const REQUIRES(mutex_);
    [[nodiscard]] bool has_timer() const { return options_.interval.count() != 0; }
    /// Serves the requests, and answers them even if it fails.
    void serve_all(std::vector<Request>& requests, bool commit_anyway);
    void serve(std::vector<Request>& requests, bool commit_anyway);
    /// The part of an fsync before the round's commit.
    void prepare(Fsync& request, Round& round);
    /// The part after it. Returns the answer: an errno or 0.
    [[nodiscard]] int finish(const Fsync& request, const Round& round);

    /// Commits the running transaction for `round`, and adds its errors there. Returns the first
    /// errno, or 0. By the timer: only if there is anything to do.
    int commit_now(Round& round, Trigger trigger);
    /// The commit of `files`. As commit_now().
    int commit_files(const FileMap& files, Round& round, Trigger trigger);
    /// Ends the running transaction. Returns its files, and under FlushPolicy::eager also the known
    /// ones, into which a mapping may store.
    FileMap take_transaction();
    /// After a commit: files that still have something to do join the next transaction, those that
    /// must be known are kept in known_, the others are released. If this throws, all files that
    /// are left join.
    void let_go(FileMap files);
    /// Joins the files to the running transaction again.
    void rejoin(FileMap& files);
    struct Probed {
        std::map<model::InodeId, file::PageSet> dirty;
        int error = 0; ///< the first errno with which the look into a file failed
    };
    /// Looks for PG_dirty pages that a commit could flush.
    Probed probe(const FileMap& files);
    /// Flushes one file of a commit. Returns an errno or 0.
    int flush(file::JournaledFile& file, const Probed& probed, model::CommitId commit);
    using Failed = std::function<void(const std::shared_ptr<file::JournaledFile>&, int)>;
    /// Makes flushed files durable; calls `failed` for each file with an error.
    void sync_files(const Files& files, const Round& round, const Failed& failed);
    /// Replaces the syncs of many files by one of their whole filesystem, where that has the same
    /// effect.
    void sync_together(const Files& files, const Failed& failed);
    /// Makes one file durable without a commit. Returns an errno or 0.
    int sync_alone(file::JournaledFile& file, file::Durable durable);
    [[nodiscard]] Files all_files() const;

    file::Context& context_;
    file::PageCache& cache_;
    Options options_;

    mutable base::Mutex files_mutex_;              ///< a leaf
    FileMap transaction_ GUARDED_BY(files_mutex_); ///< the running one
    /// Files into which a mapping may store, or of which the ledger has losses.
    FileMap known_ GUARDED_BY(files_mutex_);

    mutable base::Mutex mutex_ ACQUIRED_BEFORE(files_mutex_);
    base::CondVar wake_;
    std::vector<Request> requests_ GUARDED_BY(mutex_);
    bool started_ GUARDED_BY(mutex_) = false;
    bool committing_ GUARDED_BY(mutex_) = false; ///< a thread serves requests
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool stopped_ GUARDED_BY(mutex_) = false;
    bool hurry_ GUARDED_BY(mutex_) = false;
    Status status_ GUARDED_BY(mutex_);
    std::thread thread_;
    int last_error_ = 0; ///< of the last commit; to be read after the thread has ended

    // Used only by the thread that commits:
    Clock::time_point last_probe_at_;
    Clock::duration probe_cost_{};
    /// A sync of the whole filesystem has failed. The kernel does not report that error again, and
    /// it may concern a file whose data came after the commit had begun. So from then on each file
    /// is synced by itself.
    bool whole_sync_failed_ = false;
};

} // namespace partialfs::journal
