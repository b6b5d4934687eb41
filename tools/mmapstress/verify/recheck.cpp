#include "tools/mmapstress/verify/recheck.hpp"

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/system/busy.hpp"
#include "tools/mmapstress/system/page_cache.hpp"
#include "tools/mmapstress/verify/classify.hpp"
#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/mmapstress/verify/disk_stages.hpp"
#include "tools/mmapstress/verify/holes.hpp"
#include "tools/schedule/op_walker.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <array>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace mmapstress {

namespace {

using partialfs::base::Fd;

std::unexpected<StartError> cannot(std::string message, Verdict verdict = Verdict::unknown) {
    return std::unexpected(StartError{verdict, std::move(message)});
}

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

bool exists(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0;
}

/// Where the run's files are, or should be.
struct FoundFiles {
    std::string directory;
    bool all_gone = false;
};

/// The directory that has the run's files. If the run kept them and all are gone, its own
/// directory, where they should be. Nothing if there are no files and none were kept.
std::optional<FoundFiles> find_files(const std::string& directory, const Report& report) {
    const std::string own = directory + "/" + base_name(report.result.directory);
    for (const std::string& tried : {own, directory}) {
        for (const std::string& file : report.result.files) {
            if (exists(tried + "/" + base_name(file))) {
                return FoundFiles{tried, false};
            }
        }
    }
    return report.result.kept && exists(directory) ? std::optional(FoundFiles{own, true})
                                                   : std::nullopt;
}

/// Writes back the file's dirty pages and drops all. The error message; empty if that succeeded.
std::string drop(const EvictedFile& file, ByteCount size) {
    if (file.gone()) {
        return {};
    }
    Outcome<> dropped{};
    const Busy busy(Activity::evicting, FileIndex{});
    if (::fsync(file.fd) != 0) {
        dropped = failed("fsync");
    } else {
        dropped = drop_pages(file.fd, size);
    }
    return dropped ? std::string() : file.path + ": " + dropped.error().message();
}

/// The expected contents of the files.
class Should {
  public:
    Should(const OpSourceFactory& factory, const LoadedReport& loaded) {
        if (loaded.progress) {
            crash_.emplace(factory, *loaded.progress,
                           sync_reaches(loaded.report.result.filesystem));
            last_ = loaded.progress->begun;
            OpWalker walker(factory());
            for (const Op* op = walker.next();
                 op != nullptr && op->id <= loaded.progress->last_done(); op = walker.next()) {
                count(*op);
            }
            return;
        }
        last_ = loaded.report.result.last_op;
        OpWalker walker(factory());
        finished_.emplace(walker.header());
        for (const Op* op = walker.next(); op != nullptr && op->id <= last_; op = walker.next()) {
            finished_->apply(*op);
            count(*op);
        }
    }

    [[nodiscard]] const Expected& expected() const {
        return crash_ ? crash_->expected() : *finished_;
    }
    /// Nothing if the run came to its end.
    [[nodiscard]] std::optional<CrashState>& crash() { return crash_; }
    /// The last operation that may have left its bytes.
    [[nodiscard]] OpId last() const { return last_; }
    /// Sets how many operations were certainly carried out.
    void tell_ops(RunResult& result) const {
        result.ops = std::accumulate(by_kind_.begin(), by_kind_.end(), std::uint64_t{0});
        result.ops_by_kind = by_kind_;
    }

  private:
    void count(const Op& op) { ++by_kind_[static_cast<std::size_t>(op.kind)]; }

    std::array<std::uint64_t, kOpKinds> by_kind_{};
    std::optional<Expected> finished_;
    std::optional<CrashState> crash_;
    OpId last_;
};

struct OpenFiles {
    std::vector<Fd> owners;
    std::vector<EvictedFile> files;
};

Outcome<OpenFiles> open_all(const std::vector<std::string>& names, const std::string& directory) {
    OpenFiles open;
    for (const std::string& name : names) {
        const std::string path = directory + "/" + base_name(name);
        auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY);
        if (!fd && fd.error().value == ENOENT) {
            open.files.push_back({path, -1});
            continue;
        }
        if (!fd) {
            return failed("cannot open " + path, fd.error());
        }
        open.files.push_back({path, fd->get()});
        open.owners.push_back(std::move(*fd));
    }
    return open;
}

/// Accepts the sizes that the files have after a crash, as far as these are possible.
Outcome<> settle_sizes(CrashState& crash, const std::vector<EvictedFile>& files) {
    for (std::uint32_t i = 0; i < files.size(); ++i) {
        struct stat found{}; // a file that is gone has size 0
        if (!files[i].gone() && ::fstat(files[i].fd, &found) != 0) {
            return failed("cannot get the size of " + files[i].path);
        }
        crash.settle(FileIndex{i}, ByteCount{static_cast<std::uint64_t>(found.st_size)});
    }
    return {};
}

