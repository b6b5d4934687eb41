#include "tools/mmapstress/engine/rounds.hpp"

#include "tools/mmapstress/engine/engine.hpp"

namespace mmapstress {

std::expected<RoundsResult, StartError> run_rounds(const RunSettings& settings, Rounds rounds) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const auto time_is_up = [&] {
        return rounds.duration && Clock::now() - begin >= *rounds.duration;
    };
    RunSettings each = settings;
    if (rounds.workload.name == "pressure") {
        each.memory_limit = rounds.settings.memory;
    }
    each.stop = [&] { return (settings.stop && settings.stop()) || time_is_up(); };
    for (std::uint64_t round = 1;; ++round, ++rounds.settings.seed) {
        if (const auto source = rounds.workload.make(rounds.settings); !source) {
            return std::unexpected(StartError{Verdict::usage, source.error()});
        }
        each.made_of = rounds.settings;
        each.stored_before = round > 1;
        OpSourceFactory factory = [make = rounds.workload.make, wanted = rounds.settings] {
            auto source = make(wanted);
            return std::move(*source); // the same settings have just been accepted
        };
        if (rounds.begin) {
            rounds.begin(round);
        }
        auto result = run(each, factory, rounds.workload.judge);
        if (!result) {
            return std::unexpected(std::move(result.error()));
        }
        result->rounds = round;
        if (!rounds.duration || each.stop() || result->verdict() != Verdict::clean) {
            return RoundsResult{std::move(*result), std::move(factory)};
        }
    }
}

} // namespace mmapstress
