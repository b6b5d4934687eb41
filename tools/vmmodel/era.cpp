#include "tools/vmmodel/era.hpp"

namespace vmmodel {

std::optional<Era> era_from(std::string_view name) {
    for (const EraRules& one : kEras) {
        if (one.name == name) {
            return one.era;
        }
    }
    return std::nullopt;
}

std::expected<Setting, std::string> setting_for(const AskedSetting& asked,
                                                const Setting& otherwise) {
    Setting setting{asked.era.value_or(otherwise.era),
                    asked.filesystem.value_or(otherwise.filesystem)};
    if (go_together(setting)) {
        return setting;
    }
    const Setting device{Era::linux_6_12_blockdev, Filesystem::blockdev};
    if (asked.era && asked.filesystem) {
        return std::unexpected(
            "--era " + std::string{rules_of(setting.era).name} + " does not go with --filesystem " +
            std::string{rules_of(setting.filesystem).name} + ": " +
            std::string{rules_of(device.era).name} + " and " +
            std::string{rules_of(device.filesystem).name} + " go with each other alone");
    }
    if (asked.era) {
        setting.filesystem = setting.era == device.era ? device.filesystem : Setting{}.filesystem;
    } else {
        setting.era = setting.filesystem == device.filesystem ? device.era : Setting{}.era;
    }
    return setting;
}

} // namespace vmmodel
