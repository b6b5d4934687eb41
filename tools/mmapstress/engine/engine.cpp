#include "tools/mmapstress/engine/engine.hpp"

#include "tools/mmapstress/engine/crew.hpp"
#include "tools/mmapstress/engine/recorder.hpp"
#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/engine/run_log.hpp"
#include "tools/mmapstress/engine/start_files.hpp"
#include "tools/mmapstress/schedule/durability.hpp"
#include "tools/mmapstress/schedule/op_walker.hpp"
#include "tools/mmapstress/system/fault_guard.hpp"
#include "tools/mmapstress/system/memory_pressure.hpp"
#include "tools/mmapstress/verify/classify.hpp"
#include "tools/mmapstress/verify/disk_stages.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace mmapstress {

namespace {

using Clock = std::chrono::steady_clock;

std::unexpected<StartError> cannot_start(const Failure& failure,
                                         Verdict verdict = Verdict::unknown) {
    return std::unexpected(StartError{verdict, failure.message()});
}

/// One run, from its files to its verdict.
class Run {
  public:
    Run(const RunSettings& settings, RunDirectory directory, Place place,
        const OpSourceFactory& factory, Recorder recorder, MemoryPressure pressure)
        : settings_(settings), directory_(std::move(directory)), place_(std::move(place)),
          factory_(factory), walker_(factory()), recorder_(std::move(recorder)),
          pressure_(std::move(pressure)), expected_(walker_.header()),
          verifier_(expected_, collector_, settings.progress) {
        result_.header = walker_.header();
        result_.directory = place_.directory;
        result_.filesystem = place_.filesystem;
        result_.partialfs = place_.partialfs;
        result_.disk = place_.disk.value_or("");
        result_.schedule_file = settings.schedule_file;
        result_.settings = settings.made_of;
        utsname system{};
        if (::uname(&system) == 0) {
            result_.kernel = system.release;
        }
    }

    /// Writes down what a crash would leave nobody to tell. Before carry_out().
    Outcome<> begin_log() {
        RunResult head = result_;
        for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
            head.files.push_back(directory_.files()[i].path());
            head.sizes.push_back(expected_.size(FileIndex{i}));
        }
        head.kept = true;
        if (!settings_.made_of && !settings_.report_file.empty()) {
            head.schedule = print_schedule(schedule_of(*factory_()));
        }
        auto log = RunLog::open(settings_.report_file, head);
        if (!log) {
            return std::unexpected(log.error());
        }
        log_ = std::move(*log);
        return {};
    }

    RunResult carry_out(Judge judge) {
        const FaultGuard guard;
        auto crew = Crew::assemble(
            {directory_.files(), walker_.header(), directory_.path(), settings_.drop, factory_});
        if (!crew) {
            problem(crew.error().message(), OpId{});
        } else {
            run_ops(**crew);
            if (result_.problems.empty()) {
                verify(**crew, judge);
            }
        }
        finish();
        return std::move(result_);
    }

  private:
    void problem(std::string message, OpId op) {
        result_.problems.push_back({std::move(message), op});
    }

    /// Times are kept of as many operations as the schedule is.
    void note_time(const Op& op) {
        if (times_.size() < settings_.record_ops) {
            times_.emplace_back(op.id, Clock::now().time_since_epoch());
        }
    }

    void tell_progress() {
        if (!settings_.progress) {
            return;
        }
        const auto now = Clock::now();
        if (now - told_ >= std::chrono::milliseconds(100)) {
            told_ = now;
            settings_.progress({Progress::Phase::running, result_.ops, 0, 0});
        }
    }

    void run_ops(Crew& crew);
    bool carry_out_op(Crew& crew, const Op& op);
    Outcome<> note_done(const Crew& crew, const Op& op);
    Outcome<> check(const Op& op);
    Outcome<> compare_mapped(FileIndex file, MapIndex map, ByteRange range);
    Outcome<> compare_live(FileIndex file);
    void verify(Crew& crew, Judge judge);
    void check_cached();
    std::string evict_all(Crew& crew);
    void finish();

