#include "tools/vmmodel/commands/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

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

namespace {

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
    const Search result =
        search(settings.era, settings.filesystem, settings.bounds, settings.races, settings.limits);
    return print(rendered(result, settings.format),
                 code_for(!result.found.empty(), result.complete));
}

int table_command(const TableSettings& settings) {
    if (const std::string why = refusal_of(settings.bounds); !why.empty()) {
        return fail(kUsage, why);
    }
    const std::vector<Search> searches = search_all(settings.bounds, settings.limits);
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
    return print(era_table(searches), code);
}

} // namespace vmmodel
