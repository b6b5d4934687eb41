#include "tools/mmapstress/verify/recheck.hpp"

#include "fusefs/backing/fd.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/schedule/op_walker.hpp"
#include "tools/mmapstress/system/page_cache.hpp"
#include "tools/mmapstress/verify/classify.hpp"
#include "tools/mmapstress/verify/disk_stages.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <vector>

namespace mmapstress {

namespace {

using partialfs::backing::Fd;

std::unexpected<StartError> cannot(std::string message, Verdict verdict = Verdict::unknown) {
    return std::unexpected(StartError{verdict, std::move(message)});
}

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// The directory that has the run's files.
std::optional<std::string> find_files(const std::string& directory, const Report& report) {
    const std::string first = "/" + base_name(report.result.files.front());
    for (const std::string& tried :
         {directory + "/" + base_name(report.result.directory), directory}) {
        struct stat found{};
        if (::stat((tried + first).c_str(), &found) == 0) {
            return tried;
        }
    }
    return std::nullopt;
}

/// Writes back what is dirty and drops the pages. The reason why not, if not.
std::string drop(const EvictedFile& file, ByteCount size) {
    Outcome<> dropped{};
    if (::fsync(file.fd) != 0) {
        dropped = failed("fsync");
    } else {
        dropped = drop_pages(file.fd, size);
    }
    return dropped ? std::string() : file.path + ": " + dropped.error().message();
}

} // namespace

std::expected<RunResult, StartError> recheck(const RunSettings& settings, const Report& report,
                                             Judge judge) {
    auto schedule = schedule_of_report(report);
    if (!schedule) {
        return cannot(schedule.error(), Verdict::usage);
    }
    if (report.state == ReportState::running || report.result.files.empty() ||
        report.result.files.size() != schedule->header.files.size()) {
        return cannot("the report does not say what the files should be", Verdict::usage);
    }
    const auto directory = find_files(settings.directory, report);
    if (!directory) {
        return cannot("there are no files of the report's run in " + settings.directory +
                          " (it must have been run with --keep)",
                      Verdict::usage);
    }
    const auto place = find_place(*directory, settings.disk);
    if (!place) {
        return cannot(place.error().message(), Verdict::usage);
    }
    const OpSourceFactory factory = source_of(*schedule);
    Expected expected(schedule->header);
    OpWalker walker(factory());
    const OpId last = report.result.last_op;
    for (const Op* op = walker.next(); op != nullptr && op->id <= last; op = walker.next()) {
        expected.apply(*op);
    }

    RunResult result = report.result;
    result.directory = place->directory;
    result.filesystem = place->filesystem;
    result.partialfs = place->partialfs;
    result.disk = place->disk.value_or("");
    result.kept = true;
    result.header = schedule->header;
    result.damage.clear();
    result.damage_not_kept = 0;
    result.problems.clear();
    result.judgement.clear();
    result.stages = {};
    utsname system{};
    if (::uname(&system) == 0) {
        result.kernel = system.release;
    }

    std::vector<Fd> opened;
    std::vector<EvictedFile> files;
    for (std::uint32_t i = 0; i < result.files.size(); ++i) {
        const std::string path = *directory + "/" + base_name(result.files[i]);
        auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY);
        if (!fd) {
            errno = fd.error().value;
            return cannot(failed("cannot open " + path).error().message());
        }
        files.push_back({path, fd->get()});
        opened.push_back(std::move(*fd));
        result.files[i] = path;
        result.sizes[i] = expected.size(FileIndex{i});
    }

    Collector collector;
    Verifier verifier(expected, collector, settings.progress);
    verifier.expect_stages(4);
    constexpr const char* kNotHere = "only while the run is going on";
    result.stages[static_cast<std::size_t>(Stage::during)].reason = kNotHere;
    result.stages[static_cast<std::size_t>(Stage::live)].reason = kNotHere;
    StageResult& cached = result.stages[static_cast<std::size_t>(Stage::pread)];
    if (settings.pread_stage) {
        verifier.stage(Stage::pread, cached, [&](FileIndex file) {
            const EvictedFile& from = files[file.value];
            return verifier.compare_fd(file, from.fd, verifier.all(file), from.path);
        });
    } else {
        cached.reason = "not asked for";
    }
    std::string evicted;
    for (std::uint32_t i = 0; i < files.size() && evicted.empty(); ++i) {
        evicted = drop(files[i], result.sizes[i]);
    }
    check_on_disk(verifier, files, *place, settings.direct_stage, evicted, result.stages);
    if (judge != nullptr && evicted.empty()) {
        result.judgement = judge(*factory(), last, reader_of(files));
    }
    result.damage_not_kept = collector.not_kept();
    Classified classified = classify(collector.take(), factory, last);
    result.damage = std::move(classified.damage);
    result.named_ops = std::move(classified.named_ops);
    for (const StageResult& stage : result.stages) {
        if (stage.state == StageResult::State::failed) {
            result.problems.push_back({stage.reason, OpId{}});
        }
    }
    return result;
}

} // namespace mmapstress
