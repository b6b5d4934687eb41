#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/commands/supervise.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/verify/expected.hpp"
#include "tools/mmapstress/workloads/dice.hpp"
#include "tools/progress.hpp"
#include "tools/schedule/op_walker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace mmapstress {

namespace {

/// The bytes that differ at the end if one operation stores nothing. All bytes are made twice and
/// compared here, not by Expected::compare() and classify() as in the verification.
std::vector<DamagedBytes> bytes_lost_without(OpSource& source, OpId dropped) {
    Schedule schedule = schedule_of(source);
    Expected with(schedule.header);
    Expected without(schedule.header);
    for (const Op& op : schedule.ops) {
        with.apply(op);
        if (op.id != dropped) {
            without.apply(op);
        }
    }
    std::vector<DamagedBytes> lost;
    for (std::uint32_t i = 0; i < schedule.header.files.size(); ++i) {
        const FileIndex file{i};
        std::vector<std::byte> want(with.size(file).value);
        std::vector<std::byte> have(want.size());
        with.fill(file, ByteOffset{0}, want);
        without.fill(file, ByteOffset{0}, have);
        for (std::uint64_t at = 0; at < want.size(); ++at) {
            if (want[at] == have[at]) {
                continue;
            }
            const ByteOffset here{at};
            if (!lost.empty() && lost.back().file == file && lost.back().range.end == here) {
                ++lost.back().range.end;
            } else {
                lost.push_back({file, {here, ByteOffset{at + 1}}});
            }
        }
    }
    return lost;
}

/// A store some of whose bytes last to the end, chosen by `dice`.
OpId store_to_drop(OpSource& source, Dice& dice) {
    const Schedule schedule = schedule_of(source);
    Expected expected(schedule.header);
    for (const Op& op : schedule.ops) {
        expected.apply(op);
    }
    std::vector<OpId> lasting;
    for (std::uint32_t i = 0; i < schedule.header.files.size(); ++i) {
        const FileIndex file{i};
        expected.blame(file, {ByteOffset{0}, ByteOffset{expected.size(file).value}},
                       [&](ByteRange /*range*/, Writer writer) {
                           if (!writer.zero) {
                               lasting.push_back(writer.id);
                           }
                       });
    }
    std::ranges::sort(lasting);
    std::erase_if(lasting, [&](OpId id) {
        const auto op = std::ranges::lower_bound(schedule.ops, id, {}, &Op::id);
        return op->kind != OpKind::store;
    });
    return lasting.empty() ? OpId{0} : dice.pick(lasting);
}

Verdict test_detector(SelftestOptions options) {
    if (options.common.run.directory.empty()) {
        const char* const temporary = std::getenv("TMPDIR");
        options.common.run.directory = temporary != nullptr ? temporary : "/var/tmp";
    }
    const std::vector<const WorkloadInfo*> used{workload_named("mix"), workload_named("recipe"),
                                                workload_named("linus")};
    Dice dice(options.seed);
    std::uint64_t done = 0;
    partialfs::tools::ProgressLine line("mmapstress");
    for (; done < options.runs && !stop_signalled(); ++done) {
        if (line.is_due()) {
            line.show(static_cast<double>(done) / static_cast<double>(options.runs),
                      fmt::format("run {} of {}", done + 1, options.runs));
        }
        const WorkloadInfo& workload = *used[done % used.size()];
        WorkloadSettings settings;
        settings.seed = dice.below(~std::uint64_t{0});
        settings.ops = 400;
        settings.size = ByteCount{64U << 10U};
        settings.files = 2;
        const OpSourceFactory factory = [&workload, settings] {
            auto source = workload.make(settings);
            return std::move(*source); // these settings suit all workloads used
        };
        RunSettings run_settings = options.common.run;
        run_settings.keep = false;
        run_settings.drop = store_to_drop(*factory(), dice);
        run_settings.discard_damaged = true;
        const auto result = run(run_settings, factory, nullptr);
        if (!result) {
            complain(result.error().message);
            return result.error().verdict;
        }
        if (result->stages[static_cast<std::size_t>(Stage::evicted)].state !=
            StageResult::State::checked) {
            complain(result->problems.empty() ? "nothing was checked"
                                              : result->problems.front().message);
            return Verdict::unknown;
        }
        const auto expected = bytes_lost_without(*factory(), *run_settings.drop);
        const bool blamed = std::ranges::all_of(result->damage, [&](const DamagedRange& range) {
            return range.lost == *run_settings.drop;
        });
        if (wrong_bytes(result->damage, Stage::evicted) != expected || !blamed) {
            complain(fmt::format(
                "selftest FAILED: {} with seed {}: operation {} was left out, and what was "
                "reported is not exactly its bytes ({} ranges reported, {} expected)",
                workload.name, settings.seed, run_settings.drop->value,
                wrong_bytes(result->damage, Stage::evicted).size(), expected.size()));
            return Verdict::unknown;
        }
    }
    partialfs::tools::clear_progress_bar();
    print(fmt::format("selftest: {} of {} stores left out were found, exactly\n", done,
                      options.runs));
    return done == options.runs ? Verdict::clean : Verdict::unknown;
}

} // namespace

Verdict selftest_command(const SelftestOptions& options) {
    return supervise({options.common.hang_after, complain_of_hang},
                     [&] { return test_detector(options); });
}

} // namespace mmapstress
