#include "tests/mounted/differential/answer.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace partialfs::differential {
namespace {

constexpr std::array<std::string_view, 9> kCheckNames{
    "answers", "sizes", "bytes", "data_found", "blocks", "times", "stamps", "inodes", "source"};

} // namespace

std::string_view name_of(Check check) {
    return kCheckNames.at(static_cast<std::size_t>(check));
}

Check check_from(std::string_view name) {
    const auto* const found = std::ranges::find(kCheckNames, name);
    if (found == kCheckNames.end()) {
        throw std::runtime_error("no such check: " + std::string(name));
    }
    return static_cast<Check>(found - kCheckNames.begin());
}

std::string text_of(const Answer& answer) {
    if (answer.result >= 0) {
        return std::to_string(answer.result);
    }
    const char* name = ::strerrorname_np(answer.error);
    return name == nullptr ? "errno " + std::to_string(answer.error) : name;
}

bool Checks::same(std::string_view what, const Both<Answer>& answers) const {
    require(Check::answers, answers.mounted == answers.plain,
            std::string(what) + ": the mount answers " + text_of(answers.mounted) +
                ", the plain directory " + text_of(answers.plain));
    return answers.mounted.result >= 0 && answers.plain.result >= 0;
}

void Checks::same_text(std::string_view what, const Both<std::string>& texts) const {
    require(Check::answers, texts.mounted == texts.plain,
            std::string(what) + ": the mount answers '" + texts.mounted +
                "', the plain directory '" + texts.plain + "'");
}

void Checks::same_bytes(std::string_view what, std::int64_t offset,
                        const Both<std::vector<char>>& bytes, std::int64_t masked_begin,
                        std::int64_t masked_end) const {
    require(Check::bytes, bytes.mounted.size() == bytes.plain.size(),
            std::string(what) + ": " + std::to_string(bytes.mounted.size()) +
                " bytes on the mount, " + std::to_string(bytes.plain.size()) +
                " in the plain directory");
    std::int64_t first = -1;
    std::int64_t wrong = 0;
    const std::size_t common = std::min(bytes.mounted.size(), bytes.plain.size());
    if (std::memcmp(bytes.mounted.data(), bytes.plain.data(), common) == 0) {
        return;
    }
    for (std::size_t i = 0; i < common; ++i) {
        const std::int64_t at = offset + static_cast<std::int64_t>(i);
        if (bytes.mounted[i] != bytes.plain[i] && (at < masked_begin || at >= masked_end)) {
            first = first < 0 ? at : first;
            ++wrong;
        }
    }
    if (wrong == 0) {
        return;
    }
    const auto index = static_cast<std::size_t>(first - offset);
    std::ostringstream text;
    text << what << ": " << wrong << " bytes differ, the first at offset " << first
         << ": the mount has " << +static_cast<unsigned char>(bytes.mounted[index])
         << ", the plain directory " << +static_cast<unsigned char>(bytes.plain[index]);
    require(Check::bytes, false, text.str());
}

std::vector<char> pattern(unsigned seed, std::int64_t offset, std::int64_t length) {
    std::vector<char> bytes(static_cast<std::size_t>(length));
    auto position = static_cast<std::uint64_t>(offset);
    for (char& byte : bytes) {
        const std::uint64_t mixed = (position++ + seed * 2654435761U) * 0x9E3779B97F4A7C15U;
        byte = static_cast<char>(1 + (mixed >> 40U) % 255);
    }
    return bytes;
}

} // namespace partialfs::differential
