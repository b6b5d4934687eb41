// mmapstress: the command line.
#include "fusefs/version.hpp"
#include "tools/command_line.hpp"
#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/commands/option_kinds.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace {

using partialfs::tools::add_choice;
using partialfs::tools::add_command;
using partialfs::tools::add_format;
using partialfs::tools::add_size;
using partialfs::tools::kSizeIs;
using partialfs::tools::kTimeIs;
using partialfs::tools::kWholeNumber;
using partialfs::tools::what_is_wrong;
using partialfs::tools::whole_number;
using namespace mmapstress; // NOLINT(google-build-using-namespace): this is the program itself

void add_helper_directory(CLI::App& command, RunSettings& run) {
    command
        .add_option(
            "--helper-dir", run.helper_directory,
            "directory for the files that the kernel reads into the mappings, for example on "
            "another filesystem (default: the run's own directory in DIR)")
        ->check(CLI::Validator(CLI::ExistingDirectory).description(""))
        ->type_name("PATH");
}

void add_result(CLI::App& command, std::string& report, Output& output) {
    command.add_option("--report", report, "write the report to FILE, as JSON")->type_name("FILE");
    add_format<Format>(command, output.format,
                       {{"text", Format::human},
                        {"json", Format::json},
                        {"ktap", Format::ktap},
                        {"junit", Format::junit}},
                       Format::json, {{"human", Format::human}});
    command
        .add_option("--max-ranges", output.max_ranges,
                    "how many damaged ranges are printed; the report has all")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
}

void add_output(CLI::App& command, CommonOptions& options) {
    add_result(command, options.report, options.output);
}

void add_shard(CLI::App& command, std::optional<Shard>& shard) {
    command
        .add_option_function<std::string>(
            "--shard",
            [&shard](const std::string& text) {
                shard = parse_shard(text);
                if (!shard) {
                    throw CLI::ValidationError(
                        "--shard",
                        "'" + text +
                            "' is not a part of a campaign, such as 3/8 for the third of eight");
                }
            },
            "run part K of a campaign of N parts, for example each on its own machine: give all of "
            "them the same --seed; no two run the same schedule, and merge combines their reports")
        ->type_name("K/N");
}

void add_directory(CLI::App& command, RunSettings& run) {
    command.add_option("DIR", run.directory, "a directory on the filesystem under test")
        ->required()
        ->type_name("");
    command
        .add_option(
            "--disk", run.disk,
            "the directory in which DIR's filesystem, or DIR itself, has its files, compared too "
            "(default: found automatically on partialfs)")
        ->type_name("PATH");
}

void add_hang_after(CLI::App& command, std::chrono::milliseconds& hang_after) {
    add_time(
        command, "--hang-after", [&hang_after](auto time) { hang_after = time; },
        "exit with 4, and name the call, if a system call takes longer than this; 0: wait for ever")
        ->default_str("5min");
}

void add_overwrite_device(CLI::App& command, RunSettings& run) {
    command.add_flag(
        "--overwrite-device", run.overwrite_device,
        "DIR is a block device, to be overwritten; one that is mounted, in use or has a filesystem "
        "is refused");
}

void add_without(CLI::App& command, RunSettings& run) {
    command
        .add_option_function<std::vector<std::string>>(
            "--without",
            [&run](const std::vector<std::string>& groups) {
                for (const std::string& name : groups) {
                    const auto group = from_name<OpGroup>(name);
                    if (!group) {
                        throw CLI::ValidationError("--without",
                                                   "'" + name + "' is none of " +
                                                       partialfs::base::all_names<OpGroup>());
                    }
                    add_left_out(run.unwanted, all_in(*group, "--without " + name));
                }
            },
            "leave out operations that meet known kernel bugs, several separated by commas: gup, "
            "grow, past-eof, punch")
        ->delimiter(',')
        ->type_name("GROUPS");
}

void add_past_eof(CLI::App& command, RunSettings& run) {
    add_choice<bool>(command, "--past-eof", run.past_eof_is_damage,
                     {{"any", false}, {"zero", true}},
                     "what bytes stored past the end of a file may be once the file has grown, as "
                     "mmap(2) leaves that open")
        ->default_str("any");
}

void add_place(CLI::App& command, CommonOptions& options) {
    add_directory(command, options.run);
    add_past_eof(command, options.run);
    add_hang_after(command, options.hang_after);
    command
        .add_option_function<std::vector<std::string>>(
            "--skip",
            [&options](const std::vector<std::string>& stages) {
                for (const std::string& stage : stages) {
                    options.run.live_stage &= stage != "live";
                    options.run.pread_stage &= stage != "pread";
                    options.run.direct_stage &= stage != "direct";
                }
            },
            "skip a stage of the verification: live, pread, direct")
        ->check(CLI::Validator(CLI::IsMember({"live", "pread", "direct"})).description(""))
        ->type_name("STAGE");
}

