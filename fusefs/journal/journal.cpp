#include "fusefs/journal/journal.hpp"

#include "fusefs/journal/buffer.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

namespace partialfs::journal {

using backing::Result;
using model::CommitId;
using model::InodeId;

Journal::Journal(Context& context, PageCache& cache, Options options)
    : context_(context), cache_(cache), options_(options), last_probe_at_(Clock::now()) {}

Journal::~Journal() {
    stop();
}

void Journal::start() {
    thread_ = std::thread([this] { run(); });
}

int Journal::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
    return last_error_;
}

void Journal::enlist(std::shared_ptr<FileData> file) {
    const std::scoped_lock lock(files_mutex_);
    const InodeId id = file->id();
    files_.insert_or_assign(id, std::move(file));
}

void Journal::submit(Request request) {
    {
        const std::scoped_lock lock(mutex_);
        if (!stopped_) {
            requests_.push_back(std::move(request));
            wake_.notify_all();
            return;
        }
    }
    request.done(ENODEV);
}

void Journal::fsync(std::shared_ptr<FileData> file, bool data_only, Done done) {
    submit({Request::Kind::fsync, std::move(file), data_only, std::move(done), {}});
}
void Journal::commit(Done done) {
    submit({Request::Kind::commit, nullptr, false, std::move(done), {}});
}
void Journal::write_when_room(std::function<bool()> attempt, Done fail) {
    submit({Request::Kind::write, nullptr, false, std::move(fail), std::move(attempt)});
}
void Journal::flush_file(std::shared_ptr<FileData> file, Done done) {
    submit({Request::Kind::flush, std::move(file), false, std::move(done), {}});
}

void Journal::hurry() {
    const std::scoped_lock lock(mutex_);
    if (!hurry_) {
        hurry_ = true;
        wake_.notify_all();
    }
}

Journal::Status Journal::status() const {
    const std::scoped_lock lock(mutex_, files_mutex_);
    Status status = status_;
    status.files = files_.size();
    return status;
}

std::shared_ptr<FileData> Journal::find(InodeId id) const {
    const std::scoped_lock lock(files_mutex_);
    const auto file = files_.find(id);
    return file == files_.end() ? nullptr : file->second;
}

FileData::Gauge Journal::gauge() const {
    FileData::Gauge sum;
    for (const auto& file : enlisted_files()) {
        const FileData::Gauge one = file->gauge();
        sum.page_entries += one.page_entries;
        sum.extents += one.extents;
        sum.dirty = sum.dirty || one.dirty;
    }
    return sum;
}

Journal::Files Journal::enlisted_files() const {
    const std::scoped_lock lock(files_mutex_);
    Files files;
    files.reserve(files_.size());
    for (const auto& [id, file] : files_) {
        files.push_back(file);
    }
    return files;
}

void Journal::run() {
    auto next_timer = Clock::now() + options_.interval;
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto called = [&] { return stopping_ || hurry_ || !requests_.empty(); };
        if (options_.interval.count() == 0) {
            wake_.wait(lock, called);
        } else {
            wake_.wait_until(lock, next_timer, called);
        }
        std::vector<Request> requests = std::exchange(requests_, {});
        const bool hurried = std::exchange(hurry_, false);
        const bool last = stopping_ && requests.empty();
        lock.unlock();
        const bool timer = options_.interval.count() != 0 && Clock::now() >= next_timer;
        if (last) {
            Round none;
            last_error_ = commit_now(none, /*timer=*/false);
        } else if (!requests.empty() || timer || hurried) {
            serve(std::move(requests), timer || hurried);
        }
        if (timer) {
            next_timer = Clock::now() + options_.interval;
        }
        lock.lock();
        if (last && requests_.empty()) {
            stopped_ = true;
            return;
        }
    }
}

void Journal::serve(std::vector<Request> requests, bool timer) {
    Round round;
    for (Request& request : requests) {
        prepare(request, round);
    }
    if (round.commits) {
        for (const auto& file : enlisted_files()) {
            round.committed.insert(file->id());
        }
        round.first_error = commit_now(round, /*timer=*/false);
    } else if (timer) {
        commit_now(round, /*timer=*/true);
    }
    for (Request& request : requests) {
        finish(request, round);
    }
}

void Journal::prepare(Request& request, Round& round) {
    switch (request.kind) {
    case Request::Kind::fsync:
        if (context_.policy.load() == model::FlushPolicy::ext3) {
            const FileData::Flushed written = request.file->write_back_unmapped();
            if (written.error != 0) {
                spdlog::warn("fsync: inode {}: {}", request.file->id().value,
                             std::strerror(written.error));
                request.file->report_failure(written.error, true);
                round.errors.emplace(request.file->id(), written.error);
            }
            request.needs_commit = request.file->take_inode_dirty();
        }
        round.commits = round.commits || request.needs_commit;
        round.asked[request.file->id()] |= !request.data_only;
        break;
    case Request::Kind::commit:
    case Request::Kind::write:
        round.commits = true;
        break;
    case Request::Kind::flush:
        flush_for_rename(request);
        break;
    }
}

void Journal::flush_for_rename(const Request& request) {
    FileData& file = *request.file;
    // A probe that fails may have waited for the very rename that waits for us.
    const std::map<InodeId, PageSet> dirty = probe({request.file}).dirty;
    const auto found = dirty.find(file.id());
    const CommitId next = running_commit();
    context_.ledger.commit_began(next, trace::now());
    const FileData::Flushed flushed =
        file.flush(cache_, found == dirty.end() ? PageSet{} : found->second, next);
    context_.trace.record({.inode = file.id(), .kind = trace::Kind::rename_flush});
    if (flushed.error != 0) {
        file.report_failure(flushed.error, true);
    }
    request.done(flushed.error);
}

void Journal::finish(Request& request, const Round& round) {
    switch (request.kind) {
    case Request::Kind::fsync:
        request.done(finish_fsync(request, round));
        break;
    case Request::Kind::commit:
        request.done(round.first_error);
        break;
    case Request::Kind::write:
        if (request.attempt()) {
            break;
        }
        if (round.first_error != 0) {
            request.done(round.first_error);
        } else {
            submit(std::move(request)); // others have taken the room meanwhile
        }
        break;
    case Request::Kind::flush:
        break; // answered
    }
}

int Journal::finish_fsync(const Request& request, const Round& round) {
    const InodeId id = request.file->id();
    const auto failed = round.errors.find(id);
    int error = failed == round.errors.end() ? 0 : failed->second;
    if (error == 0 && (!request.needs_commit || !round.committed.contains(id))) {
        // What is written must be durable, though the journal has nothing to do for it.
        error = sync_alone(*request.file, !request.data_only);
    }
    context_.trace.record({.inode = id,
                           .commit = request.needs_commit
                                         ? CommitId{static_cast<std::uint32_t>(status().commits)}
                                         : CommitId{0},
                           .error = error,
                           .kind = trace::Kind::fsync});
    return error;
}

} // namespace partialfs::journal
