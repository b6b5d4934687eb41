// mmapstress minimise.
#include "tools/mmapstress/minimise/minimise.hpp"

#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/commands/stop_signals.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

namespace mmapstress {

namespace {

/// One line on a terminal, rewritten after each candidate.
void tell(std::uint64_t candidates, std::size_t operations) {
    if (::isatty(STDERR_FILENO) == 1) {
        const std::string line =
            fmt::format("\r\033[Kcandidate {}: {} operations", candidates, operations);
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    }
}

std::string told(const Minimised& found, std::size_t before, double seconds) {
    std::string text =
        fmt::format("{} operations made {} in {} runs, {:.1f} s{}\n", before,
                    found.schedule.ops.size(), found.candidates, seconds,
                    found.interrupted ? "; ended early: it may not be the smallest" : "");
    text +=
        fmt::format("it lost data in {} of {} more runs\n\n", found.confirmed, found.confirmations);
    if (found.confirmations > 0 && found.confirmed == 0) {
        text += "the loss depends on timing: commits by a timer cannot be made smaller\n\n";
    }
    return text + print_schedule(found.schedule);
}

} // namespace

Verdict minimise_command(const MinimiseOptions& options) {
    const auto schedule = load_schedule(options.schedule);
    if (!schedule) {
        complain(schedule.error());
        return Verdict::usage;
    }
    note_stop_signals();
    if (const auto reason = unwritable(options.output)) {
        complain(*reason);
        return Verdict::usage;
    }
    MinimiseSettings settings;
    settings.run = options.run;
    settings.run.stop = stop_signalled;
    settings.progress = tell;
    const auto begin = std::chrono::steady_clock::now();
    const auto found = minimise(settings, *schedule);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    clear_progress_bar();
    if (!found) {
        complain(found.error().message);
        return found.error().verdict;
    }
    if (const auto written = write_file_atomically(options.output, print_schedule(found->schedule));
        !written) {
        complain(written.error());
        return Verdict::unknown;
    }
    print(told(*found, schedule->ops.size(), taken.count()));
    return Verdict::damaged;
}

} // namespace mmapstress
