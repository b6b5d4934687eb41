// vmmodel: the command line.
#include "tools/command_line.hpp"
#include "tools/vmmodel/commands/commands.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using partialfs::tools::kWholeNumber;
using partialfs::tools::what_is_wrong;
using partialfs::tools::whole_number;
using namespace vmmodel; // NOLINT(google-build-using-namespace): this is the program itself

/// An option whose words stand for values: `parse` gives one, or nothing for a word it does not
/// know.
template <typename Value, typename Parse>
void add_choice(CLI::App& command, const std::string& name, Value& value, Parse parse,
                const std::string& words, const std::string& help, const std::string& by_default) {
    command
        .add_option_function<std::string>(
            name,
            [&value, parse, words, name](const std::string& word) {
                const auto parsed = parse(word);
                if (!parsed) {
                    throw CLI::ValidationError(name, "'" + word + "' is none of: " + words);
                }
                const auto& meaning = *parsed;
                value = meaning;
            },
            help + ": " + words)
        ->type_name("WORD")
        ->default_str(by_default);
}

/// The same for a table of words and values, the first of which is the default.
template <typename Value, std::size_t N>
void add_choice(CLI::App& command, const std::string& name, Value& value,
                const std::array<std::pair<std::string_view, Value>, N>& table,
                const std::string& help) {
    std::string words;
    for (const auto& [word, meaning] : table) {
        words += (words.empty() ? "" : ", ") + std::string{word};
    }
    const auto parse = [table](std::string_view text) -> std::optional<Value> {
        for (const auto& [word, meaning] : table) {
            if (word == text) {
                return meaning;
            }
        }
        return std::nullopt;
    };
    add_choice(command, name, value, parse, words, help, std::string{table[0].first});
}

/// `--format json`, and --json for those who are used to it.
void add_format(CLI::App& command, bool& json, const char* of_what) {
    constexpr std::array<std::pair<std::string_view, bool>, 2> kTextOrJson{
        {{"text", false}, {"json", true}}};
    add_choice(command, "--format", json, kTextOrJson,
               std::string("how ") + of_what + " is printed");
    command.add_flag("--json", json)->group("");
}

constexpr const char* kEraHelp = "the kernel; blockdev goes with linux-6.12-blockdev alone";

/// --era and --filesystem, and then the command.
void on_setting(CLI::App& command, Era& era, Filesystem& filesystem, int& code,
                std::function<int()> run) {
    const auto asked = std::make_shared<AskedSetting>();
    add_choice(command, "--era", asked->era, era_from, era_names(), kEraHelp, "linux-2.6.19");
    add_choice(command, "--filesystem", asked->filesystem, filesystem_from, filesystem_names(),
               "what a commit writes by itself", "ordered");
    command.callback([&era, &filesystem, &code, asked, run = std::move(run)] {
        const auto setting = setting_for(*asked);
        if (!setting) {
            code = fail(kUsage, setting.error());
            return;
        }
        era = setting->era;
        filesystem = setting->filesystem;
        code = run();
    });
}

constexpr std::array<std::pair<std::string_view, Races>, 3> kRaces{
    {{"auto", Races::automatic}, {"never", Races::never}, {"always", Races::always}}};
constexpr std::array<std::pair<std::string_view, Format>, 4> kFormats{
    {{"table", Format::table}, {"json", Format::json}, {"dot", Format::dot}, {"svg", Format::svg}}};
constexpr std::array<std::pair<std::string_view, TableFormat>, 3> kTableFormats{
    {{"table", TableFormat::table},
     {"markdown", TableFormat::markdown},
     {"json", TableFormat::json}}};

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
                "times that a page's clean buffers are freed for want of memory (pagevec_strip)"},
    EventOption{Event::truncate, "--truncates",
                "times that the last block is cut off and the file made as long again"},
};

void add_bounds(CLI::App& command, Bounds& bounds, ExploreLimits& limits) {
    command.add_option("--pages", bounds.pages, "pages of the file, 1 or 2")->capture_default_str();
    command.add_option("--blocks", bounds.blocks, "blocks of a page, 1 to 4")
        ->capture_default_str();
    command.add_option("--processes", bounds.processes, "processes, 1 or 2, each with its mapping")
        ->capture_default_str();
    for (const EventOption& one : kEventOptions) {
        auto& count = bounds.events[static_cast<std::size_t>(one.event)];
        command
            .add_option_function<int>(
                one.option, [&count](int given) { count = static_cast<std::uint8_t>(given); },
                std::string{"how many "} + one.help + " there may be, 0 to 15")
            ->check(whole_number(0, 15))
            ->type_name("N")
            ->default_str(std::to_string(count));
    }
    command
        .add_option("--memory", limits.memory,
                    "memory for the states, as 512M or 4G; when it is full the search ends, and "
                    "says that it is incomplete")
        ->transform(CLI::AsSizeValue(false))
        ->check([](const std::string& text) {
            return text.starts_with('-') ? "'" + text + "' is not a size" : std::string{};
        })
        ->type_name("SIZE")
        ->default_str("1G");
}

