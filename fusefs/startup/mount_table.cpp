#include "fusefs/startup/mount_table.hpp"

#include "fusefs/base/units.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

namespace partialfs::startup {
namespace {

/// Decodes blanks and backslashes, which are written as a backslash and three octal digits.
std::string without_escapes(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned code = 0;
        const char* const digits = text.data() + i + 1;
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
            plain += static_cast<char>(code);
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

} // namespace

std::optional<uid_t> MountTableEntry::fuse_user() const {
    constexpr std::string_view kKey = "user_id=";
    std::istringstream words(options);
    std::string word;
    while (std::getline(words, word, ',')) {
        if (word.starts_with(kKey)) {
            const auto user = base::parse_whole_number(std::string_view(word).substr(kKey.size()));
            return user ? std::optional{static_cast<uid_t>(*user)} : std::nullopt;
        }
    }
    return std::nullopt;
}

std::vector<MountTableEntry> parse_mount_table(std::istream& text) {
    std::vector<MountTableEntry> table;
    std::string line;
    while (std::getline(text, line)) {
        std::istringstream words(line);
        std::string id;
        std::string parent;
        MountTableEntry entry;
        std::string word;
        words >> id >> parent >> entry.identity.device >> entry.root >> entry.mountpoint >> word;
        while (words >> word && word != "-") { // skips the optional fields (mount propagation)
        }
        if (words >> entry.type >> entry.identity.source >> entry.options) {
            entry.root = without_escapes(entry.root);
            entry.mountpoint = without_escapes(entry.mountpoint);
            entry.identity.source = without_escapes(entry.identity.source);
            table.push_back(std::move(entry));
        }
    }
    return table;
}

std::vector<MountTableEntry> mount_table() {
    std::ifstream file("/proc/thread-self/mountinfo");
    return parse_mount_table(file);
}

const MountTableEntry* mount_of(const std::filesystem::path& path,
                                const std::vector<MountTableEntry>& table) {
    const MountTableEntry* deepest = nullptr;
    for (const MountTableEntry& entry : table) {
        const std::string top = entry.mountpoint == "/" ? "" : entry.mountpoint;
        const std::string& whole = path.native();
        const bool inside =
            whole.starts_with(top) && (whole.size() == top.size() || whole[top.size()] == '/');
        // Of several mounts at one place the last covers the others.
        if (inside &&
            (deepest == nullptr || entry.mountpoint.size() >= deepest->mountpoint.size())) {
            deepest = &entry;
        }
    }
    return deepest;
}

} // namespace partialfs::startup
