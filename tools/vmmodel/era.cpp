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
    const FilesystemRules* row = find(kFilesystems, name);
    return row != nullptr ? std::optional{row->filesystem} : std::nullopt;
}

std::optional<Filesystem> predicted_filesystem_from(std::string_view name) {
    return name == kReiserfs.name ? std::optional{Filesystem::reiserfs} : filesystem_from(name);
}

std::string era_names() {
    return names(kEras);
}
std::string filesystem_names() {
    return names(kFilesystems);
}
std::string predicted_filesystem_names() {
    return filesystem_names() + ", " + std::string{kReiserfs.name};
}

} // namespace vmmodel
