// vmmodel: the command line.
#include "tools/vmmodel/commands.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <exception>
#include <map>

namespace {

using namespace vmmodel; // NOLINT(google-build-using-namespace): this is the program itself

/// The names of an enumeration's values, for CLI11.
template <typename Table>
auto names_in(const Table& table, auto member) {
    std::map<std::string, std::decay_t<decltype(table[0].*member)>> names;
    for (const auto& row : table) {
        names.emplace(row.name, row.*member);
    }
    return names;
}

void add_era(CLI::App& command, Era& era) {
    command.add_option("--era", era, "the kernel: " + era_names())
        ->transform(CLI::Transformer(names_in(kEras, &EraRules::era)).description("ERA"))
        ->default_str("linux-2.6.19");
}

void add_filesystem(CLI::App& command, Filesystem& filesystem) {
    command.add_option("--filesystem", filesystem, "what a commit writes: " + filesystem_names())
        ->transform(CLI::Transformer(names_in(kFilesystems, &FilesystemRules::filesystem))
                        .description("FILESYSTEM"))
        ->default_str("ordered");
}

struct EventOption {
    Event event;
    const char* option;
    const char* help;
};

constexpr std::array kEventOptions{
    EventOption{Event::store, "--stores", "stores through a mapping"},
    EventOption{Event::write, "--writes", "write(2)s of a block"},
    EventOption{Event::commit, "--commits", "journal commits"},
    EventOption{Event::writepage, "--writepages", "writepages by the kernel itself"},
    EventOption{Event::fsync, "--fsyncs", "fsyncs"},
    EventOption{Event::msync, "--msyncs", "msyncs (MS_SYNC)"},
    EventOption{Event::unmap, "--unmaps", "munmaps"},
    EventOption{Event::strip, "--strips",
                "times that clean buffers of a page are freed for want of memory (pagevec_strip)"},
    EventOption{Event::truncate, "--truncates",
                "times that the last block is truncated away and the file made longer again"},
};

void add_bounds(CLI::App& command, Bounds& bounds, ExploreLimits& limits) {
    command.add_option("--pages", bounds.pages, "pages of the file, 1 or 2")->capture_default_str();
    command.add_option("--blocks", bounds.blocks, "blocks of a page, 1 to 4")
        ->capture_default_str();
    command.add_option("--processes", bounds.processes, "processes, 1 or 2, each with its mapping")
        ->capture_default_str();
    for (const EventOption& one : kEventOptions) {
        command
            .add_option(one.option, bounds.events[static_cast<std::size_t>(one.event)],
                        std::string{"at most so many "} + one.help)
            ->check(CLI::Range(0, 15))
            ->capture_default_str();
    }
    command.add_option("--memory", limits.memory, "memory for the states, as 512M or 4G")
        ->transform(CLI::AsSizeValue(false))
        ->default_str("1G");
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App app{"The kernels' VM as a state machine over a filesystem's block state: which mapped "
                 "stores are lost, by which kernel, on which filesystem, and how.",
                 "vmmodel"};
    app.require_subcommand(1);
    app.failure_message(CLI::FailureMessage::simple);
    app.set_version_flag("--version", "vmmodel " VMMODEL_VERSION);
    int code = kUsage;

    ExploreSettings explore;
    CLI::App* command = app.add_subcommand(
        "explore", "try every interleaving; print the shortest run that harms a store");
    add_era(*command, explore.era);
    add_filesystem(*command, explore.filesystem);
    add_bounds(*command, explore.bounds, explore.limits);
    command->add_flag("--all", explore.limits.all,
                      "look at everything, and list every way to do harm");
    command
        ->add_option(
            "--races", explore.races,
            "let threads interrupt each other: auto (only for what needs it), never, always")
        ->transform(CLI::Transformer(std::map<std::string, Races>{{"auto", Races::automatic},
                                                                  {"never", Races::never},
                                                                  {"always", Races::always}})
                        .description("WHEN"))
        ->default_str("auto");
    command->add_option("--format", explore.format, "table, json, dot or svg")
        ->transform(CLI::Transformer(std::map<std::string, Format>{{"table", Format::table},
                                                                   {"json", Format::json},
                                                                   {"dot", Format::dot},
                                                                   {"svg", Format::svg}})
                        .description("FORMAT"))
        ->default_str("table");
    command->callback([&] { code = explore_command(explore); });

    TableSettings table;
    command = app.add_subcommand("table", "every kernel by every filesystem, a line each");
    add_bounds(*command, table.bounds, table.limits);
    command->add_option("--format", table.format, "table, markdown or json")
        ->transform(
            CLI::Transformer(std::map<std::string, TableFormat>{{"table", TableFormat::table},
                                                                {"markdown", TableFormat::markdown},
                                                                {"json", TableFormat::json}})
                .description("FORMAT"))
        ->default_str("table");
    command->callback([&] { code = table_command(table); });

    PredictSettings predict;
    command = app.add_subcommand("predict", "print the byte ranges that a schedule will lose");
    add_era(*command, predict.era);
    add_filesystem(*command, predict.filesystem);
    command->add_option("--block-size", predict.block_size,
                        "bytes: 512, 1024, 2048 or 4096 (default: what the schedule says)");
    command->add_flag("--json", predict.json, "a JSON object for each schedule");
    command->add_flag("--check", predict.check,
                      "compare with the damage that the file has recorded: exit 1 if any differs");
    command
        ->add_option("SCHEDULE", predict.path,
                     "a schedule of mmapstress, or recorded ones as JSON Lines; - reads standard "
                     "input; may be compressed with zstd")
        ->required();
    command->callback([&] { code = predict_command(predict); });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    return code;
} catch (const std::exception& error) {
    return vmmodel::fail(vmmodel::kCannotTell, error.what());
}
