// The journal: which files a commit concerns, what triggers one, and the thread that carries it
// out.
#pragma once

#include "fusefs/file/context.hpp"
#include "fusefs/file/file_data.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace partialfs::journal {

/// One thread runs all commits, as kjournald does; request threads leave what they want in a
/// queue and go on, so that none of them ever waits for a commit, which may itself wait for a
/// request of the kernel's to be served.
///
/// A commit, in this order: look for PG_dirty pages of files that may be mapped; write the dirty
/// blocks that the flush policy chooses, file by file, in ascending order; fdatasync those files;
/// let size and mtime through; write the commit record in the trace; answer who waits.
///
/// Thread-safe.
class Journal {
  public:
    /// 0, or the errno that says why not.
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

    /// Starts the thread.
    void start();
    /// A last commit, then the thread ends; what is asked for later is answered with ENODEV.
    /// Returns the errno of the last commit, or 0.
    int stop();

    /// The file has something for a commit to do, or may come to have. Does nothing if it is
    /// enlisted.
    void enlist(const std::shared_ptr<file::FileData>& file);

    /// fsync(2), after the kernel has written the file's PG_dirty pages back. Commits as the flush
    /// policy says and calls `done` from the journal's thread with 0, or the errno of the commit's
    /// own failure on this file.
    void fsync(std::shared_ptr<file::FileData> file, bool data_only, Done done);
    /// A commit of everything. `done` gets the first error.
    void commit(Done done);
    /// A write(2) that the dirty limit does not allow: tried again after a commit has made room.
    /// `attempt` returns whether it went through; if commits do not help, `fail` gets the errno.
    void write_when_room(std::function<bool()> attempt, Done fail);
    /// Flushes one file as a commit would, without syncing: for rename.
    void flush_file(std::shared_ptr<file::FileData> file, Done done);
    /// Asks for a commit soon, without waiting: much data is buffered.
    void hurry();

    struct Status {
        std::uint64_t commits = 0;
        std::size_t files = 0;                 ///< enlisted
        std::chrono::nanoseconds last_probe{}; ///< what the latest probe of all files took
        std::uint64_t probes = 0;
        std::chrono::nanoseconds last_commit{}; ///< how long the latest commit took
    };
    [[nodiscard]] Status status() const;
    /// The commit that the running transaction will become.
    [[nodiscard]] model::CommitId running_commit() const {
        return model::CommitId{static_cast<std::uint32_t>(status().commits + 1)};
    }
    /// The enlisted file with this number, or null.
    [[nodiscard]] std::shared_ptr<file::FileData> find(model::InodeId id) const;
    /// Sums over the enlisted files.
    [[nodiscard]] file::FileData::Gauge gauge() const;

  private:
    /// What a request thread asks for.
    struct Request {
        enum class Kind : std::uint8_t { fsync, commit, write, flush };
        Kind kind = Kind::commit;
        std::shared_ptr<file::FileData> file;
        bool data_only = false;
        Done done; ///< null once the request is answered
        std::function<bool()> attempt;
        bool needs_commit = true; ///< fsync: whether it commits, or syncs its file alone

        void answer(int error) { std::exchange(done, nullptr)(error); }
    };
    /// Requests served together, by one commit at most.
    struct Round {
        bool commits = false;
        /// Files to be made durable; true: with their attributes.
        std::map<model::InodeId, bool> asked;
        std::map<model::InodeId, int> errors; ///< of each file that failed
        std::set<model::InodeId> committed;
        int first_error = 0; ///< of the commit
    };
    using Files = std::vector<std::shared_ptr<file::FileData>>;
    using Clock = std::chrono::steady_clock;

    /// If this throws, the request is as it was.
    void submit(Request&& request);
    void run();
    /// Serves the requests, and answers them whatever goes wrong.
    void serve_all(std::vector<Request>& requests, bool timer);
    void serve(std::vector<Request>& requests, bool timer);
    /// What comes before the round's commit.
    void prepare(Request& request, Round& round);
    /// What comes after it, and the answer.
    void finish(Request& request, const Round& round);
    void flush_for_rename(Request& request);
    [[nodiscard]] int finish_fsync(const Request& request, const Round& round);
    struct Probed {
        std::map<model::InodeId, file::PageSet> dirty;
        int error = 0; ///< the first errno with which a file that may be mapped was not looked at
    };
    /// Probes all files that may be mapped.
    Probed probe(const Files& files);
    /// A commit of all enlisted files for the sake of `round`, whose errors it adds. Returns the
    /// first errno, or 0. `timer`: only if it has anything to do.
    int commit_now(Round& round, bool timer);
    using Failed = std::function<void(const std::shared_ptr<file::FileData>&, int)>;
    /// Makes durable what has been flushed; `failed` gets each file that this fails for.
    void sync_files(const Files& files, const Failed& failed);
    /// The same for all that one sync of their filesystem is good for, if they are many.
    void sync_together(const Files& files, const Failed& failed);
    /// Makes one file durable without a commit. Returns an errno or 0.
    int sync_alone(file::FileData& file, bool durable);
    /// As FileData::let_metadata_through(), and the kernel is told. Returns an errno or 0.
    int let_metadata_through(file::FileData& file, bool durable);
    [[nodiscard]] Files enlisted_files() const;
    /// Drops the files that no later commit, nor the memory of their losses, needs.
    void let_clean_files_go(const Files& files);

    file::Context& context_;
    file::PageCache& cache_;
    Options options_;

    mutable std::mutex files_mutex_; ///< guards files_; a leaf: taken with a file's mutex held
    std::map<model::InodeId, std::shared_ptr<file::FileData>> files_;

    mutable std::mutex mutex_; ///< guards what follows; taken before files_mutex_
    std::condition_variable wake_;
    std::vector<Request> requests_;
    bool stopping_ = false;
    bool stopped_ = false;
    bool hurry_ = false;
    Status status_;
    std::thread thread_;

    // Of the journal's thread alone:
    Clock::time_point last_probe_at_;
    Clock::duration probe_cost_{};
    int last_error_ = 0;
    /// A sync of the whole filesystem has failed. The error it told is told no more, and may be
    /// that of a file whose data came after the commit had begun: from then on each file is asked.
    bool whole_sync_failed_ = false;
};

} // namespace partialfs::journal