    StageResult& stage(Stage stage) { return result_.stages[static_cast<std::size_t>(stage)]; }

    const RunSettings& settings_;
    RunDirectory directory_;
    Place place_;
    const OpSourceFactory& factory_;
    OpWalker walker_;
    Recorder recorder_;
    RunLog log_;
    OpId noted_;              ///< in it, as done
    MemoryPressure pressure_; ///< while the operations are carried out
    Expected expected_;
    Collector collector_;
    Verifier verifier_;
    RunResult result_;
    /// When operations began, ids ascending.
    std::vector<std::pair<OpId, Clock::duration>> times_;
    std::uint64_t checked_ = 0; ///< bytes that check operations compared
    Clock::time_point told_;
};

void Run::run_ops(Crew& crew) {
    const auto begin = Clock::now();
    recorder_.header(walker_.header());
    while (true) {
        if (settings_.stop && settings_.stop()) {
            result_.interrupted = true;
            break;
        }
        const Op* op = walker_.next();
        if (op == nullptr) {
            if (walker_.error()) {
                problem(*walker_.error(), OpId{});
            }
            break;
        }
        recorder_.op(*op);
        note_time(*op);
        if (const auto logged = log_.before(op->id); !logged) {
            problem(logged.error().message(), OpId{});
            break;
        }
        if (!carry_out_op(crew, *op)) {
            break;
        }
        if (const auto logged = note_done(crew, *op); !logged) {
            problem(logged.error().message(), OpId{});
            break;
        }
        ++result_.ops;
        ++result_.ops_by_kind[static_cast<std::size_t>(op->kind)];
        result_.last_op = op->id;
        tell_progress();
    }
    OpId op;
    if (const auto finished = crew.finish(op); !finished) {
        problem(finished.error().message(), op);
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    pressure_.release();
    if (const auto written = recorder_.finish(); !written) {
        problem(written.error().message(), OpId{});
    }
    result_.schedule = recorder_.take();
}

/// After each sync, which is what a crash must respect; of several workers whenever they have come
/// together, which is when the order of their operations is known.
Outcome<> Run::note_done(const Crew& crew, const Op& op) {
    const Header& header = walker_.header();
    const bool matters =
        header.workers() > 1 || durable_after(op, header.commit_by) != Durable::nothing;
    if (!matters || crew.reached() == noted_) {
        return {};
    }
    noted_ = crew.reached();
    return log_.done(noted_);
}

bool Run::carry_out_op(Crew& crew, const Op& op) {
    OpId at = op.id;
    const bool checks = op.kind == OpKind::read_check || op.kind == OpKind::live_check ||
                        op.kind == OpKind::direct_read_check;
    Outcome<> done = checks ? crew.finish(at) : crew.execute(op, at);
    if (done && checks) {
        at = op.id;
        done = check(op);
    }
    if (!done) {
        problem(done.error().message(), at);
        return false;
    }
    expected_.apply(op);
    if (traits_of(op.kind).has_file) {
        directory_.files()[op.file.value].set_size(expected_.size(op.file));
    }
    return true;
}

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
    const auto direct =
        partialfs::backing::Fd::open(AT_FDCWD, file.path().c_str(), O_RDONLY | O_DIRECT);
    if (!direct) {
        errno = direct.error().value;
        return failed("cannot open " + file.path() + " with O_DIRECT");
    }
    return verifier_.compare_fd(op.file, direct->get(), range, file.path());
}

Outcome<> Run::compare_mapped(FileIndex file, MapIndex map, ByteRange range) {
    TestFile& from = directory_.files()[file.value];
    const auto bytes = from.bytes(map, range);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    return verifier_.compare_mapping(file, *bytes, range.begin, from.path());
}

