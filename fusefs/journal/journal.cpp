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

namespace {

/// Whether a file could not be probed because the kernel has nothing of it any more: it has
/// forgotten the inode, or the mount is gone.
constexpr bool has_no_pages(int error) {
    return error == ENODEV || error == ENOTCONN || error == EXDEV || error == ENOENT ||
           error == ESTALE;
}

} // namespace

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

void Journal::submit(Wish wish) {
    {
        const std::scoped_lock lock(mutex_);
        if (!stopped_) {
            wishes_.push_back(std::move(wish));
            wake_.notify_all();
            return;
        }
    }
    wish.done(ENODEV);
}

void Journal::fsync(std::shared_ptr<FileData> file, bool data_only, Done done) {
    submit({Wish::Kind::fsync, std::move(file), data_only, std::move(done), {}});
}
void Journal::commit(Done done) {
    submit({Wish::Kind::commit, nullptr, false, std::move(done), {}});
}
void Journal::write_when_room(std::function<bool()> attempt, Done fail) {
    submit({Wish::Kind::write, nullptr, false, std::move(fail), std::move(attempt)});
}
void Journal::flush_file(std::shared_ptr<FileData> file, Done done) {
    submit({Wish::Kind::flush, std::move(file), false, std::move(done), {}});
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
        const auto called = [&] { return stopping_ || hurry_ || !wishes_.empty(); };
        if (options_.interval.count() == 0) {
            wake_.wait(lock, called);
        } else {
            wake_.wait_until(lock, next_timer, called);
        }
        std::vector<Wish> wishes = std::exchange(wishes_, {});
        const bool hurried = std::exchange(hurry_, false);
        const bool last = stopping_ && wishes.empty();
        lock.unlock();
        const bool timer = options_.interval.count() != 0 && Clock::now() >= next_timer;
        if (last) {
            std::map<InodeId, int> errors;
            last_error_ = commit_now({}, /*timer=*/false, errors);
        } else if (!wishes.empty() || timer || hurried) {
            serve(std::move(wishes), timer || hurried);
        }
        if (timer) {
            next_timer = Clock::now() + options_.interval;
        }
        lock.lock();
        if (last && wishes_.empty()) {
            stopped_ = true;
            return;
        }
    }
}

void Journal::serve(std::vector<Wish> wishes, bool timer) {
    const bool ext3 = context_.policy.load() == model::FlushPolicy::ext3;
    bool commit = false;
    std::map<InodeId, bool> asked; // true: the attributes are to be durable as well
    std::map<InodeId, int> errors;
    std::vector<bool> needs_commit(wishes.size());
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        const Wish& wish = wishes[i];
        switch (wish.kind) {
        case Wish::Kind::fsync: {
            bool needed = true;
            if (ext3) {
                const FileData::Flushed written = wish.file->write_back_unmapped();
                if (written.error != 0) {
                    spdlog::warn("fsync: inode {}: {}", wish.file->id().value,
                                 std::strerror(written.error));
                    wish.file->report_failure(written.error, true);
                    errors.emplace(wish.file->id(), written.error);
                }
                needed = wish.file->take_inode_dirty();
            }
            needs_commit[i] = needed;
            commit = commit || needed;
            asked[wish.file->id()] |= !wish.data_only;
            break;
        }
        case Wish::Kind::commit:
        case Wish::Kind::write:
            commit = true;
            break;
        case Wish::Kind::flush: {
            // A probe that fails may have waited for the very rename that waits for us.
            std::map<InodeId, PageSet> dirty = probe({wish.file}).dirty;
            const CommitId next = running_commit();
            context_.ledger.commit_began(next, trace::now());
            const FileData::Flushed flushed =
                wish.file->flush(cache_, dirty[wish.file->id()], next);
            context_.trace.record({.inode = wish.file->id(), .kind = trace::Kind::rename_flush});
            if (flushed.error != 0) {
                wish.file->report_failure(flushed.error, true);
            }
            wish.done(flushed.error);
            break;
        }
        }
    }
    int first_error = 0;
    std::set<InodeId> committed_files;
    if (commit) {
        for (const auto& file : enlisted_files()) {
            committed_files.insert(file->id());
        }
        first_error = commit_now(asked, /*timer=*/false, errors);
    } else if (timer) {
        commit_now({}, /*timer=*/true, errors);
    }
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        Wish& wish = wishes[i];
        if (wish.kind == Wish::Kind::fsync) {
            int error = errors.contains(wish.file->id()) ? errors[wish.file->id()] : 0;
            if (error == 0 && (!needs_commit[i] || !committed_files.contains(wish.file->id()))) {
                // What is written must be durable, though the journal has nothing to do for it.
                error = sync_alone(*wish.file, !wish.data_only);
            }
            context_.trace.record(
                {.inode = wish.file->id(),
                 .commit = needs_commit[i] ? CommitId{static_cast<std::uint32_t>(status().commits)}
                                           : CommitId{0},
                 .error = error,
                 .kind = trace::Kind::fsync});
            wish.done(error);
        } else if (wish.kind == Wish::Kind::commit) {
            wish.done(first_error);
        } else if (wish.kind == Wish::Kind::write && !wish.attempt()) {
            if (first_error != 0) {
                wish.done(first_error);
            } else {
                submit(std::move(wish)); // others have taken the room meanwhile
            }
        }
    }
}

