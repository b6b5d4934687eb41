#include "tools/progress.hpp"
#include "tools/vmmodel/commands/commands.hpp"
#include "tools/vmmodel/show/patience.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace vmmodel {

int fail(ExitCode code, const std::string& why) {
    fmt::print(stderr, "vmmodel: {}\n", why);
    return code;
}

int print(const std::string& text, int code) {
    const std::size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
    if (written != text.size() || std::fflush(stdout) != 0) {
        return fail(kCannotTell, "standard output: " + std::generic_category().message(errno));
    }
    return code;
}

partialfs::base::Colours output_colours() {
    return partialfs::base::colours_for(partialfs::tools::is_terminal(STDOUT_FILENO));
}

namespace {

/// Returns what `work` returns for `limits`, and meanwhile shows the progress of its `all`
/// searches.
template <typename Work>
auto with_progress(ExploreLimits limits, std::size_t all, Work work) {
    SearchProgress progress;
    limits.progress = &progress;
    const Patience patience(
        [&progress, all] {
            return all == 1 ? -1
                            : static_cast<double>(progress.searches) / static_cast<double>(all);
        },
        [&progress, all] {
            const auto states = fmt::format("{} states", progress.states.load());
            return all == 1 ? states
                            : fmt::format("{} of {} searches, {}", progress.searches.load(), all,
                                          states);
        });
    return work(std::as_const(limits));
}

int code_for(bool harm, bool complete) {
    if (harm) {
        return kHarm;
    }
    return complete ? kClean : kCannotTell;
}

} // namespace

int explore_command(const ExploreSettings& settings) {
    if (const std::string why = refusal_of(settings.bounds); !why.empty()) {
        return fail(kUsage, why);
    }
    const Search result = with_progress(settings.limits, 1, [&](const ExploreLimits& limits) {
        return search(settings.era, settings.filesystem, settings.bounds, settings.races, limits);
    });
    return print(rendered(result, settings.format, output_colours()),
                 code_for(!result.found.empty(), result.complete));
}

int table_command(const TableSettings& settings) {
    if (const std::string why = refusal_of(settings.bounds); !why.empty()) {
        return fail(kUsage, why);
    }
    const std::vector<Search> searches =
        with_progress(settings.limits, kSettings.size(), [&](const ExploreLimits& limits) {
            return search_all(settings.bounds, limits);
        });
    const bool complete = std::ranges::all_of(searches, &Search::complete);
    const int code = complete ? kClean : kCannotTell;
    switch (settings.format) {
    case TableFormat::json:
        return print(era_table_json(searches), code);
    case TableFormat::markdown:
        return print(era_table_markdown(searches), code);
    case TableFormat::table:
        break;
    }
    return print(era_table(searches, output_colours()), code);
}

} // namespace vmmodel
