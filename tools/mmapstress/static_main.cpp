// mmapstress-static: the engine for kernels and userlands that have nothing else. It has hardly any
// command line: settings come from the environment. For a first process (init) that means from the
// kernel's command line: the kernel passes on what it does not know itself, as MMAPSTRESS_SEED=7.
//
//     mmapstress-static            runs a workload, or the schedule of a file
//     mmapstress-static verify     checks the files that such a run has left, from its report
//     mmapstress-static workloads  prints the names of the workloads, one a line
//
//     MMAPSTRESS_DIR        the directory to work in; must be set
//     MMAPSTRESS_WORKLOAD   mix (default), recipe, linus, torrent, apt, pressure, wild, gup, grow,
//                           writeback; all: each in turn, as the option of `mmapstress run`
//     MMAPSTRESS_SCHEDULE   a schedule file to run in place of a workload
//     MMAPSTRESS_SEED, _SIZE, _FILES, _OPS, _DURATION, _THREADS, _PROCESSES, _COMMIT_BY, _DISK,
//                _HELPER_DIR   as the options of `mmapstress run` of these names
//     MMAPSTRESS_OVERWRITE_DEVICE   1: MMAPSTRESS_DIR is a block device, which is written over
//     MMAPSTRESS_KEEP       0: remove the files again if all is well. Default 1: verify needs them
//     MMAPSTRESS_REPORT     the report's file; default: standard output, between two marker lines.
//                           With a file, verify also checks a run that a crash cut short
//     MMAPSTRESS_VERIFY_REPORT   verify's; default verify.json beside MMAPSTRESS_REPORT
//
// Exit status: 0 every byte as expected, 1 damage found, 2 wrong settings, 3 could not tell.
#include "fusefs/base/units.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/engine/rounds.hpp"
#include "tools/mmapstress/report/load_report.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/verify/recheck.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <stdexcept>
#include <vector>

