#include "tools/mmapstress/engine/engine.hpp"

#include "tools/mmapstress/engine/lacking.hpp"
#include "tools/mmapstress/engine/power_cut.hpp"
#include "tools/mmapstress/engine/recorder.hpp"
#include "tools/mmapstress/engine/run.hpp"
#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/engine/start_files.hpp"
#include "tools/mmapstress/system/memory_pressure.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace mmapstress {

namespace {

std::unexpected<StartError> cannot_start(const Failure& failure,
                                         Verdict verdict = Verdict::unknown) {
    return std::unexpected(StartError{verdict, failure.message()});
}

/// Whether the user can avoid this failure with another directory. Not so if the disk is full or
/// broken: that belongs to the filesystem under test.
bool is_for_the_user(const Failure& failure) {
    constexpr std::array kOfTheDisk{EIO, ENOSPC, EDQUOT, ENOMEM, ESHUTDOWN, ENOTCONN};
    return std::ranges::find(kOfTheDisk, failure.error) == kOfTheDisk.end();
}

/// The operations that a filesystem has and a block device does not have. syncfs(2) on a device
/// syncs the filesystem that its node is on. sync(2) writes devices back, too, so commits by
/// sync(2) stay.
std::vector<LeftOut> not_of_a_device(CommitBy commit_by) {
    const std::string reason = "not on a block device";
    std::vector<LeftOut> all = all_in(OpGroup::grow, reason);
    for (const OpKind kind : {OpKind::commit, OpKind::sync, OpKind::fchmod, OpKind::collapse,
                              OpKind::insert, OpKind::past_eof_store}) {
        if (kind != OpKind::commit || commit_by != CommitBy::sync) {
            all.push_back({std::string(traits_of(kind).name), reason});
        }
    }
    return all;
}

Outcome<Place> place_of_device(const std::string& path) {
    Place place;
    place.directory = path;
    place.filesystem = "block device";
    place.on_block_device = true;
    return place;
}

/// There is no directory beside a device for helper files.
std::string helper_directory(const RunSettings& settings, bool is_device) {
    return settings.helper_directory.empty() && is_device
               ? std::filesystem::temp_directory_path().string()
               : settings.helper_directory;
}

/// The operations that are lacking here, and those that the settings leave out, as far as the
/// schedule may have them.
Outcome<std::vector<LeftOut>> what_to_leave_out(const RunSettings& settings,
                                                RunDirectory& directory, const Place& place,
                                                CommitWatch& commits, CommitBy commit_by) {
    std::vector<LeftOut> unwanted = settings.unwanted;
    if (place.journals_data && !settings.may_hang) {
        add_left_out(unwanted,
                     all_in(OpGroup::gup, "hang ext4 with data=journal (K2, seen on Linux "
                                          "6.18); with --may-hang they are carried out"));
    }
    std::erase_if(unwanted, [&](const LeftOut& one) {
        const auto kind = kind_named(one.operation);
        return kind && !contains(settings.may_have, *kind);
    });
    if (directory.is_device()) {
        add_left_out(unwanted, not_of_a_device(commit_by));
    }
    // Operations that the settings leave out are not tried either.
    auto left_out = find_lacking(settings.may_have & ~all_of(unwanted).kinds, directory,
                                 settings.helper_directory, commits);
    if (left_out) {
        add_left_out(*left_out, unwanted);
    }
    return left_out;
}

} // namespace

std::expected<RunResult, StartError> run(const RunSettings& settings, const OpSourceFactory& whole,
                                         Judge judge) {
    struct stat found{};
    if (::stat(settings.directory.c_str(), &found) != 0) {
        return cannot_start(failed("cannot use " + settings.directory).error(), Verdict::usage);
    }
    const bool is_device = S_ISBLK(found.st_mode);
    if (is_device && !settings.overwrite_device) {
        return cannot_start(Failure{0, settings.directory +
                                           " is a block device: with "
                                           "--overwrite-device it is written over"},
                            Verdict::usage);
    }
    if (!is_device && !S_ISDIR(found.st_mode)) {
        return cannot_start(Failure{ENOTDIR, "cannot use " + settings.directory}, Verdict::usage);
    }
    auto recorder = Recorder::open(settings.schedule_file, settings.record_ops);
    if (!recorder) {
        return cannot_start(recorder.error(), Verdict::usage);
    }
    // Absolute, so that the paths in the report are right in any directory.
    std::error_code error;
    const auto parent = std::filesystem::canonical(settings.directory, error);
    if (error) {
        return cannot_start(Failure{error.value(), "cannot use " + settings.directory},
                            Verdict::usage);
    }
    auto directory =
        is_device ? RunDirectory::on_device(parent.string()) : RunDirectory::make(parent.string());
    if (!directory) {
        return cannot_start(directory.error(), is_device || is_for_the_user(directory.error())
                                                   ? Verdict::usage
                                                   : Verdict::unknown);
    }
    auto place = is_device ? place_of_device(directory->path())
                           : find_place(directory->path(), settings.disk);
    if (!place) {
        return cannot_start(place.error(), Verdict::usage);
    }
    if (settings.cuts_power && !PowerCut::is_possible(place->partialfs)) {
        return cannot_start(Failure{0, settings.directory + " is not on partialfs mounted with "
                                                            "--power, which --power-cut needs"},
                            Verdict::usage);
    }
    auto commits = CommitWatch::of_filesystem(directory->path());
    if (!commits) {
        return cannot_start(commits.error());
    }
    RunSettings settled = settings;
    settled.helper_directory = helper_directory(settings, is_device);
    auto left_out =
        what_to_leave_out(settled, *directory, *place, *commits, whole()->header().commit_by);
    if (!left_out) {
        return cannot_start(left_out.error());
    }
    const OpSourceFactory factory = leaving_out(whole, all_of(*left_out));
    if (const auto made = start_files(*directory, factory()->header(), *commits); !made) {
        return cannot_start(made.error());
    }
    auto pressure = MemoryPressure::apply(settings.memory_limit, place->filesystem);
    if (!pressure) {
        return cannot_start(pressure.error());
    }
    Run run(settled, factory,
            {std::move(*directory), std::move(*place), std::move(*commits), std::move(*recorder),
             std::move(*pressure), std::move(*left_out)});
    if (const auto begun = run.begin_log(); !begun) {
        return cannot_start(begun.error());
    }
    return run.carry_out(judge);
}

} // namespace mmapstress
