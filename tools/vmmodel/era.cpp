#include "tools/vmmodel/era.hpp"

namespace vmmodel {

namespace {

template <typename Table>
const auto* find(const Table& table, std::string_view name) {
    for (const auto& row : table) {
        if (row.name == name) {
            return &row;
        }
    }
    return static_cast<decltype(table.data())>(nullptr);
}

template <typename Table>
std::string names(const Table& table) {
    std::string all;
    for (const auto& row : table) {
        all += (all.empty() ? "" : ", ") + std::string{row.name};
    }
    return all;
}

} // namespace

std::optional<Era> era_from(std::string_view name) {
    const EraRules* row = find(kEras, name);
    return row != nullptr ? std::optional{row->era} : std::nullopt;
}

std::optional<Filesystem> filesystem_from(std::string_view name) {
    if (name == kBlockdev.name || name == rules_of(Era::linux_6_12_blockdev).name) {
        return Filesystem::blockdev;
    }
    const FilesystemRules* row = find(kFilesystems, name);
    return row != nullptr ? std::optional{row->filesystem} : std::nullopt;
}

std::optional<Filesystem> predicted_filesystem_from(std::string_view name) {
    return name == kReiserfs.name ? std::optional{Filesystem::reiserfs} : filesystem_from(name);
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

std::string era_names() {
    return names(kEras);
}
std::string filesystem_names() {
    return names(kFilesystems) + ", " + std::string{kBlockdev.name};
}
std::string predicted_filesystem_names() {
    return filesystem_names() + ", " + std::string{kReiserfs.name};
}

} // namespace vmmodel
