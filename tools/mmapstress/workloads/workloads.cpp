#include "tools/mmapstress/workloads/apt/workload.hpp"
#include "tools/mmapstress/workloads/sources.hpp"
#include "tools/mmapstress/workloads/torrent.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <algorithm>
#include <array>

namespace mmapstress {

namespace {

constexpr std::array kWorkloads{
    WorkloadInfo{"mix",
                 "small hot files, random sub-page stores, commits and independent fsyncs between",
                 make_mix, nullptr},
    WorkloadInfo{"recipe",
                 "write, store, commit, store, fsync: the shortest sure loss, page by page",
                 make_recipe, nullptr},
    WorkloadInfo{"linus",
                 "1460-byte chunks in random order through one mapping, as in December 2006",
                 make_linus, nullptr},
    WorkloadInfo{kTorrentName,
                 "pieces received straight into mappings, then checked by hash, as "
                 "rtorrent does",
                 make_torrent, judge_torrent},
    WorkloadInfo{kAptName,
                 "a package cache built as Debian's apt of 2006 did, then walked from disk",
                 make_apt, judge_apt},
    WorkloadInfo{"pressure",
                 "more dirty data than memory: background writeback and reclaim write it",
                 make_pressure, nullptr},
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
                                              std::uint32_t default_files) {
    Header header;
    header.seed = settings.seed;
    header.workload = workload;
    header.threads = settings.threads;
    header.processes = settings.processes;
    header.commit_by = settings.commit_by;
    const ByteCount size = settings.size.value_or(default_size);
    const std::uint32_t files = settings.files.value_or(default_files);
    if (size.value == 0 || files == 0) {
        return std::unexpected(std::string(workload) + " needs a file of some size");
    }
    if (header.workers() == 0 || header.workers() > 1024) {
        return std::unexpected("1 to 1024 workers, not " + std::to_string(header.workers()));
    }
    header.files.assign(files, FileSpec{size, Start::sparse, {}});
    return header;
}

} // namespace mmapstress
