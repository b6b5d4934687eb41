// The reports of several runs, for example of a campaign's shards, as one result.
//
// Plain values; pure.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

struct Campaign {
    struct Part {
        std::string path; ///< of its report
        RunResult result;
        bool came_to_its_end = true; ///< else the run was killed, or is still going on

        /// The result's; "could not tell" at best if the run did not come to its end.
        [[nodiscard]] Verdict verdict() const;
    };
    std::vector<Part> parts; ///< in the order of their shards, if they have any
    Totals totals;           ///< of all of them
    /// Why less is known than the parts say: shards whose reports are missing.
    std::vector<std::string> problems;

    /// The worst of all parts; "could not tell" at best if there are problems.
    [[nodiscard]] Verdict verdict() const;
    /// The shard of the first part: its `of` and `seed` are those of all parts. Nothing if the
    /// parts are not shards.
    [[nodiscard]] std::optional<Shard> shard() const;
};

/// Merges the parts. The error says which reports do not belong together: shards of two campaigns,
/// one shard twice, a shard and a run that is not one.
std::expected<Campaign, std::string> merge(std::vector<Campaign::Part> parts);

} // namespace mmapstress