void add_files(CLI::App& command, CommonOptions& options) {
    add_place(command, options);
    add_helper_directory(command, options.run);
    add_without(command, options.run);
    add_overwrite_device(command, options.run);
    command.add_flag("--may-hang", options.run.may_hang,
                     "also carry out operations that are known to hang this filesystem");
    command.add_flag("--keep", options.run.keep, "keep the files even if no damage is found");
    command
        .add_option("--schedule", options.run.schedule_file,
                    "write the schedule to FILE; replay runs it again")
        ->type_name("FILE");
    add_output(command, options);
}

void add_run(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = add_command(
        app, "run", "Runs a workload on fresh files in DIR and verifies every byte.",
        "/mnt/test --size 8MiB --duration 30s --report r.json", kSizeIs + '\n' + kTimeIs);
    const auto options = std::make_shared<RunOptions>();
    add_files(*command, options->common);
    options->workload = workloads().front().name;
    command
        ->add_option(
            "--workload,-w", options->workload,
            "the workload; all: each in turn, with new seeds until --duration is over; see "
            "mmapstress workloads")
        ->type_name("NAME")
        ->capture_default_str();
    command
        ->add_option("--seed", options->settings.seed,
                     "seed of all random choices: the same seed gives the same schedule")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    add_size(
        *command, "--size", [options](ByteCount size) { options->settings.size = size; },
        "the size of each file (default: the workload's)");
    command
        ->add_option("--files", options->settings.files,
                     "number of files, 1 to 65536 (default: the workload's)")
        ->check(whole_number(1, 65536))
        ->type_name("N");
    command
        ->add_option("--ops", options->settings.ops,
                     "number of operations, of each round with --duration (default: the "
                     "workload's)")
        ->check(whole_number(1))
        ->type_name("N");
    add_shard(*command, options->shard);
    add_time(
        *command, "--duration",
        [options](auto time) {
            if (time.count() == 0) {
                throw CLI::ValidationError("--duration", "no time at all");
            }
            options->duration = time;
        },
        "run rounds with one seed after another for this long, or until damage is found that "
        "no known fault of the kernel explains");
    command
        ->add_option(
            "--power-cut", options->power_cuts,
            "on partialfs mounted with --power: run N rounds, cut the power at some moment "
            "of each, turn it on again and verify what had been synced")
        ->check(whole_number(1))
        ->type_name("N");
    command
        ->add_option("--threads", options->settings.threads,
                     "threads in each process, 1 to 1024 (default: the workload's)")
        ->check(whole_number(1, 1024))
        ->type_name("N");
    command
        ->add_option("--processes", options->settings.processes,
                     "processes, each with its own mappings, 1 to 1024 (default: the workload's)")
        ->check(whole_number(1, 1024))
        ->type_name("N");
    add_choice<CommitBy>(
        *command, "--commit-by", options->settings.commit_by,
        {{"sibling", CommitBy::sibling}, {"syncfs", CommitBy::syncfs}, {"sync", CommitBy::sync}},
        "how a journal commit is triggered (sibling: by fsync of a new file)")
        ->default_str("sibling");
    add_size(
        *command, "--memory", [options](ByteCount size) { options->settings.memory = size; },
        "memory that the workload pressure may use")
        ->default_str("64MiB");
    command->callback([options, &verdict] { verdict = run_command(*options); });
}

void add_replay(CLI::App& app, Verdict& verdict) {
    CLI::App* const command =
        add_command(app, "replay",
                    "Runs a schedule again: one that run wrote, that of a report, or recorded ones "
                    "(JSON Lines).",
                    "/mnt/test r.json", kTimeIs);
    const auto options = std::make_shared<CommonOptions>();
    const auto path = std::make_shared<std::string>();
    add_files(*command, *options);
    command->add_option("SCHEDULE", *path, "the file of the schedule, or a report")
        ->required()
        ->type_name("");
    command->callback([options, path, &verdict] { verdict = replay_command(*options, *path); });
}

void add_verify(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = add_command(
        app, "verify", "Checks the files that an earlier run left in DIR against its report.",
        "/mnt/test r.json", kTimeIs);
    const auto options = std::make_shared<CommonOptions>();
    const auto path = std::make_shared<std::string>();
    add_place(*command, *options);
    add_output(*command, *options);
    command->add_option("REPORT", *path, "that run's report")->required()->type_name("");
    command->callback([options, path, &verdict] { verdict = verify_command(*options, *path); });
}

