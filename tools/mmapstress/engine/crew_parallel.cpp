#include "tools/mmapstress/engine/crew_parallel.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/engine/conflict_set.hpp"
#include "tools/mmapstress/engine/crew_process.hpp"
#include "tools/mmapstress/engine/thread_team.hpp"
#include "tools/schedule/op_effect.hpp"

namespace mmapstress {

namespace {

/// At most this many operations are ordered before the workers start on them.
constexpr std::size_t kLargestSegment = 1024;

class Parallel final : public Crew {
  public:
    Parallel(Setting setting, std::vector<std::unique_ptr<CrewProcess>> processes)
        : setting_(std::move(setting)), processes_(std::move(processes)), executor_(setting_.work),
          team_(setting_.work, setting_.work.header.threads) {}

    Outcome<> execute(const Op& op, OpId& failed) override;
    Outcome<> finish(OpId& failed) override;
    [[nodiscard]] OpId reached() const override { return reached_; }
    Outcome<> end(FileIndex file, End how) override;
    Outcome<> drop_cache(FileIndex file) override { return executor_.drop_cache(file); }

  private:
    /// Notes which bytes the operation needs for itself alone. False if another worker has needed
    /// some of them since the last finish().
    bool note_changes(const Op& op);
    Outcome<> execute_alone(const Op& op, OpId& failed);
    Outcome<> unmap_elsewhere(FileIndex file);
    Outcome<> answers(OpId& failed);

    Setting setting_;
    /// Declared before the threads: a process must not be forked once there are threads.
    std::vector<std::unique_ptr<CrewProcess>> processes_;
    Executor executor_;
    ThreadTeam team_;
    ConflictSet conflicts_;
    std::size_t ordered_ = 0; ///< operations since the last finish()
    OpId last_;               ///< the last of them
    OpId reached_;            ///< all up to it are carried out
    bool failed_ = false;     ///< the processes are no longer in step
};

bool Parallel::note_changes(const Op& op) {
    if (!traits_of(op.kind).has_file) {
        return true;
    }
    // The source of a copy must not change meanwhile either. It stays noted even if the destination
    // is refused below: the caller then clears all.
    if (traits_of(op.kind).has_source && !conflicts_.add(op.source, needed_of_source(op), op.by)) {
        return false;
    }
    const ByteRange changed =
        changed_together(op, setting_.work.files[op.file.value].size(), setting_.folio);
    return changed.empty() || conflicts_.add(op.file, changed, op.by);
}

Outcome<> Parallel::execute(const Op& op, OpId& failed) {
    const OpTraits& traits = traits_of(op.kind);
    if (traits.alone) {
        TRY(finish(failed));
        auto done = execute_alone(op, failed);
        if (done) {
            reached_ = op.id;
        }
        return done;
    }
    if (ordered_ == kLargestSegment || !note_changes(op)) {
        TRY(finish(failed));
        note_changes(op);
    }
    if (op.by.value < setting_.work.header.threads) {
        failed = op.id;
        TRY(executor_.prepare(op));
        team_.add(op.by.value, op);
    }
    ++ordered_;
    last_ = op.id;
    return {};
}

Outcome<> Parallel::execute_alone(const Op& op, OpId& failed) {
    failed = op.id;
    if (op.kind == OpKind::evict) {
        // The order of evict: no process unmaps anything before the fsync.
        TRY(executor_.fsync(op.file, true));
        TRY(unmap_elsewhere(op.file));
        return executor_.drop_cache(op.file);
    }
    if (op.kind == OpKind::unmap || op.kind == OpKind::remap) {
        for (const auto& process : processes_) {
            TRY(process->order_walk(op.id));
        }
        TRY(answers(failed));
    }
    return executor_.execute(op);
}

Outcome<> Parallel::answers(OpId& failed) {
    Outcome<> first{};
    for (const auto& process : processes_) {
        if (auto done = process->answer(failed); !done && first) {
            first = std::move(done);
            failed_ = true;
        }
    }
    return first;
}

Outcome<> Parallel::finish(OpId& failed) {
    if (ordered_ == 0) {
        return {};
    }
    ordered_ = 0;
    conflicts_.clear();
    for (const auto& process : processes_) {
        if (auto sent = process->order_walk(last_); !sent) {
            failed_ = true;
            return sent;
        }
    }
    auto failure = team_.run();
    Outcome<> elsewhere = answers(failed);
    if (failure) {
        failed = failure->op;
        return std::unexpected(std::move(failure->failure));
    }
    if (elsewhere) {
        reached_ = last_;
    }
    return elsewhere;
}

Outcome<> Parallel::unmap_elsewhere(FileIndex file) {
    if (failed_) {
        return {};
    }
    for (const auto& process : processes_) {
        TRY(process->order_unmap(file));
    }
    OpId ignored;
    return answers(ignored);
}

Outcome<> Parallel::end(FileIndex file, End how) {
    if (how == End::fsync_munmap_fsync) {
        TRY(executor_.fsync(file, true));
    }
    TRY(unmap_elsewhere(file));
    setting_.work.files[file.value].unmap_all();
    return executor_.fsync(file, how == End::munmap_fsync);
}

} // namespace

Outcome<std::unique_ptr<Crew>> assemble_parallel(Crew::Setting setting) {
    std::vector<std::unique_ptr<CrewProcess>> processes;
    for (std::size_t i = 1; i < setting.work.header.processes; ++i) {
        auto process = TRY(CrewProcess::fork(setting, i, processes));
        processes.push_back(std::move(process));
    }
    return std::make_unique<Parallel>(std::move(setting), std::move(processes));
}

} // namespace mmapstress