Outcome<> Run::compare_live(FileIndex file) {
    const TestFile& from = directory_.files()[file.value];
    const ByteRange all = verifier_.all(file);
    if (const auto mapped = from.if_mapped(MapIndex{0}, all)) {
        return verifier_.compare_mapping(file, *mapped, all.begin, from.path());
    }
    // No mapping is taken away for this: that would save what is about to be lost.
    const auto view = ReadOnlyMapping::make(from, expected_.size(file));
    if (!view) {
        return std::unexpected(view.error());
    }
    return verifier_.compare_mapping(file, view->bytes(), all.begin, from.path());
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

std::string Run::evict_all(Crew& crew) {
    const std::size_t count = directory_.files().size();
    for (std::uint32_t i = 0; i < count; ++i) {
        if (const auto ended = crew.end(FileIndex{i}, walker_.header().end); !ended) {
            return ended.error().message();
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
    for (std::uint32_t i = 0; i < count; ++i) {
        if (const auto dropped = crew.drop_cache(FileIndex{i}); !dropped) {
            return dropped.error().message();
        }
    }
    return {};
}

void Run::verify(Crew& crew, Judge judge) {
    verifier_.expect_stages((settings_.live_stage ? 1U : 0U) + (settings_.pread_stage ? 1U : 0U) +
                            (settings_.direct_stage ? 1U : 0U) + (place_.disk ? 1U : 0U) + 1U);
    check_cached();
    const std::string evicted = evict_all(crew);
    std::vector<EvictedFile> files;
    for (const TestFile& file : directory_.files()) {
        files.push_back({file.path(), file.fd()});
    }
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
}

void Run::finish() {
    result_.damage_not_kept = collector_.not_kept();
    Classified classified = classify(collector_.take(), factory_, result_.last_op);
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
    for (StageResult& stage : result_.stages) {
        if (stage.state == StageResult::State::failed) {
            problem(stage.reason, OpId{});
        } else if (stage.state == StageResult::State::skipped && stage.reason.empty()) {
            stage.reason = "the run did not come so far";
        }
    }
    if (!(result_.interrupted && settings_.stored_before)) {
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
}

} // namespace

std::expected<RunResult, StartError> run(const RunSettings& settings,
                                         const OpSourceFactory& factory, Judge judge) {
    struct stat found{};
    if (::stat(settings.directory.c_str(), &found) != 0) {
        return cannot_start(failed("cannot use " + settings.directory).error(), Verdict::usage);
    }
    if (!S_ISDIR(found.st_mode)) {
        return cannot_start(Failure{ENOTDIR, "cannot use " + settings.directory}, Verdict::usage);
    }
    auto recorder = Recorder::open(settings.schedule_file, settings.record_ops);
    if (!recorder) {
        return cannot_start(recorder.error());
    }
    // Absolute, so that the report still leads to the files from another directory.
    std::error_code error;
    const auto parent = std::filesystem::canonical(settings.directory, error);
    if (error) {
        return cannot_start(Failure{error.value(), "cannot use " + settings.directory},
                            Verdict::usage);
    }
    auto directory = RunDirectory::make(parent.string());
    if (!directory) {
        return cannot_start(directory.error());
    }
    auto place = find_place(directory->path(), settings.disk);
    if (!place) {
        return cannot_start(place.error(), Verdict::usage);
    }
    if (const auto made = start_files(*directory, factory()->header()); !made) {
        return cannot_start(made.error());
    }
    auto pressure = MemoryPressure::apply(settings.memory_limit);
    if (!pressure) {
        return cannot_start(pressure.error());
    }
    Run run(settings, std::move(*directory), std::move(*place), factory, std::move(*recorder),
            std::move(*pressure));
    if (const auto begun = run.begin_log(); !begun) {
        return cannot_start(begun.error());
    }
    return run.carry_out(judge);
}

} // namespace mmapstress
