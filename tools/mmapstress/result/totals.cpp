#include "tools/mmapstress/result/totals.hpp"

#include "tools/mmapstress/result/run_result.hpp"

#include <algorithm>

namespace mmapstress {

void Totals::add(const RunResult& round) {
    ++rounds;
    ops += round.ops;
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        ops_by_kind[i] += round.ops_by_kind[i];
    }
    seconds += round.seconds;
    for (std::size_t i = 0; i < kStages; ++i) {
        stages[i].bytes += round.stages[i].bytes;
        stages[i].stored += round.stages[i].stored;
        stages[i].wrong += round.stages[i].wrong;
        stages[i].seconds += round.stages[i].seconds;
    }
    past_eof += round.past_eof.size();
    auto of = std::ranges::find(workloads, round.header.workload, &OfWorkload::workload);
    if (of == workloads.end()) {
        workloads.push_back({round.header.workload, 0, 0});
        of = std::prev(workloads.end());
    }
    ++of->rounds;
    of->ops += round.ops;
}

std::string Totals::workload() const {
    return workloads.size() > 1 ? "all" : workloads.empty() ? "" : workloads.front().workload;
}

std::uint64_t Totals::bytes_after_eviction() const {
    std::uint64_t bytes = 0;
    for (const Stage stage : {Stage::evicted, Stage::direct, Stage::disk}) {
        bytes += stages[static_cast<std::size_t>(stage)].bytes;
    }
    return bytes;
}

} // namespace mmapstress
