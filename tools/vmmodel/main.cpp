// vmmodel: the command line.
#include "tools/command_line.hpp"
#include "tools/vmmodel/commands/commands.hpp"

#include <array>
#include <climits>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

using partialfs::tools::add_choice;
using partialfs::tools::add_command;
using partialfs::tools::add_format;
using partialfs::tools::add_size;
using partialfs::tools::Choices;
using partialfs::tools::kSizeIs;
using partialfs::tools::kWholeNumber;
using partialfs::tools::what_is_wrong;
using partialfs::tools::whole_number;
using namespace vmmodel; // NOLINT(google-build-using-namespace): this is the program itself

constexpr const char* kEraHelp =
    "the kernel; linux-6.12-blockdev goes with the filesystem blockdev alone";
constexpr const char* kFilesystemHelp = "the filesystem: what a commit writes by itself";

/// Sets the default that --help shows: one word is shown after the option's name, several words
/// after its description.
void set_default(CLI::Option& option, const std::string& text) {
    if (text.find(' ') == std::string::npos) {
        option.default_str(text);
    } else {
        option.description(option.get_description() + " (default: " + text + ")");
    }
}

void add_era(CLI::App& command, std::optional<Era>& era, const std::string& by_default) {
    Choices<std::optional<Era>> choices;
    for (const EraRules& one : kEras) {
        choices.emplace_back(one.name, one.era);
    }
    set_default(*add_choice(command, "--era", era, choices, kEraHelp), by_default);
}

void add_filesystem(CLI::App& command, std::optional<Filesystem>& filesystem, bool for_predict,
                    const std::string& by_default) {
    Choices<std::optional<Filesystem>> choices;
    for (const FilesystemRules& one : kFilesystems) {
        choices.emplace_back(one.name, one.filesystem);
    }
    choices.emplace_back(kBlockdev.name, kBlockdev.filesystem);
    const std::pair<std::string, std::optional<Filesystem>> reiserfs{kReiserfs.name,
                                                                     kReiserfs.filesystem};
    // Earlier names, and the name of the era that has no other filesystem.
    Choices<std::optional<Filesystem>> also{
        {"ordered", Filesystem::ordered},
        {"ordered-eager", Filesystem::ordered_eager},
        {std::string(rules_of(Era::linux_6_12_blockdev).name), Filesystem::blockdev}};
    (for_predict ? choices : also).push_back(reiserfs);
    set_default(*add_choice(command, "--filesystem", filesystem, choices, kFilesystemHelp, also),
                by_default);
}

/// Adds --era and --filesystem; `run` is called once both are known.
void on_setting(CLI::App& command, Era& era, Filesystem& filesystem, int& code,
                std::function<int()> run) {
    const auto asked = std::make_shared<AskedSetting>();
    add_era(command, asked->era, "linux-2.6.19");
    add_filesystem(command, asked->filesystem, false, "ext3");
    command.callback([&era, &filesystem, &code, asked, run = std::move(run)] {
        const auto setting = setting_for(*asked);
        if (!setting) {
            code = fail(kUsage, setting.error());
            return;
        }
        if (setting->filesystem == Filesystem::reiserfs) {
            code = fail(kUsage,
                        "--filesystem reiserfs: only predict has it; its rules depend on holes "
                        "and on pages partly read, which are no part of this model");
            return;
        }
        era = setting->era;
        filesystem = setting->filesystem;
        code = run();
    });
}

void add_number(CLI::App& command, const char* name, int& to, const std::string& help) {
    command.add_option(name, to, help)
        ->check(whole_number(0, INT_MAX))
        ->type_name("N")
        ->capture_default_str();
}

void add_block_size(CLI::App& command, std::optional<std::uint32_t>& to, const std::string& help,
                    const std::string& by_default) {
    set_default(*add_choice<std::optional<std::uint32_t>>(
                    command, "--block-size", to,
                    {{"512", 512U}, {"1024", 1024U}, {"2048", 2048U}, {"4096", 4096U}}, help),
                by_default);
}

struct EventOption {
    Event event;
    const char* option;
    const char* help;
};

