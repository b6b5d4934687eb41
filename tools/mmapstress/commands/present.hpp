// What the user sees of a run: the progress, and the result in the format asked for.
#pragma once

#include "fusefs/base/colour.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

enum class Format : std::uint8_t { human, json, ktap, junit };

struct Output {
    Format format = Format::human;
    std::size_t max_ranges = 20; ///< damaged ranges shown; all are in the report
};

/// The result as text for a person. `story`: more lines about the damage, from the workload.
std::string human_text(const RunResult& result, std::size_t max_ranges,
                       const std::vector<std::string>& story,
                       const partialfs::base::Colours& colours = {});

/// The result in the format asked for.
std::string present(const RunResult& result, const Output& output,
                    const std::vector<std::string>& story);

/// The size of a whole run, as far as it is known.
struct Extent {
    std::optional<std::uint64_t> ops;
    std::optional<std::chrono::milliseconds> duration;
    std::uint64_t rounds = 1; ///< without a duration
};

/// Shows the progress on standard error (ProgressLine). `round` is the current round, counted from
/// 1; it must outlive the function.
std::function<void(const Progress&)> progress_bar(const Extent& extent, const std::uint64_t& round);

/// Writes to standard output, all of it; false if that fails.
bool print(const std::string& text);
/// "mmapstress: message" on standard error.
void complain(const std::string& message);

} // namespace mmapstress
