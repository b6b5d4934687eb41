#include "tools/mmapstress/minimise/minimise.hpp"

#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/minimise/search.hpp"
#include "tools/mmapstress/minimise/simpler.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mmapstress {
namespace {

/// How often the whole schedule is run, at least, before it counts as losing nothing.
constexpr unsigned kFirstTries = 3;
/// How often in a row a candidate must lose data to be accepted, where losses turned out to be
/// random.
constexpr int kRunsEach = 3;

class Minimiser {
  public:
    Minimiser(const MinimiseSettings& settings, Schedule schedule)
        : settings_(settings), best_(std::move(schedule)) {
        settings_.run.keep = false;
        settings_.run.discard_damaged = true;
        settings_.run.schedule_file.clear();
        settings_.run.progress = nullptr;
    }

    std::expected<Minimised, StartError> minimise() {
        if (auto error = reproduce()) {
            return std::unexpected(std::move(*error));
        }
        leave_out_other_stages();
        reliable_ = best_;
        search();
        confirm();
        if (2 * found_.confirmed < found_.confirmations) {
            // It lost data at random. Among many candidates, some of that kind are accepted.
            runs_each_ = kRunsEach;
            best_ = reliable_;
            search();
            confirm();
        }
        return std::move(found_);
    }

  private:
    void search() {
        keep_one_page();
        try_header(use_one_worker);
        drop_unused_files();
        for (std::size_t before = best_.ops.size() + 1; best_.ops.size() < before;) {
            before = best_.ops.size();
            minimise_ops();
            drop_unused_files();
            shrink_files();
            shrink_ranges(); // a smaller range can make an operation dispensable
        }
        shrink_pauses();
    }

    [[nodiscard]] bool stopped() {
        found_.interrupted = found_.interrupted || (settings_.run.stop && settings_.run.stop());
        return found_.interrupted;
    }

    std::expected<RunResult, StartError> run_once(const Schedule& candidate) {
        settings_.run.may_have = kinds_in(candidate);
        auto result = run(settings_.run, source_of(candidate));
        ++found_.candidates;
        if (settings_.progress) {
            settings_.progress(found_.candidates, candidate.ops.size());
        }
        return result;
    }

    /// Whether the candidate loses data each of the `runs_each_` times; if so, it becomes the best.
    bool try_candidate(Schedule candidate) {
        if (check_schedule(candidate)) {
            return false;
        }
        for (int i = 0; i < runs_each_; ++i) {
            if (stopped()) {
                return false;
            }
            auto result = lose(candidate);
            if (!result) {
                return false;
            }
            last_loss_ = std::move(*result);
        }
        best_ = std::move(candidate);
        found_.result = std::move(last_loss_);
        note_luck();
        return true;
    }

    /// Whenever half of the operations of `reliable_` are left: if these do not lose data in each
    /// of several runs, later candidates must.
    void note_luck() {
        if (runs_each_ != 1 || 2 * best_.ops.size() > reliable_.ops.size()) {
            return;
        }
        for (int i = 0; i < kRunsEach && runs_each_ == 1; ++i) {
            if (!stopped() && !lose(best_)) {
                runs_each_ = kRunsEach;
            }
        }
        if (runs_each_ == 1) {
            reliable_ = best_;
        }
    }

    /// A run of the schedule that lost data; nothing if none of `tries` runs did.
    std::optional<RunResult> lose(const Schedule& schedule) {
        for (unsigned i = 0; i < settings_.tries; ++i) {
            auto result = run_once(schedule);
            if (lost_data(result)) {
                return std::move(*result);
            }
        }
        return std::nullopt;
    }

    /// Whether the run shows damage of a kind, and in a stage, that the whole schedule showed.
    [[nodiscard]] bool lost_data(const std::expected<RunResult, StartError>& result) const {
        return result && !result->interrupted && result->verdict() == Verdict::damaged &&
               std::ranges::any_of(result->damage, [&](const DamagedRange& damage) {
                   return (stages_of_.at(static_cast<std::size_t>(damage.kind)) & damage.stages) !=
                          0;
               });
    }

    /// From now on, damage as in this result is looked for.
    void look_for(const RunResult& result) {
        stages_of_ = {};
        for (const DamagedRange& damage : result.damage) {
            stages_of_.at(static_cast<std::size_t>(damage.kind)) |= damage.stages;
        }
    }

    /// Leaves out the stages that showed nothing, as they take time. The one after eviction stays:
    /// the verdict needs it.
    void leave_out_other_stages() {
        std::uint8_t seen = 0;
        for (const std::uint8_t stages : stages_of_) {
            seen |= stages;
        }
        const auto showed = [&](Stage stage) {
            return ((seen >> static_cast<unsigned>(stage)) & 1U) != 0;
        };
        settings_.run.live_stage &= showed(Stage::live);
        settings_.run.pread_stage &= showed(Stage::pread);
        settings_.run.direct_stage &= showed(Stage::direct);
    }

