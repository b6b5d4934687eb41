// The journal's commits: look for dirty pages, flush, let the metadata through, sync.
#include "fusefs/file/error_of.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/power/power.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace partialfs::journal {

using base::Result;
using file::Durable;
using file::error_of;
using file::JournaledFile;
using file::PageSet;
using model::CommitId;
using model::FlushPolicy;
using model::InodeId;

namespace {

/// From this number of files on, a commit syncs their whole filesystem: one wait for the disk
/// instead of one for each file. With fewer files it would mostly wait for the data of others.
constexpr std::size_t kTogetherFrom = 32;

} // namespace

bool Journal::power_is_cut() const {
    return context_.power != nullptr && !context_.power->is_on();
}

int Journal::sync_alone(JournaledFile& file, Durable durable) {
    int error = error_of([&] { return file.let_metadata_through(); });
    if (error == 0) {
        error = error_of([&] { return file.sync(durable); });
    }
    if (error != 0) {
        file.report_failure(error, true);
    }
    return error;
}

Journal::FileMap Journal::take_transaction() {
    const base::Lock lock(files_mutex_);
    FileMap all;
    if (context_.settings.policy.load() == FlushPolicy::eager) {
        all = known_;
    }
    all.merge(transaction_);
    transaction_.clear(); // of files that are in `all` already
    for (const auto& [id, file] : all) {
        file->left();
    }
    return all;
}

void Journal::rejoin(FileMap& files) {
    const base::Lock lock(files_mutex_);
    while (!files.empty()) {
        static_cast<void>(files.begin()->second->join_once());
        transaction_.insert(files.extract(files.begin()));
    }
}

void Journal::let_go(FileMap files) {
    try {
        while (!files.empty()) {
            const auto& file = files.begin()->second;
            const JournaledFile::Keep keep = file->keep();
            const base::Lock lock(files_mutex_);
            if (keep.known) {
                known_.insert_or_assign(file->id(), file);
            } else {
                known_.erase(file->id());
            }
            const bool joins = keep.joined && file->join_once();
            auto entry = files.extract(files.begin());
            if (joins) {
                transaction_.insert(std::move(entry));
            }
        }
    } catch (...) {
        rejoin(files);
        throw;
    }
}