void add_merge(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = add_command(
        app, "merge",
        "Combines the reports of several runs, or of the shards of a campaign, into one verdict.",
        "shard-*.json --format junit");
    const auto options = std::make_shared<MergeOptions>();
    command->add_option("REPORT", options->reports, "the runs' reports")->required()->type_name("");
    add_result(*command, options->report, options->output);
    command->callback([options, &verdict] { verdict = merge_command(*options); });
}

void add_minimise(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = add_command(
        app, "minimise", "Reduces a schedule to the smallest one that still loses data.",
        "/mnt/test r.json -o small.schedule", kTimeIs);
    const auto options = std::make_shared<MinimiseOptions>();
    add_directory(*command, options->run);
    add_helper_directory(*command, options->run);
    add_overwrite_device(*command, options->run);
    add_past_eof(*command, options->run);
    add_hang_after(*command, options->hang_after);
    command->add_option("SCHEDULE", options->schedule, "the file of a schedule, or a report")
        ->required()
        ->type_name("");
    command
        ->add_option("-o,--output", options->output,
                     "the file that the smallest schedule is written to")
        ->required()
        ->type_name("OUT");
    command
        ->add_option("--tries", options->tries,
                     "how often a schedule is run, at most, until it loses data; more for a loss "
                     "that is rare")
        ->check(whole_number(1))
        ->type_name("N")
        ->capture_default_str();
    command->callback([options, &verdict] { verdict = minimise_command(*options); });
}

void add_explain(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = add_command(
        app, "explain", "Says which store was lost in each damaged range of a report, and how.",
        "r.json --html r.html");
    const auto options = std::make_shared<ExplainOptions>();
    command->add_option("REPORT", options->report, "a run's report")->required()->type_name("");
    command
        ->add_option(
            "--trace", options->trace,
            "the trace of a partialfs mount (default: found automatically while it is mounted)")
        ->type_name("FILE");
    command->add_flag(
        "--all", options->all,
        "print all that is known of every range, instead of at most ten lines for each");
    command
        ->add_option("--html", options->html,
                     "write an HTML page, with a map of each file, instead of printing text")
        ->type_name("FILE");
    command
        ->add_option("--max-ranges", options->max_ranges,
                     "how many damaged ranges are explained (default: 20, with --all every one)")
        ->check(kWholeNumber)
        ->type_name("N");
    command->callback([options, &verdict] { verdict = explain_command(*options); });
}

void add_selftest(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = add_command(
        app, "selftest",
        "Tests the verification: leaves one store out in each run, and must find exactly that one.",
        "--runs 100");
    const auto options = std::make_shared<SelftestOptions>();
    command
        ->add_option("DIR", options->common.run.directory,
                     "the directory to run in (default: $TMPDIR, else /var/tmp)")
        ->type_name("");
    command
        ->add_option("--seed", options->seed,
                     "seed of all random choices: the same seed leaves the same stores out")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--runs", options->runs, "number of runs, 1 to 1000000")
        ->check(whole_number(1, 1000000))
        ->type_name("N")
        ->capture_default_str();
    command->callback([options, &verdict] { verdict = selftest_command(*options); });
}

void add_workloads(CLI::App& app, Verdict& verdict) {
    add_command(app, "workloads", "Lists the workloads.", "")->callback([&verdict] {
        verdict = workloads_command();
    });
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App app{"Finds lost mapped stores on any filesystem, and says why they were lost.",
                 "mmapstress"};
    app.set_version_flag("-V,--version", "mmapstress " + std::string(partialfs::kVersion));
    app.require_subcommand(1);
    app.footer("Exit status: 0 every byte as expected, 1 damage found, 2 wrong usage, 3 could not "
               "tell,\n4 the filesystem hangs.\n\nExample: mmapstress run /mnt/test --size 8MiB "
               "--duration 30s --report r.json");
    Verdict verdict = Verdict::clean;
    add_run(app, verdict);
    add_replay(app, verdict);
    add_verify(app, verdict);
    add_merge(app, verdict);
    add_minimise(app, verdict);
    add_explain(app, verdict);
    add_selftest(app, verdict);
    add_workloads(app, verdict);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success); // --help, --version
    } catch (const CLI::ParseError& error) {
        complain(what_is_wrong(app, argc, argv, error));
        return static_cast<int>(Verdict::usage);
    }
    return static_cast<int>(verdict);
} catch (const std::exception& error) {
    mmapstress::complain(error.what());
    return static_cast<int>(mmapstress::Verdict::unknown);
}
