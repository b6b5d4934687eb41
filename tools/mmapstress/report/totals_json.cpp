#include "tools/mmapstress/report/totals_json.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace mmapstress {

using Json = nlohmann::ordered_json;

Json kinds_json(const std::array<std::uint64_t, kOpKinds>& counts) {
    Json kinds = Json::object();
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        if (counts[i] != 0) {
            kinds[std::string(traits_of(static_cast<OpKind>(i)).name)] = counts[i];
        }
    }
    return kinds;
}

Json totals_json(const Totals& totals) {
    Json workloads = Json::array();
    for (const Totals::OfWorkload& of : totals.workloads) {
        workloads.push_back(
            {{"workload", of.workload}, {"rounds", of.rounds}, {"operations", of.ops}});
    }
    Json faults = Json::array();
    for (const Totals::OfFault& of : totals.known_faults) {
        faults.push_back({{"name", of.name},
                          {"rounds", of.rounds},
                          {"workload", of.workload},
                          {"seed", of.seed}});
    }
    Json stages = Json::array();
    for (std::size_t i = 0; i < kStages; ++i) {
        const Totals::OfStage& of = totals.stages[i];
        stages.push_back({{"stage", name_of(static_cast<Stage>(i))},
                          {"bytes", of.bytes},
                          {"stored", of.stored},
                          {"wrong", of.wrong},
                          {"seconds", of.seconds}});
    }
    return {{"rounds", totals.rounds},           {"operations", totals.ops},
            {"seconds", totals.seconds},         {"by_kind", kinds_json(totals.ops_by_kind)},
            {"past_eof", totals.past_eof},       {"workloads", std::move(workloads)},
            {"known_faults", std::move(faults)}, {"stages", std::move(stages)}};
}

} // namespace mmapstress