Journal::Probed Journal::probe(const FileMap& files) {
    Probed found;
    const auto began = Clock::now();
    bool any = false;
    for (const auto& [id, file] : files) {
        if (!file->may_be_mapped()) {
            continue;
        }
        const PageSet wanted = file->probe_begins();
        if (wanted.empty()) {
            continue;
        }
        any = true;
        Result<PageSet> dirty = cache_.dirty_pages(*file, wanted);
        if (!dirty) {
            const int error = dirty.error().value;
            spdlog::log(file::has_no_pages(error) || power_is_cut() ? spdlog::level::debug
                                                                    : spdlog::level::warn,
                        "looking for mapped stores into inode {}: {}", file->id().value,
                        std::strerror(error));
            if (!file::has_no_pages(error) && found.error == 0) {
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
        const base::Lock lock(mutex_);
        status_.last_probe = probe_cost_;
        ++status_.probes;
    }
    return found;
}

int Journal::flush(JournaledFile& file, const Probed& probed, CommitId commit) {
    static const PageSet nothing;
    const auto dirty = probed.dirty.find(file.id());
    return error_of([&] {
        return file.flush(cache_, dirty == probed.dirty.end() ? nothing : dirty->second, commit);
    });
}

int Journal::flush_file(JournaledFile& file) {
    const CommitId next = running_commit();
    context_.ledger.commit_began(next, trace::now());
    int error = 0;
    if (file.needs_kernel()) {
        // An error is ignored: the look may have waited for the rename that waits for this flush.
        PageSet dirty;
        if (const PageSet wanted = file.probe_begins(); !wanted.empty()) {
            dirty = cache_.dirty_pages(file, wanted).value_or(PageSet{});
            file.learn_dirty(dirty);
        }
        error = error_of([&] { return file.flush(cache_, dirty, next); });
        context_.trace.record({.inode = file.id(), .kind = trace::Kind::rename_flush});
    } else {
        error = error_of([&] { return file.flush_buffers(next); });
    }
    if (error != 0) {
        file.report_failure(error, true);
    }
    return error;
}

void Journal::sync_together(const Files& files, const Failed& failed) {
    const backing::FilesystemSync& whole = context_.whole_filesystem;
    Files together;
    std::ranges::copy_if(files, std::back_inserter(together), [&](const auto& file) {
        return whole.covers(file->device()) && file->needs_sync();
    });
    if (whole_sync_failed_ || together.size() < kTogetherFrom) {
        return;
    }
    for (const auto& file : together) {
        file->whole_sync_begins();
    }
    int error = error_of([&] { return whole.sync(context_.disk()); });
    // One file is synced by itself to flush the disk's cache: syncfs(2) does not on ext2, or if
    // the filesystem's journal has nothing to write.
    const std::shared_ptr<JournaledFile> one = together.back();
    together.pop_back();
    one->whole_sync_ended(false);
    if (error == 0) {
        error = error_of([&] { return one->sync(Durable::written); });
        if (error != 0) {
            failed(one, error);
        }
    }
    for (const auto& file : together) {
        file->whole_sync_ended(error == 0);
    }
    whole_sync_failed_ = error != 0;
}

void Journal::sync_files(const Files& files, const Round& round, const Failed& failed) {
    sync_together(files, failed);
    for (const auto& file : files) {
        if (files.size() > 1) {
            file->start_sync();
        }
    }
    for (const auto& file : files) {
        const auto asked = round.asked.find(file->id());
        const Durable durable = asked == round.asked.end() ? Durable::written : asked->second;
        if (const int error = error_of([&] { return file->sync(durable); })) {
            failed(file, error);
        }
    }
}

int Journal::commit_now(Round& round, Trigger trigger) {
    FileMap files = take_transaction();
    int error = 0;
    try {
        error = commit_files(files, round, trigger);
    } catch (...) {
        rejoin(files);
        throw;
    }
    let_go(std::move(files));
    return error;
}

int Journal::commit_files(const FileMap& files, Round& round, Trigger trigger) {
    const auto began = Clock::now();
    for (const auto& [id, file] : files) {
        if (file.use_count() == 1) {
            file->abandon_if_nameless();
        }
        round.committed.insert(id);
    }
    Probed probed;
    // The last probe's duration may be at most probe_share of the time since.
    const bool affordable =
        std::chrono::duration<double>(probe_cost_).count() <=
        options_.probe_share * std::chrono::duration<double>(began - last_probe_at_).count();
    if (trigger == Trigger::asked || affordable) {
        probed = probe(files);
    }
    const auto has_work = [](const auto& entry) { return entry.second->has_work(); };
    if (trigger == Trigger::timer && std::ranges::none_of(files, has_work)) {
        return 0;
    }
    CommitId commit;
    {
        const base::Lock lock(mutex_);
        commit = CommitId{++status_.commits};
    }
    context_.ledger.commit_began(commit, trace::now());
    context_.trace.record({.commit = commit, .kind = trace::Kind::commit_begin});
    // The result needs no check: with the power off, every operation below fails.
    using Begun = power::Power::Begun;
    const Begun begun =
        context_.power != nullptr ? context_.power->begins(power::Moment::commit) : Begun::goes_on;

    int first_error = 0;
    const auto failed = [&](const std::shared_ptr<JournaledFile>& file, int error) {
        file->report_failure(error, round.asked.contains(file->id()));
        if (round.errors.emplace(file->id(), error).second) {
            spdlog::log(power_is_cut() ? spdlog::level::debug : spdlog::level::warn,
                        "commit {}: inode {}: {}", commit.value, file->id().value,
                        std::strerror(error));
        }
        first_error = first_error == 0 ? error : first_error;
    };
    Files flushed;
    flushed.reserve(files.size());
    for (const auto& [id, file] : files) {
        int error = flush(*file, probed, commit);
        if (error == 0) {
            error = error_of([&] { return file->let_metadata_through(); });
        }
        if (error != 0) {
            failed(file, error);
        } else {
            flushed.push_back(file);
        }
    }
    sync_files(flushed, round, failed);
    context_.trace.record({.commit = commit, .error = first_error, .kind = trace::Kind::commit});
    if (begun == Begun::ends_in_cut) {
        static_cast<void>(context_.power->ended(begun)); // fsync(2) checks again before it answers
    }
    const base::Lock lock(mutex_);
    status_.last_commit = Clock::now() - began;
    return first_error != 0 ? first_error : probed.error;
}

} // namespace partialfs::journal
