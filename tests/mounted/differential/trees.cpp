// Compares two directory trees without a mount.
#include "tests/mounted/differential/case.hpp"
#include "tests/mounted/differential/time_rules.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace partialfs::differential {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kAttributeBytes = 65536;

std::string attributes_of(const std::string& path) {
    std::string list(kAttributeBytes, '\0');
    list.resize(static_cast<std::size_t>(
        std::max<ssize_t>(::llistxattr(path.c_str(), list.data(), list.size()), 0)));
    std::map<std::string, std::string> values;
    std::istringstream names(list);
    for (std::string name; std::getline(names, name, '\0');) {
        std::string value(kAttributeBytes, '\0');
        value.resize(static_cast<std::size_t>(std::max<ssize_t>(
            ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size()), 0)));
        values[name] = value;
    }
    std::string text;
    for (const auto& [name, value] : values) {
        text.append(name).append("=").append(value).append(" ");
    }
    return text;
}

/// Everything that must be the same of a name, except its bytes.
std::string description_of(const fs::path& path, bool with_time) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        return "not there";
    }
    std::ostringstream text;
    text << "mode 0" << std::oct << status.st_mode << std::dec << " owner " << status.st_uid << ':'
         << status.st_gid << " links " << status.st_nlink;
    if (!S_ISDIR(status.st_mode)) {
        text << " size " << status.st_size;
    }
    if (with_time) {
        text << " modified " << stamp_of(status.st_mtim);
    }
    if (S_ISLNK(status.st_mode)) {
        text << " to " << fs::read_symlink(path).string();
    }
    text << " attributes " << attributes_of(path);
    return text.str();
}

std::vector<char> bytes_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names_in(const fs::path& tree) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        names.push_back(entry.path().lexically_relative(tree).string());
    }
    std::ranges::sort(names);
    return names;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += name + ' ';
    }
    return text;
}

bool has_set_time(const fs::path& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 && was_set(stamp_of(status.st_mtim));
}

} // namespace

void compare_trees(const fs::path& source, const fs::path& plain, const Checks& checks) {
    const auto names = names_in(plain);
    const auto require = [&](const std::string& what, const std::string& ours,
                             const std::string& right) {
        checks.require(Check::source, ours == right,
                       "underneath, " + what + ": '" + ours + "' instead of '" + right + "'");
    };
    require("the names", joined(names_in(source)), joined(names));
    for (const std::string& name : names) {
        const bool with_time = checks.has(Check::times) && has_set_time(plain / name);
        require(name, description_of(source / name, with_time),
                description_of(plain / name, with_time));
        if (fs::is_regular_file(fs::symlink_status(plain / name))) {
            checks.same_bytes("underneath, " + name, 0,
                              {bytes_of(source / name), bytes_of(plain / name)}, 0, 0);
        }
    }
}

} // namespace partialfs::differential
