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

using partialfs::tools::kWholeNumber;
using partialfs::tools::what_is_wrong;
using partialfs::tools::whole_number;
using namespace mmapstress; // NOLINT(google-build-using-namespace): this is the program itself

void add_helper_directory(CLI::App& command, RunSettings& run) {
    command
        .add_option(
            "--helper-dir", run.helper_directory,
            "where the files are from which the kernel stores into the mappings, on another "
            "filesystem say; default: the run's own directory in DIR")
        ->check(CLI::ExistingDirectory)
        ->type_name("PATH");
}

void add_result(CLI::App& command, std::string& report, Output& output) {
    command.add_option("--report", report, "write the report here, as JSON")->type_name("FILE");
    add_choice<Format>(command, "--format", output.format,
                       {{"human", Format::human},
                        {"json", Format::json},
                        {"ktap", Format::ktap},
                        {"junit", Format::junit}},
                       "what is printed")
        ->default_str("human");
    command
        .add_option("--max-ranges", output.max_ranges,
                    "how many damaged ranges are shown; the report has all")
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
                    throw CLI::ValidationError("--shard", "'" + text +
                                                              "' is no part of a campaign, as 3/8: "
                                                              "the third of eight");
                }
            },
            "run part K of N of a campaign, 1/N to N/N, each on a machine of its own: all with one "
            "--seed, no two run the same schedule; merge puts their reports together")
        ->type_name("K/N");
}

void add_directory(CLI::App& command, RunSettings& run) {
    command.add_option("DIR", run.directory, "a directory on the filesystem to be tested")
        ->required()
        ->type_name("");
    command
        .add_option(
            "--disk", run.disk,
            "the directory behind DIR or behind its mount, compared too; found by itself on "
            "partialfs")
        ->type_name("PATH");
}

void add_hang_after(CLI::App& command, std::chrono::milliseconds& hang_after) {
    add_time(
        command, "--hang-after", [&hang_after](auto time) { hang_after = time; },
        "end with status 4 if one call of the filesystem takes longer, and say which; 0: never")
        ->default_str("5min");
}

void add_overwrite_device(CLI::App& command, RunSettings& run) {
    command.add_flag(
        "--overwrite-device", run.overwrite_device,
        "DIR is a block device, which is written over: not one that is mounted, in use "
        "or holds a filesystem");
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
            "leave out operations that meet known faults of kernels (several with commas): gup, "
            "grow, past-eof")
        ->delimiter(',')
        ->type_name("GROUPS");
}

void add_past_eof(CLI::App& command, RunSettings& run) {
    add_choice<bool>(command, "--past-eof", run.past_eof_is_damage,
                     {{"any", false}, {"zero", true}},
                     "what the bytes may be that were stored past the end of a file, once it has "
                     "grown: mmap(2) leaves it open")
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
            "leave a stage of the verification out: live, pread or direct")
        ->check(CLI::IsMember({"live", "pread", "direct"}))
        ->type_name("STAGE");
}

void add_files(CLI::App& command, CommonOptions& options) {
    add_place(command, options);
    add_helper_directory(command, options.run);
    add_without(command, options.run);
    add_overwrite_device(command, options.run);
    command.add_flag("--may-hang", options.run.may_hang,
                     "carry out what is known to hang this filesystem, too");
    command.add_flag("--keep", options.run.keep, "keep the files even if all is well");
    command
        .add_option("--schedule", options.run.schedule_file,
                    "write the schedule here; replay runs it again")
        ->type_name("FILE");
    add_output(command, options);
}

void add_run(CLI::App& app, Verdict& verdict) {
    CLI::App* const command =
        app.add_subcommand("run", "run a workload on fresh files in DIR and verify every byte");
    const auto options = std::make_shared<RunOptions>();
    const auto memory = std::make_shared<std::optional<ByteCount>>();
    add_files(*command, options->common);
    options->workload = workloads().front().name;
    command
        ->add_option(
            "--workload,-w", options->workload,
            "which, or all for each in turn, with new seeds until --duration; see mmapstress "
            "workloads")
        ->type_name("NAME")
        ->capture_default_str();
    command
        ->add_option("--seed", options->settings.seed,
                     "what all random choices follow from: same seed, same schedule")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    add_size(*command, "--size", options->settings.size,
             "the size of each file, as 64K or 8M; default: the workload's");
    command
        ->add_option("--files", options->settings.files,
                     "how many files, 1 to 65536; default: the workload's")
        ->check(whole_number(1, 65536))
        ->type_name("N");
    command
        ->add_option("--ops", options->settings.ops,
                     "how many operations (of each round, with --duration); default: the "
                     "workload's")
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
        "run rounds with one seed after another until the time is up or damage is found");
    command
        ->add_option("--power-cut", options->power_cuts,
                     "on partialfs mounted with --power: cut its power at some moment of each of N "
                     "rounds, turn it on, and verify what had been synced")
        ->check(whole_number(1))
        ->type_name("N");
    command
        ->add_option("--threads", options->settings.threads,
                     "threads in each process, 1 to 1024; default: the workload's")
        ->check(whole_number(1, 1024))
        ->type_name("N");
    command
        ->add_option("--processes", options->settings.processes,
                     "processes, each with its own mappings, 1 to 1024; default: the workload's")
        ->check(whole_number(1, 1024))
        ->type_name("N");
    add_choice<CommitBy>(
        *command, "--commit-by", options->settings.commit_by,
        {{"sibling", CommitBy::sibling}, {"syncfs", CommitBy::syncfs}, {"sync", CommitBy::sync}},
        "how the journal is made to commit: by fsync of a new file (sibling), syncfs or sync")
        ->default_str("sibling");
    add_size(*command, "--memory", *memory,
             "memory that the workload pressure may use, as 64M; default 64M");
    command->callback([options, memory, &verdict] {
        options->settings.memory = memory->value_or(options->settings.memory);
        verdict = run_command(*options);
    });
}