void add_explore(CLI::App& app, ExploreSettings& settings, int& code) {
    CLI::App* command = app.add_subcommand(
        "explore", "try every interleaving; print the shortest run that harms a store");
    on_setting(*command, settings.era, settings.filesystem, code,
               [&settings] { return explore_command(settings); });
    add_bounds(*command, settings.bounds, settings.limits);
    command->add_flag("--all", settings.limits.all,
                      "go through every state, and list every way to lose a store");
    add_choice(*command, "--races", settings.races, kRaces,
               "let threads interrupt each other; auto: only where nothing is found without");
    add_choice(*command, "--format", settings.format, kFormats, "what to print");
}

void add_table(CLI::App& app, TableSettings& settings, int& code) {
    CLI::App* command =
        app.add_subcommand("table", "every kernel by every filesystem, a line each");
    add_bounds(*command, settings.bounds, settings.limits);
    add_choice(*command, "--format", settings.format, kTableFormats, "what to print");
    command->callback([&] { code = table_command(settings); });
}

void add_predict(CLI::App& app, PredictSettings& settings, int& code) {
    CLI::App* command =
        app.add_subcommand("predict", "print the byte ranges that a schedule will lose");
    constexpr const char* kAsItRan = "what the schedule ran under, else ";
    add_choice(*command, "--era", settings.asked.era, era_from, era_names(), kEraHelp,
               std::string(kAsItRan) + "linux-2.6.19");
    add_choice(*command, "--filesystem", settings.asked.filesystem, predicted_filesystem_from,
               predicted_filesystem_names(), "what a commit writes by itself",
               std::string(kAsItRan) + "ordered");
    const auto through = [](std::string_view word) -> std::optional<Through> {
        return word == "kernel" ? std::optional(Through::kernel)
               : word == "fuse" ? std::optional(Through::fuse)
                                : std::nullopt;
    };
    add_choice(*command, "--through", settings.through, through, "kernel, fuse",
               "who runs it: the kernel of the era with the filesystem in it, or today's kernel "
               "with partialfs on top, as far as a FUSE daemon can know",
               std::string(kAsItRan) + "kernel");
    command->add_option("--block-size", settings.block_size,
                        "bytes: 512, 1024, 2048 or 4096 (default: what the schedule says)");
    add_format(*command, settings.json, "what each schedule loses");
    command->add_flag("--check", settings.check,
                      "compare with the damage that the file has recorded: exit 1 if any differs");
    command
        ->add_option("SCHEDULE", settings.path,
                     "a schedule of mmapstress, or recorded ones as JSON Lines; - reads standard "
                     "input; may be compressed with zstd")
        ->required();
    command->callback([&] { code = predict_command(settings); });
}

void add_simulate(CLI::App& app, SimulateSettings& settings, int& code) {
    CLI::App* command =
        app.add_subcommand("simulate", "run a long random schedule; report each lost store");
    SimulationSettings& simulation = settings.simulation;
    on_setting(*command, simulation.era, simulation.filesystem, code,
               [&settings] { return simulate_command(settings); });
    command
        ->add_option("--seed", simulation.seed,
                     "what all random choices follow from: same seed, same run")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--ops", simulation.operations, "how many operations")
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
    const auto block_size = [](std::string_view text) {
        return partialfs::model::BlockSize::from_bytes(
            static_cast<std::uint64_t>(std::atoll(std::string{text}.c_str())));
    };
    add_choice(*command, "--block-size", simulation.block_size, block_size, "512, 1024, 2048, 4096",
               "bytes", "1024");
    command->add_flag("--races", simulation.races,
                      "now and then a write fault falls into the middle of a writepage");
    command->add_option("--max-losses", settings.max_losses, "how many lost stores to list")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    add_format(*command, settings.json, "the result");
}

void add_play(CLI::App& app, PlaySettings& settings, int& code) {
    CLI::App* command =
        app.add_subcommand("play", "step through a run on the terminal, forwards and backwards");
    on_setting(*command, settings.era, settings.filesystem, code,
               [&settings] { return play_command(settings); });
    command->add_option("--block-size", settings.block_size,
                        "bytes (default: what the schedule says, else 1024)");
    command->add_option("--id", settings.id, "which of the recorded schedules in the file");
    command->add_option("SCHEDULE", settings.path,
                        "a schedule as for predict; without one, the shortest run that harms a "
                        "store is played");
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App app{"The kernels' VM as a state machine over a filesystem's block state: which mapped "
                 "stores are lost, by which kernel, on which filesystem, and how.",
                 "vmmodel"};
    app.require_subcommand(1);
    app.failure_message([&](const CLI::App*, const CLI::Error& error) {
        return "vmmodel: " + what_is_wrong(app, argc, argv, error) +
               " (--help lists the options)\n";
    });
    app.set_version_flag("-V,--version", "vmmodel " VMMODEL_VERSION);
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
