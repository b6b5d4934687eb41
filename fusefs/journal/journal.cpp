#include "fusefs/journal/journal.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/file/error_of.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

namespace partialfs::journal {

using file::Durable;
using file::JournaledFile;
using model::CommitId;
using model::FlushPolicy;
using model::InodeId;

Journal::Journal(file::Context& context, file::PageCache& cache, Options options)
    : context_(context), cache_(cache), options_(options), last_probe_at_(Clock::now()) {}

Journal::~Journal() {
    stop();
}

void Journal::start() {
    {
        const base::Lock lock(mutex_);
        started_ = true;
    }
    thread_ = std::thread([this] { run(); });
}

int Journal::stop() {
    {
        const base::Lock lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
    return last_error_;
}

void Journal::join(const std::shared_ptr<JournaledFile>& file) {
    if (file->joined() || file->dead()) {
        return;
    }
    FileMap entry; // allocated before the file is marked as joined, as this may throw
    entry.emplace(file->id(), file);
    if (!file->join_once()) {
        return;
    }
    const base::Lock lock(files_mutex_);
    const auto placed = transaction_.insert(entry.extract(entry.begin()));
    if (!placed.inserted) {
        placed.position->second = file;
    }
}

void Journal::submit(Request&& request) {
    static_assert(std::is_nothrow_move_constructible_v<Request>);
    std::vector<Request> mine;
    {
        base::Lock lock(mutex_);
        if (stopped_) {
            lock.unlock();
            request.answer(ENODEV);
            return;
        }
        std::vector<Request>& queue =
            started_ && !committing_ && !stopping_ && requests_.empty() ? mine : requests_;
        queue.push_back(std::move(request));
        if (mine.empty()) {
            wake_.notify_all();
            return;
        }
        committing_ = true;
    }
    serve_all(mine, /*commit_anyway=*/false);
    const base::Lock lock(mutex_);
    committing_ = false;
    wake_.notify_all();
}

void Journal::fsync(std::shared_ptr<JournaledFile> file, bool data_only, Done done) {
    submit(
        {Fsync{std::move(file), data_only ? Durable::data : Durable::attributes}, std::move(done)});
}

void Journal::commit(Done done) {
    submit({Commit{}, std::move(done)});
}

void Journal::power_was_cut() {
    std::vector<Request> unserved;
    FileMap gone; // destroyed after the locks are released
    FileMap known;
    {
        base::Lock lock(mutex_);
        while (committing_) {
            wake_.wait(lock);
        }
        unserved.swap(requests_);
        const base::Lock files_lock(files_mutex_);
        gone.swap(transaction_);
        known.swap(known_);
    }
    for (Request& request : unserved) {
        request.answer(EIO);
    }
}

void Journal::hurry() {
    const base::Lock lock(mutex_);
    if (!hurry_) {
        hurry_ = true;
        wake_.notify_all();
    }
}

Journal::Status Journal::status() const {
    const base::Lock lock(mutex_);
    const base::Lock files_lock(files_mutex_);
    Status status = status_;
    status.files = transaction_.size() + known_.size();
    for (const auto& [id, file] : known_) {
        status.files -= transaction_.contains(id) ? 1U : 0U;
    }
    return status;
}

std::shared_ptr<JournaledFile> Journal::find(InodeId id) const {
    const base::Lock lock(files_mutex_);
    for (const FileMap* files : {&transaction_, &known_}) {
        if (const auto file = files->find(id); file != files->end()) {
            return file->second;
        }
    }
    return nullptr;
}

Journal::Files Journal::all_files() const {
    const base::Lock lock(files_mutex_);
    FileMap all = transaction_;
    all.insert(known_.begin(), known_.end());
    Files files;
    files.reserve(all.size());
    for (auto& [id, file] : all) {
        files.push_back(std::move(file));
    }
    return files;
}

JournaledFile::Gauge Journal::gauge() const {
    JournaledFile::Gauge sum;
    for (const auto& file : all_files()) {
        const JournaledFile::Gauge one = file->gauge();
        sum.page_entries += one.page_entries;
        sum.extents += one.extents;
        sum.dirty = sum.dirty || one.dirty;
    }
    return sum;
}

void Journal::run() {
    pthread_setname_np(pthread_self(), "journal");
    auto next_timer = Clock::now() + options_.interval;
    base::Lock lock(mutex_);
    while (!stopped_) {
        while (!is_called(next_timer)) {
            if (has_timer() && !committing_) {
                wake_.wait_until(lock, next_timer);
            } else {
                wake_.wait(lock);
            }
        }
        std::vector<Request> requests = std::exchange(requests_, {});
        const bool hurried = std::exchange(hurry_, false);
        const bool last = stopping_ && requests.empty();
        const bool timer = has_timer() && Clock::now() >= next_timer;
        committing_ = true;
        lock.unlock();
        if (last) {
            Round none;
            last_error_ = file::error_of([&] { return commit_now(none, Trigger::asked); });
        } else {
            serve_all(requests, timer || hurried);
        }
        if (timer) {
            next_timer = Clock::now() + options_.interval;
        }
        lock.lock();
        committing_ = false;
        stopped_ = last && requests_.empty();
        wake_.notify_all();
    }
}

bool Journal::is_called(Clock::time_point next_timer) const {
    return !committing_ && (stopping_ || hurry_ || !requests_.empty() ||
                            (has_timer() && Clock::now() >= next_timer));
}

void Journal::serve_all(std::vector<Request>& requests, bool commit_anyway) {
    try {
        serve(requests, commit_anyway);
    } catch (...) {
        // Everything dirty stays dirty, and the next commit tries again.
        const int error = base::errno_of_exception().value;
        spdlog::log(power_is_cut() ? spdlog::level::debug : spdlog::level::warn,
                    "a commit could not be carried out: {}", std::strerror(error));
        for (Request& request : requests) {
            if (request.done) {
                request.answer(error);
            }
        }
    }
}

void Journal::serve(std::vector<Request>& requests, bool commit_anyway) {
    Round round;
    for (Request& request : requests) {
        if (auto* const fsync = std::get_if<Fsync>(&request.what)) {
            prepare(*fsync, round);
        } else {
            round.commits = true;
        }
    }
    if (round.commits) {
        round.first_error = commit_now(round, Trigger::asked);
    } else if (commit_anyway) {
        commit_now(round, Trigger::timer);
    }
    for (Request& request : requests) {
        const auto* const fsync = std::get_if<Fsync>(&request.what);
        request.answer(fsync != nullptr ? finish(*fsync, round) : round.first_error);
    }
}

void Journal::prepare(Fsync& request, Round& round) {
    JournaledFile& file = *request.file;
    const FlushPolicy policy = context_.settings.policy.load();
    if (policy != FlushPolicy::eager) {
        if (const int error = file::error_of([&] { return file.write_back_unmapped(); })) {
            spdlog::log(power_is_cut() ? spdlog::level::debug : spdlog::level::warn,
                        "fsync: inode {}: {}", file.id().value, std::strerror(error));
            file.report_failure(error, true);
            round.errors.emplace(file.id(), error);
        }
        request.needs_commit = policy == FlushPolicy::ext3 && file.take_inode_dirty();
    }
    round.commits = round.commits || request.needs_commit;
    Durable& asked = round.asked.try_emplace(file.id(), request.durable).first->second;
    asked = std::max(asked, request.durable);
}

int Journal::finish(const Fsync& request, const Round& round) {
    const InodeId id = request.file->id();
    const auto failed = round.errors.find(id);
    int error = failed == round.errors.end() ? 0 : failed->second;
    if (error == 0 && (!request.needs_commit || !round.committed.contains(id))) {
        // Written bytes must become durable, even if no commit was needed or none had this file.
        error = sync_alone(*request.file, request.durable);
    }
    const CommitId commit{request.needs_commit ? running_commit().value - 1 : 0};
    context_.trace.record(
        {.inode = id, .commit = commit, .error = error, .kind = trace::Kind::fsync});
    return error;
}

} // namespace partialfs::journal
