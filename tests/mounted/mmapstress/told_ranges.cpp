#include "tests/mounted/mmapstress/told_ranges.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

namespace mmapstress {

std::vector<DamagedBytes> joined(std::vector<DamagedBytes> ranges) {
    std::ranges::sort(ranges);
    std::vector<DamagedBytes> all;
    for (const DamagedBytes& range : ranges) {
        if (!all.empty() && all.back().file == range.file &&
            all.back().range.end == range.range.begin) {
            all.back().range.end = range.range.end;
        } else {
            all.push_back(range);
        }
    }
    return all;
}

std::vector<DamagedBytes> ranges_told(const std::vector<nlohmann::json>& objects,
                                      const RunResult& result,
                                      const std::filesystem::path& mountpoint) {
    std::map<std::string, FileIndex> files;
    for (std::uint32_t i = 0; i < result.files.size(); ++i) {
        const auto path = std::filesystem::path(result.files[i]).lexically_relative(mountpoint);
        files[path.string()] = FileIndex{i};
        files["/" + path.string()] = FileIndex{i};
    }
    std::vector<DamagedBytes> ranges;
    for (const nlohmann::json& object : objects) {
        const auto file = files.find(object.at("path").get<std::string>());
        if (file != files.end()) {
            const ByteOffset begin{object.at("offset").get<std::uint64_t>()};
            const ByteCount length{object.at("length").get<std::uint64_t>()};
            ranges.push_back({file->second, {begin, begin + length}});
        }
    }
    return ranges;
}

std::string text_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

} // namespace mmapstress
