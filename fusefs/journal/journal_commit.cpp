// The journal's commits: look for dirty pages, flush, sync, let the metadata through.
#include "fusefs/file/error_of.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace partialfs::journal {

using base::Result;
using model::CommitId;
using model::InodeId;

namespace {

/// From so many files on, a commit syncs their whole filesystem: one wait for the disk instead of
/// one a file. Below, what others have written there is none of our business.
constexpr std::size_t kTogetherFrom = 32;

} // namespace

int Journal::sync_alone(file::FileData& file, bool durable) {
    int error = file::error_of([&] { return file.sync_data(); });
    if (error == 0) {
        error = let_metadata_through(file, durable);
    }
    if (error != 0) {
        file.report_failure(error, true);
    }
    return error;
}

int Journal::let_metadata_through(file::FileData& file, bool durable) {
    return file::error_of([&] {
        const Result<bool> changed = file.let_metadata_through(durable);
        if (changed && *changed) {
            cache_.attributes_changed(file.id());
        }
        return changed;
    });
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
        Result<file::PageSet> dirty = cache_.dirty_pages(*file, file->size());
        if (!dirty) {
            const int error = dirty.error().value;
            spdlog::log(file::has_no_pages(error) ? spdlog::level::debug : spdlog::level::warn,
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
        const std::scoped_lock lock(mutex_);
        status_.last_probe = probe_cost_;
        ++status_.probes;
    }
    return found;
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
    int error = file::error_of([&] { return whole.sync(context_.io); });
    // One file by itself: ext2, or a journal with nothing left to write, leaves the disk's cache.
    const std::shared_ptr<file::FileData> one = together.back();
    together.pop_back();
    one->whole_sync_ended(false);
    if (error == 0) {
        error = file::error_of([&] { return one->sync_data(); });
        if (error != 0) {
            failed(one, error);
        }
    }
    for (const auto& file : together) {
        file->whole_sync_ended(error == 0);
    }
    whole_sync_failed_ = error != 0;
}

void Journal::sync_files(const Files& files, const Failed& failed) {
    sync_together(files, failed);
    for (const auto& file : files) {
        if (files.size() > 1) {
            file->start_sync();
        }
    }
    for (const auto& file : files) {
        if (const int error = file::error_of([&] { return file->sync_data(); })) {
            failed(file, error);
        }
    }
}

void Journal::let_clean_files_go(const Files& files) {
    for (const auto& file : files) {
        if (!file->keep_enlisted()) {
            const std::scoped_lock lock(files_mutex_);
            if (!file->enlisted()) { // or somebody has just enlisted it again
                files_.erase(file->id());
            }
        }
    }
}

int Journal::commit_now(Round& round, bool timer) {
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
            let_clean_files_go(files);
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
    const auto failed = [&](const std::shared_ptr<file::FileData>& file, int error) {
        file->report_failure(error, round.asked.contains(file->id()));
        if (round.errors.emplace(file->id(), error).second) {
            spdlog::warn("commit {}: inode {}: {}", commit.value, file->id().value,
                         std::strerror(error));
        }
        first_error = first_error == 0 ? error : first_error;
    };
    for (const auto& file : files) {
        const file::PageSet& dirty = probed.dirty[file->id()];
        if (const int error = file::error_of([&] { return file->flush(cache_, dirty, commit); })) {
            failed(file, error);
        }
    }
    sync_files(files, failed);
    for (const auto& file : files) {
        if (round.errors.contains(file->id())) {
            continue;
        }
        const auto wanted = round.asked.find(file->id());
        const bool durable = wanted != round.asked.end() && wanted->second;
        if (const int error = let_metadata_through(*file, durable)) {
            failed(file, error);
        }
    }
    context_.trace.record({.commit = commit, .error = first_error, .kind = trace::Kind::commit});
    let_clean_files_go(files);
    const std::scoped_lock lock(mutex_);
    status_.last_commit = Clock::now() - began;
    return first_error != 0 ? first_error : probed.error;
}

} // namespace partialfs::journal
