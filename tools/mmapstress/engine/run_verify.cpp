// The verification of a run: its check operations, and its files at the end, stage by stage.
#include "fusefs/base/try.hpp"
#include "tools/mmapstress/engine/run.hpp"
#include "tools/mmapstress/system/busy.hpp"
#include "tools/mmapstress/system/page_cache.hpp"
#include "tools/mmapstress/verify/classify.hpp"
#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/mmapstress/verify/holes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>

namespace mmapstress {

Outcome<> Run::check(const Op& op) {
    TestFile& file = directory_.files()[op.file.value];
    const ByteRange range = op.length.value == 0 ? verifier_.all(op.file) : op.range();
    collector_.begin(Stage::during);
    checked_ += range.size().value;
    if (op.kind == OpKind::read_check) {
        return verifier_.compare_fd(op.file, file.fd(), range, file.path());
    }
    if (op.kind == OpKind::live_check) {
        return compare_mapped(op.file, op.map, range);
    }
    const auto direct = TRY(open_direct(file.path()));
    if (!direct) {
        checked_ -= range.size().value; // left out, as the stage `direct` is
        return {};
    }
    return verifier_.compare_fd(op.file, direct->get(), range, file.path());
}

Outcome<> Run::compare_mapped(FileIndex file, MapIndex map, ByteRange range) {
    TestFile& from = directory_.files()[file.value];
    const auto bytes = TRY(from.bytes(map, range));
    return verifier_.compare_mapping(file, from.fd(), bytes, range.begin, from.path());
}

Outcome<> Run::compare_live(FileIndex file) {
    const TestFile& from = directory_.files()[file.value];
    const ByteRange all = verifier_.all(file);
    if (const auto mapped = from.if_mapped(MapIndex{0}, all)) {
        return verifier_.compare_mapping(file, from.fd(), *mapped, all.begin, from.path());
    }
    // No mapping is removed for this: that would save the stores that are about to be lost.
    const auto view = TRY(ReadOnlyMapping::make(from, expected_.size(file)));
    return verifier_.compare_mapping(file, from.fd(), view.bytes(), all.begin, from.path());
}

void Run::check_cached() {
    StageResult& live = stage(Stage::live);
    if (settings_.live_stage) {
        verifier_.stage(Stage::live, live, [&](FileIndex file) { return compare_live(file); });
    } else {
        live.reason = "not asked for";
    }
    StageResult& cached = stage(Stage::pread);
    if (settings_.pread_stage) {
        verifier_.stage(Stage::pread, cached, [&](FileIndex file) {
            const TestFile& from = directory_.files()[file.value];
            return verifier_.compare_fd(file, from.fd(), verifier_.all(file), from.path());
        });
    } else {
        cached.reason = "not asked for";
    }
}

bool Run::sync_all(Crew& crew) {
    for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
        if (const auto ended = crew.end(FileIndex{i}, walker_.header().end); !ended) {
            problem(ended.error().message(), OpId{});
            return false;
        }
    }
    Outcome<> logged = noted_ == result_.last_op ? Outcome<>{} : log_.done(result_.last_op);
    if (logged) {
        logged = log_.end();
    }
    result_.synced = true;
    if (!logged) {
        problem(logged.error().message(), OpId{});
    }
    return true;
}

std::string Run::evict_all(Crew& crew) {
    for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
        if (const auto dropped = crew.drop_cache(FileIndex{i}); !dropped) {
            return dropped.error().message();
        }
    }
    return {};
}

void Run::verify_what_was_synced() {
    std::ranges::sort(synced_points_);
    CrashState state(factory_, {begun_, synced_points_, false}, sync_reaches(place_.filesystem));
    std::vector<EvictedFile> files;
    std::string evicted;
    for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
        TestFile& file = directory_.files()[i];
        file.unmap_all();
        struct stat found{};
        if (::fstat(file.fd(), &found) == 0) {
            state.settle(FileIndex{i}, ByteCount{static_cast<std::uint64_t>(found.st_size)});
        }
        const Busy busy(Activity::evicting, FileIndex{i});
        // An error here is no news: the filesystem has refused these bytes before.
        static_cast<void>(::fsync(file.fd()));
        if (const auto dropped = drop_pages(file.fd(), state.expected().size(FileIndex{i}));
            !dropped && evicted.empty()) {
            evicted = file.path() + ": " + dropped.error().message();
        }
        files.push_back({file.path(), file.fd()});
    }
    check_what_was_synced(state, files, evicted);
}

/// Removes the workers' own files, which they could not remove while the power was off.
void Run::remove_what_workers_left() const {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path(), ignored)) {
        const bool is_tested = std::ranges::any_of(directory_.files(), [&](const TestFile& file) {
            return file.path() == entry.path().string();
        });
        if (!is_tested) {
            std::filesystem::remove(entry.path(), ignored);
        }
    }
}

