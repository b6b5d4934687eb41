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
/// through; sync those files; write the commit record in the trace; answer who waits.
///
/// One thread commits at a time. Who asks while nobody commits does it at once, on its own thread:
/// an fsync costs no change of threads. Who asks while somebody does is served by the journal's
/// thread next, all together, with one commit at most. At most one request thread so waits for the
/// kernel, which may need another one.
///
/// Thread-safe.
class Journal {
  public:
    /// Gets 0, or the errno that says why not. Must not throw.
    using Done = std::function<void(int)>;

    struct Options {
        /// Time between commits of the timer; 0: no timer.
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

    /// Starts the thread. Until then nothing is served.
    void start();
    /// A last commit, then the thread ends; what is asked for later is answered with ENODEV.
    /// Returns the errno of the last commit, or 0.
    int stop();

    /// The file has something for a commit to do, or may come to have: it joins the running
    /// transaction. Does nothing if it has joined.
    void join(const std::shared_ptr<file::JournaledFile>& file);

    /// fsync(2), after the kernel has written the file's PG_dirty pages back. Commits as the flush
    /// policy says and calls `done` with 0, or the errno of the commit's own failure on this file;
    /// maybe before it returns, maybe from another thread.
    void fsync(std::shared_ptr<file::JournaledFile> file, bool data_only, Done done);
    /// A commit of everything. `done` gets the first error.
    void commit(Done done);
    /// Flushes one file as a commit would, without syncing: for rename. 0, or the errno. Waits for
    /// the kernel if the file needs_kernel().
    int flush_file(file::JournaledFile& file);
    /// The power has been cut, and the files of the boot that ended are dead: waits for the commit
    /// that is under way, answers who waits with EIO, and lets all dead files go.
    void power_was_cut();
    /// Asks for a commit soon, without waiting: much data is buffered.
    void hurry();

    struct Status {
        std::uint64_t commits = 0;
        std::size_t files = 0;                 ///< of the running transaction, or known
        std::chrono::nanoseconds last_probe{}; ///< what the latest probe of all files took
        std::uint64_t probes = 0;
        std::chrono::nanoseconds last_commit{}; ///< how long the latest commit took
    };
    [[nodiscard]] Status status() const;
    /// The commit that the running transaction will become.
    [[nodiscard]] model::CommitId running_commit() const {
        return model::CommitId{status().commits + 1};
    }
    /// The file with this number, if it is of the running transaction or known; or null.
    [[nodiscard]] std::shared_ptr<file::JournaledFile> find(model::InodeId id) const;
    /// Sums over these files.
    [[nodiscard]] file::JournaledFile::Gauge gauge() const;

  private:
    struct Fsync {
        std::shared_ptr<file::JournaledFile> file;
        file::Durable durable;
        bool needs_commit = true; ///< or syncs its file alone
    };
    struct Commit {};
    /// What somebody asks for.
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
        std::map<model::InodeId, file::Durable> asked; ///< how durable fsync wants which file
        std::map<model::InodeId, int> errors;          ///< of each file that failed
        std::set<model::InodeId> committed;
        int first_error = 0; ///< of the commit
    };
    using Clock = std::chrono::steady_clock;
    enum class Trigger : std::uint8_t { asked, timer };

    /// What fails now fails because of that, of which the cut itself tells: no warning is due.
    [[nodiscard]] bool power_is_cut() const;
    /// Serves the request on this thread if nobody commits; else leaves it to the journal's thread.
    /// If this throws, the request is as it was.
    void submit(Request&& request);
    void run();
    /// Whether the journal's thread has something to do, and nobody else is at it.
    [[nodiscard]] bool is_called(Clock::time_point next_timer) const REQUIRES(mutex_);
    [[nodiscard]] bool has_timer() const { return options_.interval.count() != 0; }
    /// Serves the requests, and answers them whatever goes wrong.
    void serve_all(std::vector<Request>& requests, bool commit_anyway);
    void serve(std::vector<Request>& requests, bool commit_anyway);
    /// What comes before the round's commit.
    void prepare(Fsync& request, Round& round);
    /// What comes after it: the answer.
    [[nodiscard]] int finish(const Fsync& request, const Round& round);

    /// A commit of the running transaction for the sake of `round`, whose errors it adds. Returns
    /// the first errno, or 0. By the timer: only if it has anything to do.
    int commit_now(Round& round, Trigger trigger);
    /// What a commit does for `files`.
    int commit_files(const FileMap& files, Round& round, Trigger trigger);
    /// The files that a commit concerns: of the running transaction, which so ends, and those that
    /// a mapping may store into as far as the policy flushes such pages.
    FileMap take_transaction();
    /// Files that still have something to do join the next transaction; those that must be known
    /// are; the others are let go. If this throws, all join.
    void let_go(FileMap files);
    /// They join the running transaction again.
    void rejoin(FileMap& files);
    struct Probed {
        std::map<model::InodeId, file::PageSet> dirty;
        int error = 0; ///< the first errno with which a file that may be mapped was not looked at
    };
    /// Looks for PG_dirty pages that a commit could flush.
    Probed probe(const FileMap& files);
    /// The flush of one file of a commit. Returns an errno or 0.
    int flush(file::JournaledFile& file, const Probed& probed, model::CommitId commit);
    using Failed = std::function<void(const std::shared_ptr<file::JournaledFile>&, int)>;
    /// Makes durable what has been flushed; `failed` gets each file that this fails for.
    void sync_files(const Files& files, const Round& round, const Failed& failed);
    /// One sync of the whole filesystem, where that is as good as one for each of many files.
    void sync_together(const Files& files, const Failed& failed);
    /// Makes one file durable without a commit. Returns an errno or 0.
    int sync_alone(file::JournaledFile& file, file::Durable durable);
    [[nodiscard]] Files all_files() const;

    file::Context& context_;
    file::PageCache& cache_;
    Options options_;

    mutable base::Mutex files_mutex_;              ///< a leaf
    FileMap transaction_ GUARDED_BY(files_mutex_); ///< the running one
    /// Files that a mapping may store into, or that the ledger has losses of.
    FileMap known_ GUARDED_BY(files_mutex_);

    mutable base::Mutex mutex_ ACQUIRED_BEFORE(files_mutex_);
    base::CondVar wake_;
    std::vector<Request> requests_ GUARDED_BY(mutex_);
    bool started_ GUARDED_BY(mutex_) = false;
    bool committing_ GUARDED_BY(mutex_) = false; ///< somebody serves requests
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool stopped_ GUARDED_BY(mutex_) = false;
    bool hurry_ GUARDED_BY(mutex_) = false;
    Status status_ GUARDED_BY(mutex_);
    std::thread thread_;
    int last_error_ = 0; ///< of the last commit; once the thread has ended

    // Of whoever commits:
    Clock::time_point last_probe_at_;
    Clock::duration probe_cost_{};
    /// A sync of the whole filesystem has failed. The error that it reported is reported no more,
    /// and may be that of a file whose data came after the commit had begun: from then on each file
    /// is asked.
    bool whole_sync_failed_ = false;
};

} // namespace partialfs::journal
