#include "fusefs/startup/fault_rules.hpp"

#include "fusefs/faults/rule.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace partialfs::startup {

std::expected<std::string, std::string> read_fault_rules(const std::filesystem::path& file) {
    std::error_code error;
    std::ifstream stream;
    if (std::filesystem::is_directory(file, error)) {
        errno = EISDIR;
    } else {
        stream.open(file);
    }
    if (!stream.is_open()) {
        return std::unexpected(fmt::format("--faults '{}' cannot be read: {}; name a file of rules",
                                           file.string(), std::strerror(errno)));
    }
    std::ostringstream text;
    text << stream.rdbuf();
    if (const auto rules = faults::parse_changes(text.str()); !rules) {
        return std::unexpected(
            fmt::format("--faults '{}', {}", file.string(), rules.error().message()));
    }
    return text.str();
}

} // namespace partialfs::startup