namespace mmapstress {
namespace {

/// A setting that is not valid. Only thrown at start-up.
struct BadSetting : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::optional<std::string> setting(const std::string& name) {
    const char* value = std::getenv(("MMAPSTRESS_" + name).c_str());
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

/// The setting as `parse` reads it, or nothing if it is not set.
template <typename Parse>
auto parsed(const std::string& name, Parse parse) -> decltype(parse(std::string_view())) {
    const auto text = setting(name);
    if (!text) {
        return std::nullopt;
    }
    auto value = parse(*text);
    if (!value) {
        throw BadSetting("MMAPSTRESS_" + name + "=" + *text + " makes no sense");
    }
    return value;
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

std::string required(const std::string& name) {
    const auto value = setting(name);
    if (!value) {
        throw BadSetting("MMAPSTRESS_" + name + " is not set");
    }
    return *value;
}

RunSettings run_settings() {
    RunSettings settings;
    settings.directory = required("DIR");
    settings.disk = setting("DISK").value_or("");
    settings.overwrite_device = setting("OVERWRITE_DEVICE").value_or("0") != "0";
    settings.keep = setting("KEEP").value_or("1") != "0";
    settings.report_file = setting("REPORT").value_or("");
    settings.helper_directory = setting("HELPER_DIR").value_or("");
    return settings;
}

WorkloadSettings workload_settings() {
    WorkloadSettings settings;
    settings.seed = parsed("SEED", number<std::uint64_t>).value_or(settings.seed);
    settings.size = parsed("SIZE", partialfs::base::parse_size);
    settings.files = parsed("FILES", number<std::uint32_t>);
    settings.ops = parsed("OPS", number<std::uint64_t>);
    settings.threads = parsed("THREADS", number<std::uint16_t>);
    settings.processes = parsed("PROCESSES", number<std::uint16_t>);
    settings.commit_by = parsed("COMMIT_BY", from_name<CommitBy>).value_or(settings.commit_by);
    settings.memory = parsed("MEMORY", partialfs::base::parse_size).value_or(settings.memory);
    return settings;
}

/// Prints the result in one line for the console, and writes or prints the report.
Verdict deliver(const RunResult& result, const std::string& path) {
    for (const Problem& problem : result.problems) {
        std::fprintf(stderr, "mmapstress: %s\n", problem.message.c_str());
    }
    std::fprintf(stderr, "mmapstress: %s: %llu operations, %zu damaged ranges\n",
                 std::string(name_of(result.verdict())).c_str(),
                 static_cast<unsigned long long>(result.ops), result.damage.size());
    if (path.empty()) {
        const auto state = result.interrupted ? ReportState::interrupted : ReportState::finished;
        const std::string json = report_json(result, state);
        std::printf("-----BEGIN MMAPSTRESS REPORT-----\n%s-----END MMAPSTRESS REPORT-----\n",
                    json.c_str());
        return std::fflush(stdout) == 0 ? result.verdict()
                                        : worse_of(result.verdict(), Verdict::unknown);
    }
    if (const auto written = write_report(path, result); !written) {
        std::fprintf(stderr, "mmapstress: %s\n", written.error().c_str());
        return worse_of(result.verdict(), Verdict::unknown);
    }
    return result.verdict();
}

Verdict refuse(const StartError& error) {
    std::fprintf(stderr, "mmapstress: %s\n", error.message.c_str());
    return error.verdict;
}

Verdict run_schedule(RunSettings settings, const std::string& path) {
    const auto schedule = load_schedule(path);
    if (!schedule) {
        return refuse({Verdict::usage, schedule.error()});
    }
    settings.may_have = kinds_in(*schedule);
    const WorkloadInfo* const workload = workload_named(schedule->header.workload);
    const auto result =
        run(settings, source_of(*schedule), workload == nullptr ? nullptr : workload->judge);
    return result ? deliver(*result, setting("REPORT").value_or("")) : refuse(result.error());
}

Verdict run_workload(const RunSettings& settings) {
    const std::string name = setting("WORKLOAD").value_or("mix");
    std::vector<const WorkloadInfo*> named;
    for (const WorkloadInfo& workload : workloads()) {
        if (name == "all" || name == workload.name) {
            named.push_back(&workload);
        }
    }
    if (named.empty()) {
        throw BadSetting("MMAPSTRESS_WORKLOAD=" + name + ": there is no such workload");
    }
    const auto done =
        run_rounds(settings, {.workloads = named,
                              .settings = workload_settings(),
                              .duration = parsed("DURATION", partialfs::base::parse_duration)});
    return done ? deliver(done->result, setting("REPORT").value_or("")) : refuse(done.error());
}

Verdict verify() {
    const std::string path = required("REPORT");
    const auto loaded = load_report(path);
    if (!loaded) {
        return refuse({Verdict::usage, loaded.error()});
    }
    const std::size_t slash = path.rfind('/');
    const std::string beside = path.substr(0, slash == std::string::npos ? 0 : slash + 1);
    const WorkloadInfo* const workload = workload_named(loaded->report.result.header.workload);
    const auto result =
        recheck(run_settings(), *loaded, workload == nullptr ? nullptr : workload->judge);
    return result ? deliver(*result, setting("VERIFY_REPORT").value_or(beside + "verify.json"))
                  : refuse(result.error());
}

} // namespace
} // namespace mmapstress

int main(int argc, char** argv) try {
    using namespace mmapstress;
    const std::string_view command = argc > 1 ? argv[1] : "run";
    Verdict verdict = Verdict::usage;
    if (command == "workloads") {
        for (const WorkloadInfo& workload : workloads()) {
            std::printf("%s\n", std::string(workload.name).c_str());
        }
        return 0;
    }
    if (command == "verify") {
        verdict = verify();
    } else if (command != "run") {
        throw BadSetting("the only commands are run, which is the default, verify and workloads");
    } else if (const auto schedule = setting("SCHEDULE")) {
        verdict = run_schedule(run_settings(), *schedule);
    } else {
        verdict = run_workload(run_settings());
    }
    return static_cast<int>(verdict);
} catch (const mmapstress::BadSetting& error) {
    std::fprintf(stderr, "mmapstress: %s\n", error.what());
    return static_cast<int>(mmapstress::Verdict::usage);
} catch (const std::exception& error) {
    std::fprintf(stderr, "mmapstress: %s\n", error.what());
    return static_cast<int>(mmapstress::Verdict::unknown);
}
