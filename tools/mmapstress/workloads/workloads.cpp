#include "tools/mmapstress/workloads/apt/workload.hpp"
#include "tools/mmapstress/workloads/sources.hpp"
#include "tools/mmapstress/workloads/torrent.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <algorithm>
#include <array>

namespace mmapstress {

namespace {

constexpr std::array kWorkloads{
    WorkloadInfo{.name = "wild",
                 .line =
                     "everything there is, weighted, on sparse, written and large files, by 1 to "
                     "4 workers",
                 .make = make_wild,
                 .judge = nullptr,
                 .may_have_any = true},
    WorkloadInfo{
        "mix",
        "small hot files: random stores into parts of pages, with commits and fsyncs in between",
        make_mix, nullptr},
    WorkloadInfo{"recipe",
                 "write, store, commit, store, fsync: the shortest certain loss, page by page",
                 make_recipe, nullptr},
    WorkloadInfo{"linus",
                 "1460-byte chunks in random order through one mapping, as in December 2006",
                 make_linus, nullptr, linus_story},
    WorkloadInfo{kTorrentName,
                 "pieces received straight into mappings, then checked by hash, as "
                 "rtorrent does",
                 make_torrent, judge_torrent},
    WorkloadInfo{kAptName,
                 "a package cache built as Debian's apt of 2006 did, then walked from disk",
                 make_apt, judge_apt},
    WorkloadInfo{"pressure",
                 "more dirty data than memory: background writeback and reclaim write it",
                 make_pressure, nullptr, nullptr, /*exceeds_memory=*/true},
    WorkloadInfo{.name = "gup",
                 .line =
                     "the kernel stores into mappings (O_DIRECT reads and others) while the file "
                     "changes its size",
                 .make = make_gup,
                 .judge = nullptr,
                 .may_have_any = true},
    WorkloadInfo{.name = "grow",
                 .line =
                     "files grow while others store into their last pages, and behind their ends",
                 .make = make_grow,
                 .judge = nullptr,
                 .may_have_any = true},
    WorkloadInfo{.name = "writeback",
                 .line = "stores into pages while other threads write them back",
                 .make = make_writeback,
                 .judge = nullptr,
                 .may_have_any = true},
};

} // namespace

std::span<const WorkloadInfo> workloads() {
    return kWorkloads;
}

const WorkloadInfo* workload_named(std::string_view name) {
    const auto* found = std::ranges::find(kWorkloads, name, &WorkloadInfo::name);
    return found == kWorkloads.end() ? nullptr : found;
}

std::expected<Header, std::string> header_for(const WorkloadSettings& settings,
                                              std::string_view workload, ByteCount default_size,
                                              std::uint32_t default_files,
                                              std::uint16_t default_threads) {
    Header header;
    header.seed = settings.seed;
    header.workload = workload;
    header.threads = settings.threads.value_or(settings.processes ? 1 : default_threads);
    header.processes = settings.processes.value_or(1);
    header.commit_by = settings.commit_by;
    const ByteCount size = settings.size.value_or(default_size);
    const std::uint32_t files = settings.files.value_or(default_files);
    if (size.value == 0 || files == 0) {
        return std::unexpected(std::string(workload) + " needs a file that is not empty");
    }
    if (header.workers() == 0 || header.workers() > 1024) {
        return std::unexpected("1 to 1024 workers, not " + std::to_string(header.workers()));
    }
    header.files.assign(files, FileSpec{size, Start::sparse, {}});
    return header;
}

} // namespace mmapstress
