// mmapstress merge.
#include "fusefs/base/try.hpp"
#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/report/campaign_report.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/result/campaign.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace mmapstress {

namespace {

using partialfs::base::Colours;

std::expected<Campaign, std::string> read_campaign(const std::vector<std::string>& paths) {
    std::vector<Campaign::Part> parts;
    for (const std::string& path : paths) {
        const std::string text = TRY(read_file(path));
        auto report = parse_report(text);
        if (!report) {
            return std::unexpected(path + ": " + report.error());
        }
        parts.push_back({path, std::move(report->result), report->state != ReportState::running});
    }
    return merge(std::move(parts));
}

std::string coloured(Verdict verdict, std::string_view text, const Colours& colours) {
    switch (verdict) {
    case Verdict::clean:
        return colours.as_good(text);
    case Verdict::damaged:
    case Verdict::hung:
        return colours.as_bad(text);
    case Verdict::usage:
    case Verdict::unknown:
        break;
    }
    return colours.as_doubtful(text);
}

std::string part_text(const Campaign::Part& part, const Colours& colours) {
    const RunResult& result = part.result;
    std::string text =
        fmt::format("  {:<12} {}: {} rounds, {} operations on {} (Linux {})\n", name_of(part),
                    coloured(part.verdict(), name_of(part.verdict()), colours),
                    result.totals.rounds, result.totals.ops, result.filesystem, result.kernel);
    if (!part.came_to_its_end) {
        text += fmt::format("      the run has not come to its end; mmapstress verify {} {}\n",
                            result.directory, part.path);
    } else if (part.verdict() == Verdict::damaged) {
        text += fmt::format("      {} damaged ranges by {}, seed {}; mmapstress explain {}\n",
                            result.damage.size() + result.damage_not_kept, result.header.workload,
                            result.header.seed, part.path);
    } else if (!result.problems.empty()) {
        text += fmt::format("      {}\n", result.problems.front().message);
    }
    return text;
}

std::string human_text(const Campaign& campaign, const Colours& colours) {
    std::string out;
    for (const Campaign::Part& part : campaign.parts) {
        out += part_text(part, colours);
    }
    for (const std::string& problem : campaign.problems) {
        out += fmt::format("  problem: {}\n", problem);
    }
    const Totals& totals = campaign.totals;
    out +=
        fmt::format("{} reports: {} rounds of {}, {} operations; {} MiB compared after eviction\n",
                    campaign.parts.size(), totals.rounds, totals.workload(), totals.ops,
                    totals.bytes_after_eviction() >> 20U);
    const Verdict verdict = campaign.verdict();
    const auto count = std::ranges::count_if(
        campaign.parts, [&](const Campaign::Part& part) { return part.verdict() == verdict; });
    switch (verdict) {
    case Verdict::clean:
        return out + colours.as_good("clean") + ": every byte of every run is as expected\n";
    case Verdict::damaged:
        return out + fmt::format("{}: {} of {} runs\n", colours.as_bad("DAMAGED"), count,
                                 campaign.parts.size());
    case Verdict::hung:
        return out + fmt::format("{}: {} of {} runs\n", colours.as_bad("HUNG"), count,
                                 campaign.parts.size());
    case Verdict::usage:
    case Verdict::unknown:
        break;
    }
    return out + colours.as_doubtful("COULD NOT TELL") + ": what is known is clean\n";
}

std::string present(const Campaign& campaign, const Output& output) {
    switch (output.format) {
    case Format::json:
        return campaign_json(campaign);
    case Format::ktap:
        return ktap(suite_of(campaign, output.max_ranges));
    case Format::junit:
        return junit(suite_of(campaign, output.max_ranges));
    case Format::human:
        break;
    }
    return human_text(campaign,
                      partialfs::base::colours_for(partialfs::tools::is_terminal(STDOUT_FILENO)));
}

} // namespace

Verdict merge_command(const MergeOptions& options) {
    const auto campaign = read_campaign(options.reports);
    if (!campaign) {
        complain(campaign.error());
        return Verdict::usage;
    }
    Verdict verdict = campaign->verdict();
    if (!options.report.empty()) {
        if (const auto written = write_file_atomically(options.report, campaign_json(*campaign));
            !written) {
            complain(written.error());
            verdict = worse_of(verdict, Verdict::unknown);
        }
    }
    if (!print(present(*campaign, options.output))) {
        complain("cannot write to standard output");
        verdict = worse_of(verdict, Verdict::unknown);
    }
    return verdict;
}

} // namespace mmapstress
