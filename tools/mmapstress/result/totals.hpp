// The sums over all rounds of a run.
#pragma once

#include "tools/mmapstress/result/damage.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

struct RunResult;

/// Plain sums.
struct Totals {
    struct OfWorkload {
        std::string workload; ///< empty: a replayed schedule
        std::uint64_t rounds = 0;
        std::uint64_t ops = 0;

        bool operator==(const OfWorkload&) const = default;
    };
    /// Rounds that met a known fault of the kernel (known_faults.hpp).
    struct OfFault {
        std::string name; ///< "K1"
        std::uint64_t rounds = 0;
        std::string workload; ///< of the first of them
        std::uint64_t seed = 0;

        bool operator==(const OfFault&) const = default;
    };
    struct OfStage {
        std::uint64_t bytes = 0;  ///< compared
        std::uint64_t stored = 0; ///< of the files' bytes, those that operations put there
        std::uint64_t wrong = 0;
        double seconds = 0;

        bool operator==(const OfStage&) const = default;
    };

    std::uint64_t rounds = 0;
    std::uint64_t ops = 0;
    std::array<std::uint64_t, kOpKinds> ops_by_kind{};
    double seconds = 0; ///< the time for carrying out the operations
    std::array<OfStage, kStages> stages;
    std::uint64_t past_eof = 0; ///< ranges stored past the end of a file that appeared; no damage
    std::vector<OfWorkload> workloads;
    std::vector<OfFault> known_faults; ///< in the order in which they were first met

    bool operator==(const Totals&) const = default;
    /// Adds one more round.
    void add(const RunResult& round);
    /// Adds the rounds of another run.
    void add(const Totals& others);
    /// The workload; "all" if there are several.
    [[nodiscard]] std::string workload() const;
    [[nodiscard]] bool has_met(std::string_view fault) const;
    /// Bytes compared after eviction, in all stages together.
    [[nodiscard]] std::uint64_t bytes_after_eviction() const;
};

} // namespace mmapstress