    template <typename Change>
    bool try_header(Change change) {
        Schedule candidate = best_;
        change(candidate);
        return candidate != best_ && try_candidate(std::move(candidate));
    }

    std::optional<StartError> reproduce() {
        const unsigned tries = std::max(kFirstTries, settings_.tries);
        for (unsigned i = 0; i < tries; ++i) {
            auto result = run_once(best_);
            if (!result) {
                return result.error();
            }
            look_for(*result);
            if (lost_data(result)) {
                found_.result = std::move(*result);
                return std::nullopt;
            }
            if (stopped()) {
                return StartError{Verdict::unknown, "ended before the schedule had lost data here"};
            }
            if (result->verdict() == Verdict::unknown) {
                return StartError{Verdict::unknown, result->problems.empty()
                                                        ? "the schedule could not be run"
                                                        : result->problems.front().message};
            }
        }
        return StartError{Verdict::unknown,
                          "the schedule lost no data here in " + std::to_string(tries) + " runs"};
    }

    /// Leaves out at once all operations that do not concern one damaged page. The damaged pages
    /// are tried in turn, the one with the shortest history first.
    void keep_one_page() {
        constexpr std::size_t kPagesTried = 4;
        std::vector<std::vector<std::size_t>> pasts;
        const std::size_t ranges = std::min<std::size_t>(found_.result.damage.size(), 64);
        for (std::size_t i = 0; i < ranges; ++i) {
            const DamagedRange& damage = found_.result.damage[i];
            pasts.push_back(past_of(best_, damage.file, damage.range.first_page()));
        }
        std::ranges::sort(pasts, {}, &std::vector<std::size_t>::size);
        for (std::size_t i = 0; i < std::min(pasts.size(), kPagesTried); ++i) {
            const std::size_t before = best_.ops.size();
            if (pasts[i].size() < before && try_candidate(with_ops(best_, pasts[i]))) {
                return;
            }
        }
    }

    void minimise_ops() {
        const Schedule all = best_;
        std::vector<std::size_t> indices(all.ops.size());
        std::iota(indices.begin(), indices.end(), std::size_t{0});
        minimise_items(std::move(indices), [&](std::span<const std::size_t> kept) {
            return try_candidate(with_ops(all, kept));
        });
    }

    /// Leaves out the files that no operation names, and the last start-writes while data is still
    /// lost without them.
    void drop_unused_files() {
        try_header(leave_out_unused_files);
        while (!best_.header.start_writes.empty() &&
               try_header([](Schedule& candidate) { candidate.header.start_writes.pop_back(); })) {
        }
    }

    /// Each file only as large as its operations need.
    void shrink_files() {
        for (std::uint32_t file = 0; file < best_.header.files.size(); ++file) {
            try_header([&](Schedule& candidate) { shrink_file(candidate, FileIndex{file}); });
        }
    }

    void shrink_ranges() {
        for (std::size_t i = 0; i < best_.ops.size(); ++i) {
            const OpTraits& traits = traits_of(best_.ops[i].kind);
            if (!traits.has_offset || !traits.has_length || best_.ops[i].length.value == 0) {
                continue;
            }
            const Op whole = best_.ops[i];
            minimise_range(whole.range(), [&](ByteRange range) {
                Schedule candidate = best_;
                candidate.ops[i] = cut(whole, range);
                return try_candidate(std::move(candidate));
            });
        }
    }

    void shrink_pauses() {
        for (std::size_t i = 0; i < best_.ops.size(); ++i) {
            while (best_.ops[i].kind == OpKind::pause && best_.ops[i].pause > 1 &&
                   try_header([&](Schedule& candidate) { candidate.ops[i].pause /= 2; })) {
            }
        }
    }

    /// Confirms the best schedule, even if the search was ended early: then one confirmation is
    /// enough, but where losses are random it may take all the runs.
    void confirm() {
        found_.confirmations = 0;
        found_.confirmed = 0;
        const bool once = stopped();
        const auto stop = std::exchange(settings_.run.stop, nullptr);
        while (found_.confirmations < Minimised::kConfirmations &&
               !(once && found_.confirmed != 0)) {
            auto result = lose(best_);
            ++found_.confirmations;
            if (result) {
                ++found_.confirmed;
                found_.result = std::move(*result);
            }
        }
        settings_.run.stop = stop;
        found_.schedule = best_;
    }

    MinimiseSettings settings_;
    Schedule best_;
    /// The smallest so far that lost data in each of several runs; at first the whole schedule.
    Schedule reliable_;
    /// In which stages damage of each kind was seen: bit i, in stage i.
    std::array<std::uint8_t, kDamageKinds.size()> stages_of_{};
    RunResult last_loss_;
    int runs_each_ = 1;
    Minimised found_;
};

} // namespace

std::expected<Minimised, StartError> minimise(const MinimiseSettings& settings,
                                              const Schedule& schedule) {
    return Minimiser{settings, schedule}.minimise();
}

} // namespace mmapstress
