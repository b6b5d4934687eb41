#include "tools/mmapstress/report/campaign_report.hpp"

#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/report/report_words.hpp"
#include "tools/mmapstress/report/totals_json.hpp"
#include "tools/mmapstress/result/known_faults.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace mmapstress {

namespace {

using Json = nlohmann::ordered_json;

ReportState state_of(const Campaign::Part& part) {
    return !part.came_to_its_end     ? ReportState::running
           : part.result.interrupted ? ReportState::interrupted
                                     : ReportState::finished;
}

std::size_t damaged_ranges(const RunResult& result) {
    return result.damage.size() + result.damage_not_kept;
}

Json part_json(const Campaign::Part& part) {
    const RunResult& result = part.result;
    return {{"path", part.path},
            {"shard", result.shard ? Json(result.shard->number) : Json()},
            {"verdict", name_of(part.verdict())},
            {"workload", result.header.workload},
            {"seed", result.header.seed},
            {"kernel", result.kernel},
            {"filesystem", result.filesystem},
            {"rounds", result.rounds},
            {"operations", result.totals.ops},
            {"damaged_ranges", damaged_ranges(result)}};
}

std::set<std::string> faults_of(const Campaign& campaign) {
    std::set<std::string> names;
    for (const Campaign::Part& part : campaign.parts) {
        for (const KnownFault& fault : known_faults(part.result)) {
            names.emplace(fault.name);
        }
        for (const Totals::OfFault& fault : part.result.totals.known_faults) {
            names.insert(fault.name);
        }
    }
    return names;
}

/// The result of a part, in one line.
std::string outcome(const Campaign::Part& part) {
    const RunResult& result = part.result;
    if (part.verdict() == Verdict::damaged) {
        return std::to_string(damaged_ranges(result)) + " damaged ranges by " +
               result.header.workload + ", seed " + std::to_string(result.header.seed) + "; see " +
               part.path;
    }
    if (!part.came_to_its_end) {
        return part.path + ": the run has not come to its end";
    }
    return result.problems.empty() ? std::string(name_of(part.verdict()))
                                   : result.problems.front().message;
}

TestCase case_of(const Campaign::Part& part, std::size_t max_ranges) {
    TestCase test{name_of(part), TestCase::State::passed, {}, {}, part.result.totals.seconds};
    if (part.verdict() == Verdict::clean) {
        return test;
    }
    test.state =
        part.verdict() == Verdict::damaged ? TestCase::State::failed : TestCase::State::error;
    test.message = outcome(part);
    for (const TestCase& of_run : suite_of(part.result, max_ranges).tests) {
        std::ranges::copy(of_run.details, std::back_inserter(test.details));
    }
    return test;
}

} // namespace

std::string name_of(const Campaign::Part& part) {
    const std::optional<Shard>& shard = part.result.shard;
    return shard ? "shard " + std::to_string(shard->number) + "/" + std::to_string(shard->of)
                 : part.path;
}

std::string campaign_json(const Campaign& campaign) {
    const std::optional<Shard> shard = campaign.shard();
    Json reports = Json::array();
    Json not_clean = Json::array();
    for (const Campaign::Part& part : campaign.parts) {
        reports.push_back(part_json(part));
        if (part.verdict() != Verdict::clean) {
            not_clean.push_back(Json::parse(report_json(part.result, state_of(part))));
        }
    }
    const Json report{{"format", "mmapstress-campaign"},
                      {"version", 1},
                      {"made_by", kToolVersion},
                      {"verdict", name_of(campaign.verdict())},
                      {"seed", shard ? Json(shard->seed) : Json()},
                      {"shards", shard ? Json(shard->of) : Json()},
                      {"reports", std::move(reports)},
                      {"totals", totals_json(campaign.totals)},
                      {"known_faults", faults_of(campaign)},
                      {"problems", campaign.problems},
                      {"not_clean", std::move(not_clean)}};
    return report.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

TestSuite suite_of(const Campaign& campaign, std::size_t max_ranges) {
    const std::optional<Shard> shard = campaign.shard();
    TestSuite suite;
    suite.name = "mmapstress.campaign";
    suite.seed = shard ? shard->seed : campaign.parts.front().result.header.seed;
    suite.passed = campaign.verdict() == Verdict::clean;
    suite.properties = {
        {"rounds", std::to_string(campaign.totals.rounds)},
        {"operations", std::to_string(campaign.totals.ops)},
        {"bytes-compared-after-eviction", std::to_string(campaign.totals.bytes_after_eviction())}};
    for (const std::string& name : faults_of(campaign)) {
        suite.properties.emplace_back("known-fault", name);
    }
    for (const Campaign::Part& part : campaign.parts) {
        suite.tests.push_back(case_of(part, max_ranges));
    }
    for (const std::string& problem : campaign.problems) {
        suite.tests.push_back({problem, TestCase::State::error, problem, {}, 0});
    }
    return suite;
}

} // namespace mmapstress
