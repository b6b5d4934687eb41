#include "fusefs/journal/journal.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/error_of.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <type_traits>
#include <utility>

namespace partialfs::journal {

using base::Result;
using model::CommitId;
using model::InodeId;

Journal::Journal(file::Context& context, file::PageCache& cache, Options options)
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

void Journal::enlist(const std::shared_ptr<file::FileData>& file) {
    if (file->enlisted()) {
        return;
    }
    decltype(files_) entry; // made before the file is told: there may be no memory for it
    entry.emplace(file->id(), file);
    if (!file->enlist_once()) {
        return;
    }
    const std::scoped_lock lock(files_mutex_);
    const auto placed = files_.insert(entry.extract(entry.begin()));
    if (!placed.inserted) {
        placed.position->second = file;
    }
}

void Journal::submit(Request&& request) {
    static_assert(std::is_nothrow_move_constructible_v<Request>);
    {
        const std::scoped_lock lock(mutex_);
        if (!stopped_) {
            requests_.push_back(std::move(request));
            wake_.notify_all();
            return;
        }
    }
    request.answer(ENODEV);
}

void Journal::fsync(std::shared_ptr<file::FileData> file, bool data_only, Done done) {
    submit({Request::Kind::fsync, std::move(file), data_only, std::move(done), {}});
}
void Journal::commit(Done done) {
    submit({Request::Kind::commit, nullptr, false, std::move(done), {}});
}
void Journal::write_when_room(std::function<bool()> attempt, Done fail) {
    submit({Request::Kind::write, nullptr, false, std::move(fail), std::move(attempt)});
}
void Journal::flush_file(std::shared_ptr<file::FileData> file, Done done) {
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

std::shared_ptr<file::FileData> Journal::find(InodeId id) const {
    const std::scoped_lock lock(files_mutex_);
    const auto file = files_.find(id);
    return file == files_.end() ? nullptr : file->second;
}

file::FileData::Gauge Journal::gauge() const {
    file::FileData::Gauge sum;
    for (const auto& file : enlisted_files()) {
        const file::FileData::Gauge one = file->gauge();
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
            try {
                last_error_ = commit_now(none, /*timer=*/false);
            } catch (...) {
                last_error_ = base::errno_of_exception().value;
            }
        } else if (!requests.empty() || timer || hurried) {
            serve_all(requests, timer || hurried);
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

void Journal::serve_all(std::vector<Request>& requests, bool timer) {
    try {
        serve(requests, timer);
    } catch (...) {
        // What is dirty stays so, and the next commit tries again.
        const int error = base::errno_of_exception().value;
        spdlog::warn("a commit could not be carried out: {}", std::strerror(error));
        for (Request& request : requests) {
            if (request.done) {
                request.answer(error);
            }
        }
    }
}

void Journal::serve(std::vector<Request>& requests, bool timer) {
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
            if (const int error =
                    file::error_of([&] { return request.file->write_back_unmapped(); })) {
                spdlog::warn("fsync: inode {}: {}", request.file->id().value, std::strerror(error));
                request.file->report_failure(error, true);
                round.errors.emplace(request.file->id(), error);
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

void Journal::flush_for_rename(Request& request) {
    file::FileData& file = *request.file;
    // A probe that fails may have waited for the very rename that waits for us.
    const std::map<InodeId, file::PageSet> dirty = probe({request.file}).dirty;
    const auto found = dirty.find(file.id());
    const CommitId next = running_commit();
    context_.ledger.commit_began(next, trace::now());
    const int error = file::error_of([&] {
        return file.flush(cache_, found == dirty.end() ? file::PageSet{} : found->second, next);
    });
    context_.trace.record({.inode = file.id(), .kind = trace::Kind::rename_flush});
    if (error != 0) {
        file.report_failure(error, true);
    }
    request.answer(error);
}

void Journal::finish(Request& request, const Round& round) {
    switch (request.kind) {
    case Request::Kind::fsync:
        request.answer(finish_fsync(request, round));
        break;
    case Request::Kind::commit:
        request.answer(round.first_error);
        break;
    case Request::Kind::write:
        if (request.attempt()) {
            request.done = nullptr; // it has answered
            break;
        }
        if (round.first_error != 0) {
            request.answer(round.first_error);
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
