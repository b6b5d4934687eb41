// mmapstress minimise.
#include "tools/mmapstress/minimise/minimise.hpp"

#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/commands/supervise.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/progress.hpp"

#include <fmt/format.h>

#include <chrono>

namespace mmapstress {

namespace {

std::string told(const Minimised& found, std::size_t before, double seconds, unsigned tries) {
    std::string text =
        fmt::format("{} operations made {} in {} runs, {:.1f} s{}\n", before,
                    found.schedule.ops.size(), found.candidates, seconds,
                    found.interrupted ? "; ended early: it may not be the smallest" : "");
    text += fmt::format("it showed the same damage in {} of {} more {}\n\n", found.confirmed,
                        found.confirmations,
                        tries == 1 ? "runs" : fmt::format("tries of up to {} runs each", tries));
    return text + print_schedule(found.schedule);
}

Verdict search(const MinimiseOptions& options) {
    const auto schedule = load_schedule(options.schedule);
    if (!schedule) {
        complain(schedule.error());
        return Verdict::usage;
    }
    if (const auto reason = unwritable(options.output)) {
        complain(*reason);
        return Verdict::usage;
    }
    MinimiseSettings settings;
    settings.run = options.run;
    settings.run.stop = stop_signalled;
    settings.tries = options.tries;
    settings.progress = [line = partialfs::tools::ProgressLine("mmapstress")](
                            std::uint64_t candidates, std::size_t operations) mutable {
        if (line.is_due()) {
            line.show(-1, fmt::format("candidate {}: {} operations", candidates, operations));
        }
    };
    const auto begin = std::chrono::steady_clock::now();
    const auto found = minimise(settings, *schedule);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    partialfs::tools::clear_progress_bar();
    if (!found) {
        complain(found.error().message);
        return found.error().verdict;
    }
    if (found->confirmed == 0) {
        complain(
            fmt::format("the smallest schedule found did not show the damage again in {} runs: "
                        "the loss depends on timing, and nothing was written",
                        found->confirmations));
        return Verdict::unknown;
    }
    if (const auto written = write_file_atomically(options.output, print_schedule(found->schedule));
        !written) {
        complain(written.error());
        return Verdict::unknown;
    }
    print(told(*found, schedule->ops.size(), taken.count(), options.tries));
    return Verdict::clean;
}

} // namespace

Verdict minimise_command(const MinimiseOptions& options) {
    return supervise({options.hang_after, complain_of_hang}, [&] { return search(options); });
}

} // namespace mmapstress
