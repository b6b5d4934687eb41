// Explains each damaged range of a report: which store was lost, which bytes are there instead, the
// history of the page, and how the filesystem lost the store.
//
// Pure: no I/O.
#pragma once

#include "fusefs/base/colour.hpp"
#include "tools/mmapstress/explain/loss_chain.hpp"
#include "tools/mmapstress/report/report.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

/// What is known besides the report.
struct Evidence {
    std::optional<Schedule> schedule;             ///< else the pages' histories are left out
    std::optional<std::vector<TraceEvent>> trace; ///< else the chains are left out
};

struct ExplainStyle {
    std::size_t max_ranges = 20; ///< at most so many are explained; the others are counted
    /// Everything that is known about a range, instead of ten lines at most.
    bool all = false;
    partialfs::base::Colours colours;
};

/// The explanation as text for a person.
std::string explain(const Report& report, const Evidence& evidence, const ExplainStyle& style);

/// When the story begins: at the first event of the trace or the first named operation, whichever
/// is earlier.
partialfs::model::Nanoseconds first_time(const RunResult& result, const Evidence& evidence);

/// The path of a run's file as it stands in the trace of its mount.
std::string trace_path(const RunResult& result, FileIndex file);

} // namespace mmapstress
