#include "fusefs/base/try.hpp"
#include "tools/vmmodel/commands/commands.hpp"
#include "tools/vmmodel/predict/fuse_predictor.hpp"
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"
#include "tools/vmmodel/predict/schedule_file.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace vmmodel {

namespace {

using Json = nlohmann::ordered_json;
using partialfs::model::BlockSize;

bool equal(const std::vector<Damage>& predicted,
           const std::vector<mmapstress::DamagedBytes>& recorded) {
    return std::ranges::equal(predicted, recorded, [](const Damage& a, const auto& b) {
        return a.file.value == b.file.value && a.range == b.range;
    });
}

Json ranges_json(const auto& damage) {
    Json ranges = Json::array();
    for (const auto& one : damage) {
        ranges.push_back({one.file.value, one.range.begin.value, one.range.size().value});
    }
    return ranges;
}

/// The rules that a schedule is predicted by.
struct Rules {
    Era era;
    Filesystem filesystem;
    Through through;
};

/// What the schedule ran under, as far as it says so: a run on partialfs writes down the contract
/// and the flush policy.
Setting ran_under(const mmapstress::Header& header) {
    Setting setting;
    setting.era = era_from(header.contract).value_or(setting.era);
    if (setting.era == Era::linux_6_12_blockdev) {
        setting.filesystem = Filesystem::blockdev;
        return setting;
    }
    const auto policy = partialfs::base::from_name<partialfs::model::FlushPolicy>(header.policy);
    if (policy) {
        setting.filesystem = Filesystem::writeback; // a commit writes no data
        for (const FilesystemRules& one : kFilesystems) {
            if (one.flushes == policy) {
                setting.filesystem = one.filesystem;
            }
        }
    }
    return setting;
}

/// What the user asked for; what is left open comes from what the schedule ran under.
std::expected<Rules, std::string> rules_for(const PredictSettings& settings,
                                            const mmapstress::Header& header) {
    const auto setting = TRY(setting_for(settings.asked, ran_under(header)));
    const FilesystemRules& filesystem = rules_of(setting.filesystem);
    const bool by_a_daemon = !header.contract.empty() && !settings.asked.era &&
                             !settings.asked.filesystem &&
                             (filesystem.flushes || filesystem.is_block_device);
    return Rules{setting.era, setting.filesystem,
                 settings.through.value_or(by_a_daemon ? Through::fuse : Through::kernel)};
}

std::string json_line(const LoadedSchedule& loaded, const Prediction& prediction,
                      const Rules& settings) {
    Json line{{"id", loaded.name},
              {"era", rules_of(settings.era).name},
              {"filesystem", rules_of(settings.filesystem).name},
              {"damage", ranges_json(prediction.damage)}};
    Json causes = Json::array();
    for (const Damage& one : prediction.damage) {
        causes.push_back({{"lost_by", one.lost_by.value}, {"cleaned_by", one.cleaned_by.value}});
    }
    line["causes"] = std::move(causes);
    line["doubts"] = prediction.doubts;
    if (loaded.recorded) {
        line["recorded"] = ranges_json(loaded.damage);
        line["equal"] = equal(prediction.damage, loaded.damage);
    }
    return line.dump() + '\n';
}

std::string operation(OpNumber op, const mmapstress::Schedule& schedule) {
    for (const mmapstress::Op& one : schedule.ops) {
        if (one.id.value == op.value) {
            return fmt::format("operation {} ({})", op.value, traits_of(one.kind).name);
        }
    }
    return op.value == 0 ? "the start" : "the end of the schedule";
}

/// Why the writeback that lost the range on a block device passed over its first block.
std::string not_marked(const Damage& damage, BlockSize block_size) {
    const std::uint64_t block =
        block_size.block_of(damage.range.begin).value % block_size.per_page();
    return fmt::format("block {} of page {} was not marked dirty: no write(2) has touched it since "
                       "its page was last written back or read from disk; ",
                       block, damage.range.first_page().value);
}

std::string cause(const Damage& damage, const mmapstress::Schedule& schedule, const Rules& rules,
                  BlockSize block_size) {
    if (damage.lost_by.value == 0) {
        return "";
    }
    if (rules_of(rules.filesystem).is_block_device) {
        return ": " + not_marked(damage, block_size) + "passed over by the writeback of " +
               operation(damage.lost_by, schedule);
    }
    std::string text = "passed over by the writepage of " + operation(damage.lost_by, schedule);
    if (damage.cleaned_by.value != 0) {
        text = "cleaned by the commit of " + operation(damage.cleaned_by, schedule) + ", " + text;
    }
    return ": " + text;
}

std::string human_lines(const LoadedSchedule& loaded, const Prediction& prediction,
                        const Rules& rules, BlockSize block_size,
                        const partialfs::base::Colours& colours) {
    std::string out;
    if (loaded.recorded) {
        out +=
            fmt::format("{}: {} damaged range{}, {} the recorded\n", loaded.name,
                        prediction.damage.size(), prediction.damage.size() == 1 ? "" : "s",
                        equal(prediction.damage, loaded.damage) ? std::string("equal to")
                                                                : colours.as_bad("DIFFERENT from"));
    } else if (prediction.damage.empty()) {
        out += loaded.name + ": " + colours.as_good("no byte will be lost") + '\n';
    }
    for (const Damage& one : prediction.damage) {
        out +=
            fmt::format("{}{}\n",
                        colours.as_bad(fmt::format("file {} offset {} length {}", one.file.value,
                                                   one.range.begin.value, one.range.size().value)),
                        cause(one, loaded.schedule, rules, block_size));
    }
    for (const std::string& doubt : prediction.doubts) {
        out += colours.as_doubtful("not certain") + ": " + doubt + '\n';
    }
    return out;
}

std::expected<BlockSize, std::string> block_size_for(const LoadedSchedule& loaded,
                                                     const PredictSettings& settings) {
    const auto bytes =
        settings.block_size ? settings.block_size : loaded.schedule.header.block_size;
    if (!bytes) {
        return std::unexpected(settings.path +
                               ": the schedule has no block size: give one with --block-size");
    }
    const auto block_size = BlockSize::from_bytes(*bytes);
    if (!block_size) {
        return std::unexpected("the block size must be 512, 1024, 2048 or 4096, not " +
                               std::to_string(*bytes));
    }
    return *block_size;
}

std::expected<std::unique_ptr<Predictor>, std::string> predictor_for(const Rules& settings,
                                                                     BlockSize block_size) {
    if (settings.through == Through::kernel) {
        return std::make_unique<KernelPredictor>(settings.era, settings.filesystem, block_size);
    }
    const auto contract =
        partialfs::base::from_name<partialfs::model::Contract>(rules_of(settings.era).name);
    if (!contract) {
        return std::unexpected("--through fuse has the contracts " +
                               partialfs::base::all_names<partialfs::model::Contract>() + ", not " +
                               std::string{rules_of(settings.era).name});
    }
    const FilesystemRules& filesystem = rules_of(settings.filesystem);
    if (filesystem.list != OrderedList::ext3) {
        return std::unexpected("--through fuse has the filesystems ext3, eager, writeback and "
                               "blockdev, not " +
                               std::string{filesystem.name});
    }
    return std::make_unique<FusePredictor>(
        *contract, filesystem.flushes.value_or(partialfs::model::FlushPolicy::writeback),
        block_size);
}

} // namespace

