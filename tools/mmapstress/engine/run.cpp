// The operations of a run.
#include "tools/mmapstress/engine/run.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/fault_guard.hpp"
#include "tools/mmapstress/system/page_cache.hpp"
#include "tools/schedule/durability.hpp"

#include <sys/utsname.h>

#include <optional>

namespace mmapstress {

Run::Run(const RunSettings& settings, const OpSourceFactory& factory, RunParts parts)
    : settings_(settings), directory_(std::move(parts.directory)), place_(std::move(parts.place)),
      factory_(factory), walker_(factory()), commits_(std::move(parts.commits)),
      recorder_(std::move(parts.recorder)), pressure_(std::move(parts.pressure)),
      expected_(walker_.header()), collector_(settings.past_eof_is_damage),
      verifier_(expected_, collector_, settings.progress) {
    result_.header = walker_.header();
    result_.header.block_size = place_.rules.block_size;
    result_.header.contract = place_.rules.contract;
    result_.header.policy = place_.rules.policy;
    result_.directory = place_.directory;
    result_.filesystem = place_.filesystem;
    result_.partialfs = place_.partialfs;
    result_.disk = place_.disk.value_or("");
    result_.journals_data = place_.journals_data;
    result_.schedule_file = settings.schedule_file;
    result_.settings = settings.made_of;
    result_.left_out = std::move(parts.left_out);
    utsname system{};
    if (::uname(&system) == 0) {
        result_.kernel = system.release;
    }
}

Outcome<> Run::begin_log() {
    RunResult head = result_;
    for (std::uint32_t i = 0; i < directory_.files().size(); ++i) {
        head.files.push_back(directory_.files()[i].path());
        head.sizes.push_back(expected_.size(FileIndex{i}));
    }
    head.kept = true;
    if (!settings_.made_of && !settings_.report_file.empty()) {
        head.schedule = print_schedule(schedule_of(*factory_()));
    }
    auto log = TRY(RunLog::open(settings_.report_file, head, factory_));
    log_ = std::move(log);
    return {};
}

RunResult Run::carry_out(Judge judge) {
    const FaultGuard guard;
    auto crew = Crew::assemble({{directory_.files(), walker_.header(), directory_.path(), commits_,
                                 settings_.drop, pressure_.by_hand(), settings_.helper_directory},
                                factory_,
                                place_.largest_folio});
    auto power = std::optional<Outcome<PowerCut>>();
    if (crew && settings_.cuts_power) {
        power = PowerCut::arm(place_.partialfs, walker_.header().seed);
    }
    if (!crew) {
        problem(crew.error().message(), OpId{});
    } else if (power && !*power) {
        problem(power->error().message(), OpId{});
    } else if (power) {
        run_ops(**crew);
        synced_points_.push_back((*crew)->reached());
        crew->reset();
        verify_after_cut(**power);
    } else {
        run_ops(**crew);
        synced_points_.push_back((*crew)->reached());
        if (result_.problems.empty() && verify(**crew, judge)) {
            finish();
            return std::move(result_);
        }
        crew->reset(); // its processes have mappings
        verify_what_was_synced();
    }
    finish();
    return std::move(result_);
}

void Run::note_time(const Op& op) {
    if (times_.size() < settings_.record_ops) {
        times_.emplace_back(op.id, Clock::now().time_since_epoch());
    }
}

void Run::tell_progress() {
    if (!settings_.progress) {
        return;
    }
    const auto now = Clock::now();
    if (now - told_ >= std::chrono::milliseconds(100)) {
        told_ = now;
        settings_.progress({Progress::Phase::running, result_.ops, 0, 0});
    }
}

void Run::run_ops(Crew& crew) {
    const auto begin = Clock::now();
    recorder_.header(result_.header);
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
        begun_ = op->id;
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
    note_pressure();
    pressure_.release();
    if (const auto written = recorder_.finish(); !written) {
        problem(written.error().message(), OpId{});
    }
    result_.schedule = recorder_.take();
}

void Run::note_pressure() {
    const std::string how = pressure_.how();
    if (how.empty()) {
        return;
    }
    std::uint64_t in_memory = 0;
    std::uint64_t all = 0;
    for (const TestFile& file : directory_.files()) {
        const auto pages = cached_pages(file.fd(), file.size());
        if (!pages) {
            result_.memory = how;
            return;
        }
        in_memory += *pages * kPageSize;
        all += file.size().value;
    }
    result_.memory = how + "; of the files' " + std::to_string(all >> 20U) + " MiB " +
                     std::to_string(in_memory >> 20U) + " MiB were in memory at the end";
}

Outcome<> Run::note_done(const Crew& crew, const Op& op) {
    const Header& header = walker_.header();
    const bool matters = header.workers() > 1 ||
                         durable_after(op, header.commit_by, SyncReaches::disk) != Durable::nothing;
    if (!matters || crew.reached() == noted_) {
        return {};
    }
    noted_ = crew.reached();
    if (header.workers() > 1) {
        synced_points_.push_back(noted_);
    }
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

} // namespace mmapstress
