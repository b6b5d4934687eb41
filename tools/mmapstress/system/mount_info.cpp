#include "tools/mmapstress/system/mount_info.hpp"

#include "tools/mmapstress/system/files.hpp"

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <vector>

namespace mmapstress {

namespace {

using Json = nlohmann::json;

/// mountinfo writes blanks and backslashes as octal escapes.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            int value = 0;
            for (std::size_t digit = 1; digit <= 3; ++digit) {
                value = value * 8 + (text[i + digit] - '0');
            }
            out += static_cast<char>(value);
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

/// Splits at commas.
std::vector<std::string> split(std::string_view options) {
    std::vector<std::string> all;
    while (!options.empty()) {
        const std::string_view one = options.substr(0, options.find(','));
        all.emplace_back(one);
        options.remove_prefix(std::min(one.size() + 1, options.size()));
    }
    return all;
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const std::string_view word = line.substr(0, line.find(' '));
        if (!word.empty()) {
            words.push_back(word);
        }
        line.remove_prefix(std::min(word.size() + 1, line.size()));
    }
    return words;
}

bool covers(std::string_view root, std::string_view path) {
    return root == "/" ||
           (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/'));
}

bool is_directory(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

/// A tmpfs with the option huge=, whatever its value.
bool has_huge_pages(const MountInfo& mount) {
    return std::ranges::any_of(mount.options,
                               [](const std::string& one) { return one.starts_with("huge="); });
}

/// The status of a partialfs mount; an empty object if it cannot be read.
Json status_of(const MountInfo& mount) {
    const auto text = read_file(mount.root + "/.partialfs/status");
    Json status = text ? Json::parse(*text, nullptr, /*allow_exceptions=*/false) : Json();
    return status.is_object() ? status : Json::object();
}

} // namespace

std::optional<MountInfo> find_mount(std::string_view mountinfo, std::string_view path) {
    std::optional<MountInfo> best;
    while (!mountinfo.empty()) {
        const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
        mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
        // 36 35 98:0 /root /mount options [optional fields] - type source superoptions
        const std::vector<std::string_view> words = words_of(line);
        std::size_t dash = 6;
        while (dash < words.size() && words[dash] != "-") {
            ++dash;
        }
        if (dash + 2 >= words.size()) {
            continue;
        }
        const std::string root = unescaped(words[4]);
        // Of two mounts at the same place, the later one is on top.
        if (covers(root, path) && (!best || root.size() >= best->root.size())) {
            best = MountInfo{std::string(words[dash + 1]), root, unescaped(words[dash + 2]),
                             dash + 3 < words.size() ? split(words[dash + 3])
                                                     : std::vector<std::string>{}};
        }
    }
    return best;
}

bool MountInfo::has(std::string_view option) const {
    return std::ranges::find(options, option) != options.end();
}

std::optional<MountInfo> mount_of(const std::string& path) {
    const auto text = read_file("/proc/self/mountinfo");
    return text ? find_mount(*text, path) : std::nullopt;
}

bool is_on_block_device(const MountInfo& mount) {
    if (mount.type.starts_with("fuse.")) {
        return false;
    }
    // btrfs has device numbers of its own, and a mount's source /dev/root need not exist.
    struct stat root{};
    struct stat source{};
    return (::stat(mount.root.c_str(), &root) == 0 && major(root.st_dev) != 0) ||
           (::stat(mount.source.c_str(), &source) == 0 && S_ISBLK(source.st_mode));
}

bool is_partialfs(const MountInfo& mount) {
    return mount.type == "fuse.partialfs" ||
           (mount.type.starts_with("fuse") && is_directory(mount.root + "/.partialfs"));
}

bool journals_data(const MountInfo& mount) {
    return mount.type == "ext4" && mount.has("data=journal");
}

partialfs::model::ByteCount largest_folio(const MountInfo& mount) {
    const bool in_pages = mount.type.starts_with("fuse") || mount.type == "btrfs" ||
                          (mount.type == "tmpfs" && !has_huge_pages(mount)) || journals_data(mount);
    return in_pages ? partialfs::model::ByteCount{partialfs::model::kPageSize} : kLargestFolio;
}

FlushRules flush_rules_of(const MountInfo& mount, const std::string& path) {
    FlushRules rules;
    std::uint64_t bytes = 0;
    if (is_partialfs(mount)) {
        const Json status = status_of(mount);
        rules.contract = status.value("contract", std::string());
        rules.policy = status.value("flush_policy", std::string());
        bytes = status.value("block_size", std::uint64_t{0});
    } else if (struct statvfs found{}; ::statvfs(path.c_str(), &found) == 0) {
        bytes = found.f_bsize;
    }
    if (partialfs::model::BlockSize::from_bytes(bytes)) {
        rules.block_size = static_cast<std::uint32_t>(bytes);
    }
    return rules;
}

std::optional<std::string> disk_of_partialfs(const MountInfo& mount, const std::string& path) {
    const std::string source = status_of(mount).value("source", mount.source);
    if (source.empty() || source.front() != '/') {
        return std::nullopt;
    }
    const std::string inside = mount.root == "/" ? path : path.substr(mount.root.size());
    std::string disk = source + inside;
    return is_directory(disk) ? std::optional{std::move(disk)} : std::nullopt;
}

} // namespace mmapstress
