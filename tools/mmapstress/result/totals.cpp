#include "tools/mmapstress/result/totals.hpp"

#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/mmapstress/result/run_result.hpp"

#include <algorithm>
#include <functional>

namespace mmapstress {

void Totals::add(const RunResult& round) {
    Totals one;
    one.rounds = 1;
    one.ops = round.ops;
    one.ops_by_kind = round.ops_by_kind;
    one.seconds = round.seconds;
    std::ranges::transform(round.stages, one.stages.begin(), [](const StageResult& stage) {
        return OfStage{stage.bytes, stage.stored, stage.wrong, stage.seconds};
    });
    one.past_eof = round.past_eof.size();
    one.workloads.push_back({round.header.workload, 1, round.ops});
    for (const KnownFault& fault : mmapstress::known_faults(round)) {
        one.known_faults.push_back(
            {std::string(fault.name), 1, round.header.workload, round.header.seed});
    }
    add(one);
}

void Totals::add(const Totals& others) {
    rounds += others.rounds;
    ops += others.ops;
    std::ranges::transform(ops_by_kind, others.ops_by_kind, ops_by_kind.begin(), std::plus{});
    seconds += others.seconds;
    for (std::size_t i = 0; i < kStages; ++i) {
        stages[i].bytes += others.stages[i].bytes;
        stages[i].stored += others.stages[i].stored;
        stages[i].wrong += others.stages[i].wrong;
        stages[i].seconds += others.stages[i].seconds;
    }
    past_eof += others.past_eof;
    for (const OfWorkload& other : others.workloads) {
        auto of = std::ranges::find(workloads, other.workload, &OfWorkload::workload);
        if (of == workloads.end()) {
            of = workloads.insert(of, {other.workload, 0, 0});
        }
        of->rounds += other.rounds;
        of->ops += other.ops;
    }
    for (const OfFault& other : others.known_faults) {
        const auto of = std::ranges::find(known_faults, other.name, &OfFault::name);
        if (of == known_faults.end()) {
            known_faults.push_back(other);
        } else {
            of->rounds += other.rounds;
        }
    }
}

bool Totals::has_met(std::string_view fault) const {
    return std::ranges::find(known_faults, fault, &OfFault::name) != known_faults.end();
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
