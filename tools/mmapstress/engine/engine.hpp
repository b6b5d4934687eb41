// Carries a schedule out in a directory and says what became of the bytes.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"
#include "tools/schedule/op_source.hpp"

#include <expected>

namespace mmapstress {

/// Carries the schedule out on fresh files in a fresh directory below settings.directory, verifies
/// it in every stage, and removes the files again unless they are to be kept or damage was found.
/// `judge`, if given, is asked after eviction, with a source of its own from the factory.
/// Not to be called twice at the same time in one process: it handles SIGBUS while it runs.
std::expected<RunResult, StartError> run(const RunSettings& settings,
                                         const OpSourceFactory& factory, Judge judge = nullptr);

} // namespace mmapstress
