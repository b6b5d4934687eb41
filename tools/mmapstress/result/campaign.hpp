// The reports of several runs, of one campaign's shards say, as one result.
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
        std::string path; ///< its report's
        RunResult result;
        bool came_to_its_end = true; ///< else the run was killed, or is still going on

        /// As the result's; of a run that did not come to its end "could not tell" at the best.
        [[nodiscard]] Verdict verdict() const;
    };
    std::vector<Part> parts; ///< in the order of their shards, if they have any
    Totals totals;           ///< of all of them
    /// Why less is known than the parts say: shards whose reports are missing.
    std::vector<std::string> problems;

    /// The worst of all parts; "could not tell" at the best if there are problems.
    [[nodiscard]] Verdict verdict() const;
    /// What all parts are shards of; nothing if they are of none.
    [[nodiscard]] std::optional<Shard> shard() const;
};

/// Puts parts together. The error says which reports do not belong together: shards of two
/// campaigns, one shard twice, a shard and a run that is none.
std::expected<Campaign, std::string> merge(std::vector<Campaign::Part> parts);

} // namespace mmapstress