void Run::verify_after_cut(PowerCut& power) {
    const auto cut = power.finish();
    if (!cut) {
        problem(cut.error().message(), OpId{});
        return;
    }
    if (*cut) {
        result_.problems.clear();
    }
    remove_what_workers_left();
    result_.interrupted = true;
    std::ranges::sort(synced_points_);
    CrashState state(factory_, {begun_, synced_points_, false}, sync_reaches(place_.filesystem));
    std::vector<partialfs::base::Fd> owners;
    std::vector<EvictedFile> files;
    for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
        TestFile& file = directory_.files()[i];
        file.unmap_all();
        auto fd = partialfs::base::Fd::open(AT_FDCWD, file.path().c_str(), O_RDONLY);
        struct stat found{};
        if (!fd || ::fstat(fd->get(), &found) != 0) {
            problem(failed("after the power cut, cannot open " + file.path()).error().message(),
                    OpId{});
            return;
        }
        state.settle(FileIndex{i}, ByteCount{static_cast<std::uint64_t>(found.st_size)});
        files.push_back({file.path(), fd->get()});
        owners.push_back(std::move(*fd));
    }
    check_what_was_synced(state, files, {});
}

void Run::check_what_was_synced(CrashState& state, const std::vector<EvictedFile>& files,
                                const std::string& evicted) {
    Verifier verifier(state.expected(), collector_, settings_.progress);
    verifier.excuse(state);
    verifier.expect_stages(3);
    result_.on_disk =
        check_on_disk(verifier, files, place_, settings_.direct_stage, evicted, result_.stages);
    result_.cut_short = CutShort{synced_points_.back(), begun_, state.synced_bytes()};
}

bool Run::verify(Crew& crew, Judge judge) {
    if (is_trusted_with_holes(place_.filesystem)) {
        verifier_.trust_holes();
    }
    verifier_.expect_stages((settings_.live_stage ? 1U : 0U) + (settings_.pread_stage ? 1U : 0U) +
                            (settings_.direct_stage ? 1U : 0U) + (place_.disk ? 1U : 0U) + 1U);
    check_cached();
    if (!sync_all(crew)) {
        return false;
    }
    const std::string evicted = evict_all(crew);
    std::vector<EvictedFile> files;
    for (const TestFile& file : directory_.files()) {
        files.push_back({file.path(), file.fd()});
    }
    result_.on_disk =
        check_on_disk(verifier_, files, place_, settings_.direct_stage, evicted, result_.stages);
    if (judge != nullptr && evicted.empty()) {
        const auto source = factory_();
        result_.judgement = judge(*source, result_.last_op, reader_of(files));
    }
    StageResult& during = stage(Stage::during);
    if (checked_ != 0) {
        during.state = StageResult::State::checked;
        during.bytes = checked_;
        during.wrong = collector_.wrong_bytes(Stage::during);
        during.ranges = collector_.ranges(Stage::during);
    } else {
        during.reason = "the schedule has no check";
    }
    return true;
}

void Run::judge_commits() {
    result_.commits = commits_.counted();
    const Commits& commits = result_.commits;
    if (commits.done != 0 && commits.empty == commits.done && result_.damage.empty()) {
        problem("none of the " + std::to_string(commits.done) +
                    " commits wrote a sector to the disk, so commits were not tested",
                OpId{});
    }
}

void Run::finish() {
    result_.damage_not_kept = collector_.not_kept();
    const OpId last = result_.cut_short ? result_.cut_short->begun : result_.last_op;
    result_.past_eof = collector_.past_eof();
    Classified classified = classify(collector_.take(), result_.past_eof, factory_, last);
    result_.damage = std::move(classified.damage);
    result_.named_ops = std::move(classified.named_ops);
    for (const auto& [id, line] : result_.named_ops) {
        const auto time =
            std::ranges::lower_bound(times_, id, {}, [](const auto& entry) { return entry.first; });
        if (time != times_.end() && time->first == id) {
            result_.named_times[id] = partialfs::model::Nanoseconds{
                static_cast<std::uint64_t>(std::chrono::nanoseconds(time->second).count())};
        }
    }
    judge_commits();
    for (StageResult& stage : result_.stages) {
        if (stage.state == StageResult::State::failed) {
            problem(stage.reason, OpId{});
        } else if (stage.state == StageResult::State::skipped && stage.reason.empty()) {
            stage.reason = "the run did not get that far";
        }
    }
    if (!(result_.interrupted && (settings_.stored_before || settings_.cuts_power))) {
        result_.require_stores();
    }
    for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
        result_.files.push_back(directory_.files()[i].path());
        result_.sizes.push_back(expected_.size(FileIndex{i}));
    }
    if (settings_.keep || (!result_.damage.empty() && !settings_.discard_damaged)) {
        directory_.keep();
    }
    result_.kept = directory_.kept();
    result_.totals.add(result_);
}

} // namespace mmapstress
