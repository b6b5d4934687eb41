#include "fusefs/backing/faulty_io.hpp"

#include "fusefs/base/units.hpp"

#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <new>
#include <sstream>
#include <thread>
#include <utility>

namespace partialfs::backing {
namespace {

constexpr std::array kErrnoNames{
    std::pair{std::string_view{"EIO"}, EIO},       std::pair{std::string_view{"ENOSPC"}, ENOSPC},
    std::pair{std::string_view{"EDQUOT"}, EDQUOT}, std::pair{std::string_view{"EFBIG"}, EFBIG},
    std::pair{std::string_view{"EACCES"}, EACCES}, std::pair{std::string_view{"EPERM"}, EPERM},
    std::pair{std::string_view{"EROFS"}, EROFS},   std::pair{std::string_view{"ENOMEM"}, ENOMEM},
    std::pair{std::string_view{"ESTALE"}, ESTALE},
};

constexpr std::array kOperationNames{
    std::pair{std::string_view{"pread"}, IoOperation::pread},
    std::pair{std::string_view{"pwrite"}, IoOperation::pwrite},
    std::pair{std::string_view{"fdatasync"}, IoOperation::fdatasync},
    std::pair{std::string_view{"fsync"}, IoOperation::fsync},
    std::pair{std::string_view{"syncfs"}, IoOperation::syncfs},
    std::pair{std::string_view{"ftruncate"}, IoOperation::ftruncate},
    std::pair{std::string_view{"fallocate"}, IoOperation::fallocate},
    std::pair{std::string_view{"futimens"}, IoOperation::futimens},
};

/// The value that a table has for a name.
template <typename Table>
auto look_up(const Table& table, std::string_view name)
    -> std::optional<decltype(table.front().second)> {
    const auto found =
        std::ranges::find(table, name, [](const auto& entry) { return entry.first; });
    if (found == table.end()) {
        return std::nullopt;
    }
    return found->second;
}

/// Adds what one word says to the rule. Whether it was understood.
bool add_word(FaultRule& rule, std::string_view word) {
    if (const auto error = look_up(kErrnoNames, word)) {
        rule.error = base::Errno{*error};
        return true;
    }
    if (word == "bad_alloc") {
        rule.out_of_memory = true;
        return true;
    }
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) {
        return false;
    }
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    if (key == "name") {
        rule.name = value;
        return true;
    }
    if (key == "delay") {
        const auto delay = base::parse_duration(value);
        rule.delay = delay.value_or(rule.delay);
        return delay.has_value();
    }
    const auto number = base::parse_whole_number(value);
    if (!number) {
        return false;
    }
    if (key == "short") {
        rule.at_most = number;
    } else if (key == "after") {
        rule.after = *number;
    } else if (key == "count") {
        rule.count = *number;
    } else {
        return false;
    }
    return true;
}

/// The last part of the path that the kernel knows for a descriptor.
std::string name_of_file(int fd) {
    std::array<char, 4096> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length <= 0) {
        return {};
    }
    std::string path(target.data(), static_cast<std::size_t>(length));
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) {
        path.resize(path.size() - kDeleted.size());
    }
    return path.substr(path.rfind('/') + 1);
}

} // namespace

std::expected<std::vector<FaultRule>, std::string> parse_fault_rules(std::string_view text) {
    std::vector<FaultRule> rules;
    std::istringstream lines{std::string(text)};
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        std::istringstream words(line);
        std::string word;
        if (!(words >> word) || word.starts_with('#')) {
            continue;
        }
        FaultRule rule;
        rule.operation = look_up(kOperationNames, word);
        if (!rule.operation && word != "any") {
            return std::unexpected("line " + std::to_string(number) + ": '" + word +
                                   "' is no operation");
        }
        while (words >> word) {
            if (!add_word(rule, word)) {
                return std::unexpected("line " + std::to_string(number) + ": '" + word +
                                       "' is not understood");
            }
        }
        rules.push_back(std::move(rule));
    }
    return rules;
}

void FaultyIo::set_rules(std::vector<FaultRule> rules) {
    const base::Lock lock(mutex_);
    rules_.clear();
    for (FaultRule& rule : rules) {
        rules_.push_back({std::move(rule)});
    }
}