/// The report's result without its findings, which are to be found anew.
RunResult emptied(const Report& report, const Place& place, const Header& header) {
    RunResult result = report.result;
    result.directory = place.directory;
    result.filesystem = place.filesystem;
    result.partialfs = place.partialfs;
    result.disk = place.disk.value_or("");
    result.kept = true;
    result.header = header;
    result.damage.clear();
    result.past_eof.clear();
    result.damage_not_kept = 0;
    result.problems.clear();
    result.judgement.clear();
    result.stages = {};
    utsname system{};
    if (::uname(&system) == 0) {
        result.kernel = system.release;
    }
    constexpr const char* kNotHere = "only while the run is going on";
    result.stages[static_cast<std::size_t>(Stage::during)].reason = kNotHere;
    result.stages[static_cast<std::size_t>(Stage::live)].reason = kNotHere;
    return result;
}

} // namespace

std::expected<RunResult, StartError> recheck(const RunSettings& settings,
                                             const LoadedReport& loaded, Judge judge) {
    const Report& report = loaded.report;
    const auto source = source_of_report(report);
    if (!source) {
        return cannot(source.error(), Verdict::usage);
    }
    const OpSourceFactory& factory = *source;
    const Header header = factory()->header();
    if (report.result.files.empty() || report.result.files.size() != header.files.size()) {
        return cannot("the report does not say what the files should be", Verdict::usage);
    }
    const auto found = find_files(settings.directory, report);
    if (!found) {
        return cannot("there are no files of the report's run in " + settings.directory +
                          " (they are removed after a clean run without --keep)",
                      Verdict::usage);
    }
    const auto place = find_place(found->directory, found->all_gone ? "" : settings.disk);
    if (!place) {
        return cannot(place.error().message(), Verdict::usage);
    }
    const auto open = open_all(report.result.files, found->directory);
    if (!open) {
        return cannot(open.error().message());
    }
    const std::vector<EvictedFile>& files = open->files;
    RunResult result = emptied(report, *place, header);
    for (const EvictedFile& file : files) {
        if (file.gone()) {
            result.problems.push_back({file.path + " is gone", OpId{}});
        }
    }
    result.kept = !found->all_gone;
    Should should(factory, loaded);
    should.tell_ops(result);
    if (should.crash()) {
        if (const auto settled = settle_sizes(*should.crash(), files); !settled) {
            return cannot(settled.error().message());
        }
        result.interrupted = true;
        result.last_op = loaded.progress->last_done();
        result.cut_short =
            CutShort{loaded.progress->last_done(), should.last(), should.crash()->synced_bytes()};
        if (result.cut_short->synced_bytes == 0) {
            result.problems.push_back(
                {"nothing had been synced when the run was cut short: nothing must be there",
                 OpId{}});
        }
    }
    for (std::uint32_t i = 0; i < files.size(); ++i) {
        result.files[i] = files[i].path;
        result.sizes[i] = should.expected().size(FileIndex{i});
    }

    Collector collector(settings.past_eof_is_damage);
    Verifier verifier(should.expected(), collector, settings.progress);
    if (should.crash()) {
        verifier.excuse(*should.crash());
    }
    verifier.expect_readable(); // of files that had been synced; of others it is no damage
    if (is_trusted_with_holes(place->filesystem)) {
        verifier.trust_holes();
    }
    verifier.expect_stages(4);
    StageResult& cached = result.stages[static_cast<std::size_t>(Stage::pread)];
    if (settings.pread_stage) {
        verifier.stage(Stage::pread, cached, [&](FileIndex file) {
            const EvictedFile& from = files[file.value];
            if (from.gone()) {
                verifier.compare_gone(file);
                return Outcome<>{};
            }
            return verifier.compare_fd(file, from.fd, verifier.all(file), from.path);
        });
    } else {
        cached.reason = "not asked for";
    }
    std::string evicted;
    for (std::uint32_t i = 0; i < files.size() && evicted.empty(); ++i) {
        evicted = drop(files[i], result.sizes[i]);
    }
    result.on_disk =
        check_on_disk(verifier, files, *place, settings.direct_stage, evicted, result.stages);
    if (judge != nullptr && evicted.empty() && !should.crash() && !found->all_gone) {
        result.judgement = judge(*factory(), should.last(), reader_of(files));
    }
    result.damage_not_kept = collector.not_kept();
    result.past_eof = collector.past_eof();
    Classified classified = classify(collector.take(), result.past_eof, factory, should.last());
    result.damage = std::move(classified.damage);
    result.named_ops = std::move(classified.named_ops);
    for (const StageResult& stage : result.stages) {
        if (stage.state == StageResult::State::failed) {
            result.problems.push_back({stage.reason, OpId{}});
        }
    }
    result.require_stores();
    result.totals = {};
    result.totals.add(result);
    return result;
}

} // namespace mmapstress
