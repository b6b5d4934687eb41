#include "tools/vmmodel/commands/commands.hpp"
#include "tools/vmmodel/show/patience.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace vmmodel {

namespace {

using Json = nlohmann::ordered_json;

std::string loss_line(const LostVersion& loss) {
    return fmt::format("operation {}: page {} block {}: version {} is gone, the disk has {} "
                       "(passed over by the writepage of operation {}{})\n",
                       loss.operation, loss.page.value, loss.block.value, loss.in_memory,
                       loss.on_disk, loss.lost_by,
                       loss.cleaned_by == 0
                           ? std::string{}
                           : fmt::format("; cleaned by the commit of {}", loss.cleaned_by));
}

std::string human(const SimulateSettings& settings, const SimulationResult& result, double seconds,
                  const partialfs::base::Colours& colours) {
    std::string out;
    for (const LostVersion& loss : result.losses) {
        out += loss_line(loss);
    }
    if (result.lost > result.losses.size()) {
        out += fmt::format("... and {} more\n", result.lost - result.losses.size());
    }
    const std::string count = fmt::format("{} lost", result.lost);
    const std::string lost = result.lost == 0 ? colours.as_good(count) : colours.as_bad(count);
    out += fmt::format(
        "{}, {}, seed {}: {} operations, {} stores, {}, {} passed over and healed, {} of {} "
        "fsyncs not durable; {:.1f} million operations a second\n",
        rules_of(settings.simulation.era).name, rules_of(settings.simulation.filesystem).name,
        settings.simulation.seed, result.operations, result.stores, lost, result.healed,
        result.broken_syncs, result.syncs, static_cast<double>(result.operations) / seconds / 1e6);
    return out;
}

std::string json(const SimulateSettings& settings, const SimulationResult& result, double seconds) {
    Json losses = Json::array();
    for (const LostVersion& loss : result.losses) {
        losses.push_back({{"operation", loss.operation},
                          {"page", loss.page.value},
                          {"block", loss.block.value},
                          {"in_memory", loss.in_memory},
                          {"on_disk", loss.on_disk},
                          {"lost_by", loss.lost_by},
                          {"cleaned_by", loss.cleaned_by}});
    }
    const Json all{{"era", rules_of(settings.simulation.era).name},
                   {"filesystem", rules_of(settings.simulation.filesystem).name},
                   {"seed", settings.simulation.seed},
                   {"operations", result.operations},
                   {"stores", result.stores},
                   {"lost", result.lost},
                   {"healed", result.healed},
                   {"fsyncs", result.syncs},
                   {"fsyncs_not_durable", result.broken_syncs},
                   {"seconds", seconds},
                   {"losses", std::move(losses)}};
    return all.dump(2) + '\n';
}

} // namespace

int simulate_command(const SimulateSettings& settings) {
    const auto begin = std::chrono::steady_clock::now();
    std::atomic<std::uint64_t> done{0};
    SimulationResult result;
    {
        const Patience patience(
            [&] {
                return static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(
                                                       settings.simulation.operations, 1));
            },
            [&] { return fmt::format("{} operations", done.load()); });
        result = simulate(settings.simulation, settings.max_losses, nullptr, &done);
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return print(settings.json ? json(settings, result, seconds)
                               : human(settings, result, seconds, output_colours()),
                 result.lost + result.broken_syncs == 0 ? kClean : kHarm);
}

} // namespace vmmodel
