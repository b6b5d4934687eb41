// The reports of several runs as one: as JSON, and as test cases.
//
// One JSON object:
//     "format": "mmapstress-campaign", "version": 1, "made_by": the tool's version
//     "verdict": as a report's
//     "seed": the campaign's, "shards": how many; both null if the runs are not shards
//     "reports": [{"path", "shard": its number or null, "verdict", "workload", "seed" (of the last
//                round), "kernel", "filesystem", "rounds", "operations", "damaged_ranges"}]
//     "totals": of all runs, as a report's
//     "known_faults": ["K1", ...], those that any of the runs met
//     "problems": [why less is known than the reports say: shards without a report]
//     "not_clean": [the whole reports of the runs that were not clean, as they were]
#pragma once

#include "tools/mmapstress/report/formats.hpp"
#include "tools/mmapstress/result/campaign.hpp"

#include <cstddef>
#include <string>

namespace mmapstress {

/// The campaign as JSON text, ended by a newline.
std::string campaign_json(const Campaign& campaign);

/// A test case for each report, and for each problem.
TestSuite suite_of(const Campaign& campaign, std::size_t max_ranges);

/// "shard 3/8", or the report's path if the run is not a shard.
std::string name_of(const Campaign::Part& part);

} // namespace mmapstress