void add_replay(CLI::App& app, Verdict& verdict) {
    CLI::App* const command =
        app.add_subcommand("replay", "run a schedule: one that run wrote, a report's, or recorded "
                                     "schedules (JSON lines)");
    const auto options = std::make_shared<CommonOptions>();
    const auto path = std::make_shared<std::string>();
    add_files(*command, *options);
    command->add_option("SCHEDULE", *path, "the schedule's file")->required()->type_name("");
    command->callback([options, path, &verdict] { verdict = replay_command(*options, *path); });
}

void add_verify(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = app.add_subcommand(
        "verify", "check the files that an earlier run left in DIR, from its report");
    const auto options = std::make_shared<CommonOptions>();
    const auto path = std::make_shared<std::string>();
    add_place(*command, *options);
    add_output(*command, *options);
    command->add_option("REPORT", *path, "that run's report")->required()->type_name("");
    command->callback([options, path, &verdict] { verdict = verify_command(*options, *path); });
}

void add_merge(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = app.add_subcommand(
        "merge", "put the reports of several runs together into one verdict: of the shards of a "
                 "campaign, or of any runs");
    const auto options = std::make_shared<MergeOptions>();
    command->add_option("REPORT", options->reports, "the runs' reports")->required()->type_name("");
    add_result(*command, options->report, options->output);
    command->callback([options, &verdict] { verdict = merge_command(*options); });
}

void add_minimise(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = app.add_subcommand(
        "minimise", "write the smallest part of a schedule that still loses data");
    const auto options = std::make_shared<MinimiseOptions>();
    add_directory(*command, options->run);
    add_helper_directory(*command, options->run);
    add_overwrite_device(*command, options->run);
    add_past_eof(*command, options->run);
    add_hang_after(*command, options->hang_after);
    command->add_option("SCHEDULE", options->schedule, "a schedule's file, or a report's")
        ->required()
        ->type_name("");
    command->add_option("-o,--output", options->output, "where the smallest schedule is written")
        ->required()
        ->type_name("OUT");
    command->callback([options, &verdict] { verdict = minimise_command(*options); });
}

void add_explain(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = app.add_subcommand(
        "explain", "tell which store each damaged range of a report is, and how it was lost");
    const auto options = std::make_shared<ExplainOptions>();
    command->add_option("REPORT", options->report, "a run's report")->required()->type_name("");
    command
        ->add_option("--trace", options->trace,
                     "a partialfs trace; on a mounted partialfs it is found by itself")
        ->type_name("FILE");
    command->add_flag("--all", options->all,
                      "everything that is known of every range, instead of ten lines for each");
    command
        ->add_option("--html", options->html,
                     "write one page for a browser, with a map of each file, instead of the text")
        ->type_name("FILE");
    command
        ->add_option("--max-ranges", options->max_ranges,
                     "how many damaged ranges are explained; default 20, with --all every one")
        ->check(kWholeNumber)
        ->type_name("N");
    command->callback([options, &verdict] { verdict = explain_command(*options); });
}

void add_selftest(CLI::App& app, Verdict& verdict) {
    CLI::App* const command = app.add_subcommand(
        "selftest",
        "prove that the detector detects: leave one store out per run, find exactly it");
    const auto options = std::make_shared<SelftestOptions>();
    command
        ->add_option("DIR", options->common.run.directory, "where; default: $TMPDIR, else /var/tmp")
        ->type_name("");
    command
        ->add_option("--seed", options->seed,
                     "what all random choices follow from: same seed, same stores left out")
        ->check(kWholeNumber)
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--runs", options->runs, "how many runs, 1 to 1000000")
        ->check(whole_number(1, 1000000))
        ->type_name("N")
        ->capture_default_str();
    command->callback([options, &verdict] { verdict = selftest_command(*options); });
}

void add_workloads(CLI::App& app, Verdict& verdict) {
    app.add_subcommand("workloads", "list the workloads")->callback([&verdict] {
        verdict = workloads_command();
    });
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App app{
        "Finds lost mapped stores on any filesystem, and says why they were lost.\n"
        "Exit status: 0 every byte as expected, 1 damage found, 2 wrong usage, 3 could not "
        "tell,\n4 the filesystem hangs. SIZE is a number and K, M, G or T (powers of 1024), TIME a "
        "number and ms, s, min or h.\nFor example: mmapstress run /mnt/test --size 8M --duration "
        "30s --report r.json",
        "mmapstress"};
    app.set_version_flag("-V,--version", "mmapstress " + std::string(partialfs::kVersion));
    app.require_subcommand(1);
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
        complain(what_is_wrong(app, argc, argv, error) + "; see mmapstress --help");
        return static_cast<int>(Verdict::usage);
    }
    return static_cast<int>(verdict);
} catch (const std::exception& error) {
    mmapstress::complain(error.what());
    return static_cast<int>(mmapstress::Verdict::unknown);
}
