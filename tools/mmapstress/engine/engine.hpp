// Carries a schedule out in a directory, and reports what became of the bytes.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"
#include "tools/schedule/op_source.hpp"

#include <expected>

namespace mmapstress {

/// Carries the schedule out on new files in a new directory below settings.directory, verifies it
/// in every stage, and removes the files again unless the settings keep them or damage was found.
/// Calls `judge`, if given, after eviction, with its own source from the factory. Do not call this
/// twice at the same time in one process: it handles SIGBUS while it runs.
std::expected<RunResult, StartError> run(const RunSettings& settings,
                                         const OpSourceFactory& factory, Judge judge = nullptr);

} // namespace mmapstress
