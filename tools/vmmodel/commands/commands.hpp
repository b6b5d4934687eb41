// The commands of vmmodel, one function each: settings in, text on the standard output, exit code.
#pragma once

#include "fusefs/base/colour.hpp"
#include "tools/vmmodel/predict/predictor.hpp"
#include "tools/vmmodel/show/render.hpp"
#include "tools/vmmodel/simulate/simulate.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vmmodel {

/// The exit codes, as mmapstress has them.
enum ExitCode : int {
    kClean = 0,      ///< nothing is harmed, and that is certain
    kHarm = 1,       ///< a store is harmed
    kUsage = 2,      ///< wrong options or input
    kCannotTell = 3, ///< the search is incomplete
};

struct ExploreSettings {
    Era era = Era::linux_2_6_19;
    Filesystem filesystem = Filesystem::ordered;
    Bounds bounds = default_bounds();
    Races races = Races::automatic;
    ExploreLimits limits;
    Format format = Format::table;
};
int explore_command(const ExploreSettings& settings);

enum class TableFormat : std::uint8_t { table, markdown, json };
struct TableSettings {
    Bounds bounds = default_bounds();
    ExploreLimits limits;
    TableFormat format = TableFormat::table;
};
int table_command(const TableSettings& settings);

/// Who carries the schedule out: the era's kernel with the filesystem in it, or a modern kernel
/// with a FUSE daemon that plays the two.
enum class Through : std::uint8_t { kernel, fuse };

/// A setting that is not given is taken from the schedule's header, which may say what it ran
/// under; else it is ext3 of Linux 2.6.19, in the kernel.
struct PredictSettings {
    AskedSetting asked;
    std::optional<Through> through;
    std::optional<std::uint32_t> block_size; ///< else the schedule's own
    bool json = false;
    bool check = false; ///< compare with the recorded damage
    std::string path;
};
int predict_command(const PredictSettings& settings);

struct SimulateSettings {
    SimulationSettings simulation;
    std::size_t max_losses = 20;
    bool json = false;
};
int simulate_command(const SimulateSettings& settings);

struct PlaySettings {
    Era era = Era::linux_2_6_19;
    Filesystem filesystem = Filesystem::ordered;
    std::optional<std::uint32_t> block_size;
    std::string path; ///< empty: the shortest run that harms a store
    std::string id;   ///< which of the recorded schedules; empty: the first
};
/// Steps through a run on the terminal; where there is none, prints it.
int play_command(const PlaySettings& settings);

/// One line on the standard error: "vmmodel: ...". Returns the code.
int fail(ExitCode code, const std::string& why);
/// For the standard output: none unless it is a terminal.
partialfs::base::Colours output_colours();
/// The text on the standard output; kCannotTell if it could not be written.
int print(const std::string& text, int code);

} // namespace vmmodel
