#include "tests/mounted/ledger_file.hpp"

#include "tests/json_lines.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

namespace partialfs::test {

std::vector<Damage> open_losses(const std::string& text) {
    std::vector<Damage> entries;
    for (const nlohmann::json& entry : testing::json_lines(text)) {
        if (entry.at("healed_at").is_null()) {
            const auto begin = entry.at("offset").get<std::uint64_t>();
            entries.push_back({entry.at("path").get<std::string>(), begin,
                               begin + entry.at("length").get<std::uint64_t>()});
        }
    }
    std::ranges::sort(entries);
    std::vector<Damage> joined;
    for (const Damage& entry : entries) {
        if (!joined.empty() && joined.back().path == entry.path &&
            joined.back().end == entry.begin) {
            joined.back().end = entry.end;
        } else {
            joined.push_back(entry);
        }
    }
    return joined;
}

std::string read_file(const std::filesystem::path& path) {
    std::ostringstream contents;
    contents << std::ifstream(path, std::ios::binary).rdbuf();
    return std::move(contents).str();
}

} // namespace partialfs::test