int predict_command(const PredictSettings& settings) {
    const auto schedules = load_schedules(settings.path);
    if (!schedules) {
        return fail(kUsage, schedules.error());
    }
    std::string out;
    std::size_t damaged = 0;
    std::size_t different = 0;
    std::size_t recorded = 0;
    for (const LoadedSchedule& loaded : *schedules) {
        const auto block_size = block_size_for(loaded, settings);
        if (!block_size) {
            return fail(kUsage, block_size.error());
        }
        const auto rules = rules_for(settings, loaded.schedule.header);
        if (!rules) {
            return fail(kUsage, rules.error());
        }
        const auto predictor = predictor_for(*rules, *block_size);
        if (!predictor) {
            return fail(kUsage, predictor.error());
        }
        const auto prediction = predict(loaded.schedule, **predictor);
        if (!prediction) {
            return fail(kCannotTell, loaded.name + ": " + prediction.error());
        }
        damaged += prediction->damage.empty() ? 0U : 1U;
        recorded += loaded.recorded ? 1U : 0U;
        different += loaded.recorded && !equal(prediction->damage, loaded.damage) ? 1U : 0U;
        out += settings.json
                   ? json_line(loaded, *prediction, *rules)
                   : human_lines(loaded, *prediction, *rules, *block_size, output_colours());
    }
    if (settings.check) {
        if (recorded == 0) {
            return fail(kUsage, settings.path + ": no recorded damage to compare with");
        }
        if (!settings.json) {
            out += fmt::format("{} of {} equal to the recorded damage\n", recorded - different,
                               recorded);
        }
        return print(out, different == 0 ? kClean : kHarm);
    }
    return print(out, damaged == 0 ? kClean : kHarm);
}

} // namespace vmmodel
