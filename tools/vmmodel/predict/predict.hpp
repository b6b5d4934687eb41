// What a schedule leaves damaged on disk: its operations are passed to a predictor one by one.
//
// Not thread-safe.
#pragma once

#include "tools/schedule/schedule.hpp"
#include "tools/vmmodel/predict/predictor.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace vmmodel {

/// The number of an operation in the prediction: its id.
inline OpNumber number_of(const mmapstress::Op& op) {
    return OpNumber{op.id.value};
}

/// Carries a schedule out on a predictor. tools/schedule/op.hpp says what each operation does.
class ScheduleRunner {
  public:
    /// Both must outlive the runner.
    ScheduleRunner(const mmapstress::Schedule& schedule, Predictor& predictor);

    /// Why the schedule cannot be predicted; nothing if it can.
    [[nodiscard]] std::optional<std::string> refusal() const;

    /// The files as they start.
    void start();
    /// One operation of the schedule.
    void apply(const mmapstress::Op& op);
    /// What the schedule's `end` says, for every file in turn.
    void end();
    /// Everything leaves the page cache.
    void evict();

  private:
    struct File {
        FileNumber number;
        /// The range of the file that each mapping covers, in whole pages; empty: no mapping.
        std::vector<partialfs::model::ByteRange> maps;
    };

    File& file_of(const mmapstress::Op& op) { return files_.at(op.file.value); }
    [[nodiscard]] MapNumber map_of(const mmapstress::Op& op) const;
    [[nodiscard]] partialfs::model::ByteRange whole_or_range(const mmapstress::Op& op) const;
    [[nodiscard]] std::vector<std::byte> bytes_of(const mmapstress::Op& op,
                                                  partialfs::model::ByteOffset offset) const;
    MapNumber mapped(File& file, MapNumber map, partialfs::model::ByteRange range);
    partialfs::model::ByteRange covered_by(File& file, MapNumber map);
    void make_map(File& file, MapNumber map, partialfs::model::ByteRange range);
    void drop_map(File& file, MapNumber map);
    void drop_map_everywhere(const mmapstress::Op& op, File& file);
    void drop_maps(File& file);
    void apply_mapped(const mmapstress::Op& op, File& file);
    void fork_store(const mmapstress::Op& op, File& file);
    void drop_from_cache(File& file);
    void syncfs();

    const mmapstress::Schedule& schedule_;
    Predictor& predictor_;
    std::vector<File> files_;
};

struct Prediction {
    std::vector<Damage> damage;
    std::vector<std::string> doubts;
};

/// Runs the whole schedule on a fresh predictor. An error says why it cannot be predicted.
std::expected<Prediction, std::string> predict(const mmapstress::Schedule& schedule,
                                               Predictor& predictor);

} // namespace vmmodel