constexpr std::array kEventOptions{
    EventOption{Event::store, "--stores", "stores through a mapping"},
    EventOption{Event::write, "--writes", "write(2) calls, of a block each"},
    EventOption{Event::commit, "--commits", "journal commits"},
    EventOption{Event::writepage, "--writepages", "writepages that the kernel begins by itself"},
    EventOption{Event::fsync, "--fsyncs", "fsync calls"},
    EventOption{Event::msync, "--msyncs", "msync calls (MS_SYNC)"},
    EventOption{Event::unmap, "--unmaps", "munmap calls"},
    EventOption{Event::strip, "--strips",
                "times that memory pressure frees a page's clean buffers (pagevec_strip)"},
    EventOption{Event::truncate, "--truncates",
                "truncations that cut off the last block and extend the file again"},
};

void add_bounds(CLI::App& command, Bounds& bounds, ExploreLimits& limits) {
    add_number(command, "--pages", bounds.pages, "pages of the file, 1 or 2");
    add_number(command, "--blocks", bounds.blocks, "blocks of a page, 1 to 4");
    add_number(command, "--processes", bounds.processes,
               "processes, 1 or 2, each with a mapping of its own");
    for (const EventOption& one : kEventOptions) {
        auto& count = bounds.events[static_cast<std::size_t>(one.event)];
        command
            .add_option_function<int>(
                one.option, [&count](int given) { count = static_cast<std::uint8_t>(given); },
                std::string{"at most this many "} + one.help + ", 0 to 15")
            ->check(whole_number(0, 15))
            ->type_name("N")
            ->default_str(std::to_string(count));
    }
    add_size(
        command, "--memory", [&limits](auto size) { limits.memory = size.value; },
        "memory for the states; a search that needs more ends incomplete")
        ->default_str("1GiB");
}

void add_explore(CLI::App& app, ExploreSettings& settings, int& code) {
    CLI::App* command = add_command(
        app, "explore", "Tries every interleaving; prints the shortest run that harms a store.",
        "--era linux-2.6.19 --filesystem eager", kSizeIs);
    on_setting(*command, settings.era, settings.filesystem, code,
               [&settings] { return explore_command(settings); });
    add_bounds(*command, settings.bounds, settings.limits);
    command->add_flag("--all", settings.limits.all,
                      "search all states, and list every way to lose a store");
    add_choice<Races>(
        *command, "--races", settings.races,
        {{"auto", Races::automatic}, {"never", Races::never}, {"always", Races::always}},
        "whether threads may interrupt each other; auto: only if nothing is found "
        "otherwise")
        ->default_str("auto");
    add_format<Format>(*command, settings.format,
                       {{"text", Format::table},
                        {"json", Format::json},
                        {"dot", Format::dot},
                        {"svg", Format::svg}},
                       Format::json, {{"table", Format::table}});
}

void add_table(CLI::App& app, TableSettings& settings, int& code) {
    CLI::App* command = add_command(
        app, "table", "Prints which stores each kernel can lose on each filesystem, and how.", "",
        kSizeIs);
    add_bounds(*command, settings.bounds, settings.limits);
    add_format<TableFormat>(*command, settings.format,
                            {{"text", TableFormat::table},
                             {"json", TableFormat::json},
                             {"markdown", TableFormat::markdown}},
                            TableFormat::json, {{"table", TableFormat::table}});
    command->callback([&] { code = table_command(settings); });
}

void add_text_or_json(CLI::App& command, bool& json) {
    add_format<bool>(command, json, {{"text", false}, {"json", true}}, true, {});
}

