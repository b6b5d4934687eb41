#include "tools/vmmodel/commands/commands.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

std::string human(const SimulateSettings& settings, const SimulationResult& result,
                  double seconds) {
    std::string out;
    for (const LostVersion& loss : result.losses) {
        out += loss_line(loss);
    }
    if (result.lost > result.losses.size()) {
        out += fmt::format("... and {} more\n", result.lost - result.losses.size());
    }
    out += fmt::format(
        "{}, {}, seed {}: {} operations, {} stores, {} lost, {} passed over and healed, {} of {} "
        "fsyncs not durable; {:.1f} million operations a second\n",
        rules_of(settings.simulation.era).name, rules_of(settings.simulation.filesystem).name,
        settings.simulation.seed, result.operations, result.stores, result.lost, result.healed,
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
    const SimulationResult result = simulate(settings.simulation, settings.max_losses, nullptr);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return print(settings.json ? json(settings, result, seconds) : human(settings, result, seconds),
                 result.lost + result.broken_syncs == 0 ? kClean : kHarm);
}

} // namespace vmmodel