int Journal::sync_alone(FileData& file, bool durable) {
    int error = 0;
    if (const Result<void> synced = file.sync_data(); !synced) {
        error = synced.error().value;
    } else if (const Result<bool> changed = file.let_metadata_through(durable); !changed) {
        error = changed.error().value;
    } else if (*changed) {
        cache_.attributes_changed(file.id());
    }
    if (error != 0) {
        file.report_failure(error, true);
    }
    return error;
}

Journal::Probed Journal::probe(const Files& files) {
    Probed found;
    const auto began = Clock::now();
    bool any = false;
    for (const auto& file : files) {
        if (!file->may_be_mapped()) {
            continue;
        }
        any = true;
        file->probe_begins();
        Result<PageSet> dirty = cache_.dirty_pages(*file, file->size());
        if (!dirty) {
            const int error = dirty.error().value;
            spdlog::log(has_no_pages(error) ? spdlog::level::debug : spdlog::level::warn,
                        "looking for mapped stores into inode {}: {}", file->id().value,
                        std::strerror(error));
            if (!has_no_pages(error) && found.error == 0) {
                found.error = error;
            }
            file->learn_dirty({});
            continue;
        }
        file->learn_dirty(*dirty);
        found.dirty.emplace(file->id(), std::move(*dirty));
    }
    last_probe_at_ = Clock::now();
    probe_cost_ = last_probe_at_ - began;
    if (any) {
        const std::scoped_lock lock(mutex_);
        status_.last_probe = probe_cost_;
        ++status_.probes;
    }
    return found;
}

int Journal::commit_now(const std::map<InodeId, bool>& asked, bool timer,
                        std::map<InodeId, int>& errors) {
    const auto began = Clock::now();
    const Files files = enlisted_files();
    Probed probed;
    // What the last probe cost must have been earned since by time that passed.
    const bool affordable =
        std::chrono::duration<double>(probe_cost_).count() <=
        options_.probe_share * std::chrono::duration<double>(began - last_probe_at_).count();
    if (!timer || affordable) {
        probed = probe(files);
    }
    if (timer) {
        bool work = false;
        for (const auto& file : files) {
            work = work || file->has_work();
        }
        if (!work) {
            return 0;
        }
    }
    CommitId commit;
    {
        const std::scoped_lock lock(mutex_);
        commit = CommitId{static_cast<std::uint32_t>(++status_.commits)};
    }
    context_.ledger.commit_began(commit, trace::now());
    context_.trace.record({.commit = commit, .kind = trace::Kind::commit_begin});

    int first_error = 0;
    const auto failed = [&](const std::shared_ptr<FileData>& file, int error) {
        file->report_failure(error, asked.contains(file->id()));
        if (errors.emplace(file->id(), error).second) {
            spdlog::warn("commit {}: inode {}: {}", commit.value, file->id().value,
                         std::strerror(error));
        }
        first_error = first_error == 0 ? error : first_error;
    };
    for (const auto& file : files) {
        const FileData::Flushed flushed = file->flush(cache_, probed.dirty[file->id()], commit);
        if (flushed.error != 0) {
            failed(file, flushed.error);
        }
    }
    for (const auto& file : files) {
        if (files.size() > 1) {
            file->start_sync();
        }
    }
    for (const auto& file : files) {
        if (const Result<void> synced = file->sync_data(); !synced) {
            failed(file, synced.error().value);
        }
    }
    for (const auto& file : files) {
        if (errors.contains(file->id())) {
            continue;
        }
        const auto wanted = asked.find(file->id());
        const bool durable = wanted != asked.end() && wanted->second;
        const Result<bool> changed = file->let_metadata_through(durable);
        if (!changed) {
            failed(file, changed.error().value);
        } else if (*changed) {
            cache_.attributes_changed(file->id());
        }
    }
    context_.trace.record({.commit = commit, .error = first_error, .kind = trace::Kind::commit});
    for (const auto& file : files) {
        if (!file->keep_enlisted()) {
            const std::scoped_lock lock(files_mutex_);
            if (!file->enlisted()) { // or somebody has just enlisted it again
                files_.erase(file->id());
            }
        }
    }
    const std::scoped_lock lock(mutex_);
    status_.last_commit = Clock::now() - began;
    return first_error != 0 ? first_error : probed.error;
}

} // namespace partialfs::journal