std::uint64_t FaultyIo::injected() const {
    const base::Lock lock(mutex_);
    return injected_;
}

void FaultyIo::reload_if_changed() {
    if (rules_file_.empty()) {
        return;
    }
    FileVersion version;
    struct stat status{};
    if (::stat(rules_file_.c_str(), &status) == 0) {
        version = {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
    }
    if (version == version_) {
        return;
    }
    version_ = version;
    std::ifstream stream(rules_file_);
    std::stringstream text;
    text << stream.rdbuf();
    auto rules = parse_fault_rules(text.str());
    file_is_bad_ = !rules.has_value();
    if (file_is_bad_) {
        complain_(rules_file_.string() + ", " + rules.error());
    }
    rules_.clear();
    for (FaultRule& rule : rules.value_or(std::vector<FaultRule>{})) {
        rules_.push_back({std::move(rule)});
    }
}

FaultRule FaultyIo::consult(IoOperation operation, int fd) {
    FaultRule found;
    {
        const base::Lock lock(mutex_);
        reload_if_changed();
        if (file_is_bad_) {
            found.error = base::Errno{EINVAL};
            return found;
        }
        std::optional<std::string> name;
        for (ActiveRule& active : rules_) {
            const FaultRule& rule = active.rule;
            if (rule.operation && *rule.operation != operation) {
                continue;
            }
            if (rule.name != "*") {
                name = name ? name : name_of_file(fd);
                if (::fnmatch(rule.name.c_str(), name->c_str(), 0) != 0) {
                    continue;
                }
            }
            if (active.matched >= rule.after && active.matched - rule.after >= rule.count) {
                continue;
            }
            if (active.matched++ >= rule.after) {
                ++injected_;
                found = rule;
                break;
            }
        }
    }
    std::this_thread::sleep_for(found.delay);
    if (found.out_of_memory) {
        throw std::bad_alloc{};
    }
    return found;
}

template <typename Call>
int FaultyIo::guarded(IoOperation operation, int fd, Call call) {
    if (const FaultRule rule = consult(operation, fd); rule.error) {
        errno = rule.error->value;
        return -1;
    }
    return call();
}

ssize_t FaultyIo::pread(int fd, void* data, std::size_t size, off_t offset) {
    const FaultRule rule = consult(IoOperation::pread, fd);
    if (rule.error) {
        errno = rule.error->value;
        return -1;
    }
    return FileIo::pread(fd, data, std::min(size, rule.at_most.value_or(size)), offset);
}

ssize_t FaultyIo::pwritev(int fd, const iovec* parts, int count, off_t offset) {
    const FaultRule rule = consult(IoOperation::pwrite, fd);
    if (rule.error) {
        errno = rule.error->value;
        return -1;
    }
    if (!rule.at_most) {
        return FileIo::pwritev(fd, parts, count, offset);
    }
    std::vector<iovec> shorter(parts, parts + count);
    std::size_t left = *rule.at_most;
    for (iovec& part : shorter) {
        part.iov_len = std::min(part.iov_len, left);
        left -= part.iov_len;
    }
    return FileIo::pwritev(fd, shorter.data(), count, offset);
}

int FaultyIo::fdatasync(int fd) {
    return guarded(IoOperation::fdatasync, fd, [&] { return FileIo::fdatasync(fd); });
}

int FaultyIo::fsync(int fd) {
    return guarded(IoOperation::fsync, fd, [&] { return FileIo::fsync(fd); });
}

int FaultyIo::syncfs(int fd) {
    return guarded(IoOperation::syncfs, fd, [&] { return FileIo::syncfs(fd); });
}

int FaultyIo::ftruncate(int fd, off_t size) {
    return guarded(IoOperation::ftruncate, fd, [&] { return FileIo::ftruncate(fd, size); });
}

int FaultyIo::fallocate(int fd, int mode, off_t offset, off_t length) {
    return guarded(IoOperation::fallocate, fd,
                   [&] { return FileIo::fallocate(fd, mode, offset, length); });
}

int FaultyIo::futimens(int fd, const timespec times[2]) {
    return guarded(IoOperation::futimens, fd, [&] { return FileIo::futimens(fd, times); });
}

} // namespace partialfs::backing
