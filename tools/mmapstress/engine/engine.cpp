#include "tools/mmapstress/engine/engine.hpp"

#include "tools/mmapstress/engine/lacking.hpp"
#include "tools/mmapstress/engine/recorder.hpp"
#include "tools/mmapstress/engine/run.hpp"
#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/engine/start_files.hpp"
#include "tools/mmapstress/system/memory_pressure.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

namespace mmapstress {

namespace {

std::unexpected<StartError> cannot_start(const Failure& failure,
                                         Verdict verdict = Verdict::unknown) {
    return std::unexpected(StartError{verdict, failure.message()});
}

/// Adds what nobody wants, as far as the schedule may have it.
void add_unwanted(std::vector<LeftOut>& left_out, const RunSettings& settings, bool journals_data) {
    std::vector<LeftOut> unwanted = settings.unwanted;
    if (journals_data && !settings.may_hang) {
        add_left_out(unwanted,
                     all_in(OpGroup::gup, "hang ext4 with data=journal (K2, seen on Linux "
                                          "6.18); --may-hang has them carried out"));
    }
    std::erase_if(unwanted, [&](const LeftOut& one) {
        const auto kind = kind_named(one.operation);
        return kind && !contains(settings.may_have, *kind);
    });
    add_left_out(left_out, unwanted);
}

} // namespace

std::expected<RunResult, StartError> run(const RunSettings& settings, const OpSourceFactory& whole,
                                         Judge judge) {
    struct stat found{};
    if (::stat(settings.directory.c_str(), &found) != 0) {
        return cannot_start(failed("cannot use " + settings.directory).error(), Verdict::usage);
    }
    if (!S_ISDIR(found.st_mode)) {
        return cannot_start(Failure{ENOTDIR, "cannot use " + settings.directory}, Verdict::usage);
    }
    auto recorder = Recorder::open(settings.schedule_file, settings.record_ops);
    if (!recorder) {
        return cannot_start(recorder.error());
    }
    // Absolute, so that the report still leads to the files from another directory.
    std::error_code error;
    const auto parent = std::filesystem::canonical(settings.directory, error);
    if (error) {
        return cannot_start(Failure{error.value(), "cannot use " + settings.directory},
                            Verdict::usage);
    }
    auto directory = RunDirectory::make(parent.string());
    if (!directory) {
        return cannot_start(directory.error());
    }
    auto place = find_place(directory->path(), settings.disk);
    if (!place) {
        return cannot_start(place.error(), Verdict::usage);
    }
    auto commits = CommitWatch::of_filesystem(directory->path());
    if (!commits) {
        return cannot_start(commits.error());
    }
    auto left_out =
        find_lacking(settings.may_have, directory->path(), settings.helper_directory, *commits);
    if (!left_out) {
        return cannot_start(left_out.error());
    }
    add_unwanted(*left_out, settings, place->journals_data);
    const OpSourceFactory factory = leaving_out(whole, all_of(*left_out));
    if (const auto made = start_files(*directory, factory()->header(), *commits); !made) {
        return cannot_start(made.error());
    }
    auto pressure = MemoryPressure::apply(settings.memory_limit, place->filesystem);
    if (!pressure) {
        return cannot_start(pressure.error());
    }
    Run run(settings, factory,
            {std::move(*directory), std::move(*place), std::move(*commits), std::move(*recorder),
             std::move(*pressure), std::move(*left_out)});
    if (const auto begun = run.begin_log(); !begun) {
        return cannot_start(begun.error());
    }
    return run.carry_out(judge);
}

} // namespace mmapstress