void add_predict(CLI::App& app, PredictSettings& settings, int& code) {
    CLI::App* command =
        add_command(app, "predict", "Prints the byte ranges that a schedule will lose.",
                    "run.schedule --era linux-2.6.19 --filesystem ext3");
    constexpr const char* kAsItRan = "what the schedule ran under, else ";
    add_era(*command, settings.asked.era, std::string(kAsItRan) + "linux-2.6.19");
    add_filesystem(*command, settings.asked.filesystem, true, std::string(kAsItRan) + "ext3");
    set_default(*add_choice<std::optional<Through>>(
                    *command, "--through", settings.through,
                    {{"kernel", Through::kernel}, {"fuse", Through::fuse}},
                    "what runs the schedule (kernel: that kernel with the filesystem in it; fuse: "
                    "today's kernel with partialfs)"),
                std::string(kAsItRan) + "kernel");
    add_block_size(*command, settings.block_size, "bytes of a block", "what the schedule says");
    add_text_or_json(*command, settings.json);
    command->add_flag("--check", settings.check,
                      "compare with the damage recorded in the file; exit with 1 if any differs");
    command
        ->add_option("SCHEDULE", settings.path,
                     "a schedule of mmapstress, or recorded ones as JSON Lines, also compressed "
                     "with zstd; - is standard input")
        ->required()
        ->type_name("");
    command->callback([&] { code = predict_command(settings); });
}

void add_simulate(CLI::App& app, SimulateSettings& settings, int& code) {
    CLI::App* command =
        add_command(app, "simulate", "Runs a long random schedule; reports each lost store.",
                    "--era linux-2.6.19 --seed 7 --ops 1000000");
    SimulationSettings& simulation = settings.simulation;
    on_setting(*command, simulation.era, simulation.filesystem, code,
               [&settings] { return simulate_command(settings); });
    command
        ->add_option("--seed", simulation.seed,
                     "seed of all random choices: the same seed gives the same run")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--ops", simulation.operations, "number of operations")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--pages", simulation.pages, "pages of the file, 1 to 1048576")
        ->check(whole_number(1, 1 << 20))
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--mappings", simulation.mappings, "mappings of the file, 1 to 8")
        ->check(whole_number(1, 8))
        ->type_name("N")
        ->capture_default_str();
    using partialfs::model::BlockSize;
    Choices<BlockSize> sizes;
    for (const std::uint64_t bytes : {512U, 1024U, 2048U, 4096U}) {
        sizes.emplace_back(std::to_string(bytes), *BlockSize::from_bytes(bytes));
    }
    add_choice(*command, "--block-size", simulation.block_size, sizes, "bytes of a block")
        ->default_str("1024");
    command->add_flag("--races", simulation.races,
                      "let a write fault sometimes happen in the middle of a writepage");
    command->add_option("--max-losses", settings.max_losses, "how many lost stores are printed")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    add_text_or_json(*command, settings.json);
}

void add_play(CLI::App& app, PlaySettings& settings, int& code) {
    CLI::App* command =
        add_command(app, "play", "Steps through a run on the terminal, forwards and backwards.",
                    "--era linux-2.6.19 --filesystem eager");
    on_setting(*command, settings.era, settings.filesystem, code,
               [&settings] { return play_command(settings); });
    add_block_size(*command, settings.block_size, "bytes of a block",
                   "what the schedule says, else 1024");
    command
        ->add_option("--id", settings.id,
                     "which of the recorded schedules in the file (default: the first)")
        ->type_name("ID");
    command
        ->add_option("SCHEDULE", settings.path,
                     "a schedule as for predict; without one, the shortest run that harms a "
                     "store is played")
        ->type_name("");
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App app{"The kernels' VM as a state machine over a filesystem's block state: which mapped "
                 "stores are lost, by which kernel, on which filesystem, and how.",
                 "vmmodel"};
    app.require_subcommand(1);
    app.failure_message([&](const CLI::App*, const CLI::Error& error) {
        return "vmmodel: " + what_is_wrong(app, argc, argv, error) + '\n';
    });
    app.set_version_flag("-V,--version", "vmmodel " VMMODEL_VERSION);
    app.footer("Example: vmmodel table");
    int code = kUsage;
    ExploreSettings explore;
    TableSettings table;
    PredictSettings predict;
    SimulateSettings simulate;
    PlaySettings play;
    add_explore(app, explore, code);
    add_table(app, table, code);
    add_predict(app, predict, code);
    add_simulate(app, simulate, code);
    add_play(app, play, code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    return code;
} catch (const std::exception& error) {
    return vmmodel::fail(vmmodel::kCannotTell, error.what());
}
