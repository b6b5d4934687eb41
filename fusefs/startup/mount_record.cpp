#include "fusefs/startup/mount_record.hpp"

#include "fusefs/base/units.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>
#include <system_error>

namespace partialfs::startup {
namespace {

namespace fs = std::filesystem;
using base::Fd;

constexpr std::string_view kPrefix = "partialfs.";
/// More than the longest record, which has two paths, and an id for each directory above.
constexpr std::size_t kMostBytes = std::size_t{64} << 10U;

std::string on_one_line(const std::string& path) {
    std::string line;
    for (const char c : path) {
        if (c == '\\' || c == '\n') {
            line += '\\';
        }
        line += c == '\n' ? 'n' : c;
    }
    return line;
}

std::string from_one_line(std::string_view line) {
    std::string path;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size()) {
            ++i;
            path += line[i] == 'n' ? '\n' : line[i];
        } else {
            path += line[i];
        }
    }
    return path;
}

std::string text_of(const DirectoryId& id) {
    return std::to_string(id.device_major) + ':' + std::to_string(id.device_minor) + ':' +
           std::to_string(id.inode) + ':' + std::to_string(id.born);
}

bool read_id(const std::string& text, DirectoryId& id) {
    std::istringstream words(text);
    std::array<char, 3> colons{};
    return words >> id.device_major >> colons[0] >> id.device_minor >> colons[1] >> id.inode >>
               colons[2] >> id.born &&
           colons == std::array{':', ':', ':'};
}

/// Adds the contents of one line. False if the line cannot be understood.
bool add_line(MountFacts& facts, std::string_view line) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) {
        return false;
    }
    const std::string_view key = line.substr(0, blank);
    const std::string value(line.substr(blank + 1));
    if (key == "pid" || key == "result") {
        const auto number = base::parse_whole_number(value);
        if (!number || *number > INT32_MAX) {
            return false;
        }
        if (key == "pid") {
            facts.pid = static_cast<pid_t>(*number);
        } else {
            facts.result = static_cast<int>(*number);
        }
        return true;
    }
    if (key == "source-id") {
        return read_id(value, facts.source_id);
    }
    if (key == "above") {
        return read_id(value, facts.above.emplace_back());
    }
    if (key == "source") {
        facts.source = from_one_line(value);
    } else if (key == "mountpoint") {
        facts.mountpoint = from_one_line(value);
    } else if (key == "mount") {
        const std::size_t end = value.find(' ');
        if (end == std::string::npos) {
            return false;
        }
        facts.mount = MountIdentity{value.substr(0, end), from_one_line(value.substr(end + 1))};
    }
    return true;
}

std::string line_of(const MountIdentity& mount) {
    return "mount " + mount.device + ' ' + on_one_line(mount.source) + '\n';
}

struct flock whole_file(short type) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::string random_name() {
    std::array<unsigned char, 8> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != std::ssize(bytes)) {
        throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name(kPrefix);
    for (const unsigned char byte : bytes) {
        name += kDigits[byte >> 4U];
        name += kDigits[byte & 15U];
    }
    return name;
}

/// The present contents of the file.
std::optional<MountFacts> read_facts(const Fd& fd) {
    std::string text(kMostBytes, '\0');
    const ssize_t size = ::pread(fd.get(), text.data(), text.size(), 0);
    if (size < 0) {
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(size));
    return parse_mount_facts(text);
}

std::optional<FoundRecord> open_record(const fs::path& path) {
    // Any user may have put anything there.
    auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat status{};
    if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    // Checked before the text is read: a daemon that has ended before has written all of it.
    struct flock lock = whole_file(F_RDLCK);
    const bool alive = ::fcntl(fd->get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    auto facts = read_facts(*fd);
    if (!facts) {
        return std::nullopt;
    }
    return FoundRecord{path.filename().string(), std::move(*facts), alive, status.st_uid,
                       std::move(*fd)};
}

} // namespace

std::string text_of(const MountFacts& facts) {
    std::string text =
        "pid " + std::to_string(facts.pid) + "\nsource-id " + text_of(facts.source_id) + '\n';
    for (const DirectoryId& id : facts.above) {
        text += "above " + text_of(id) + '\n';
    }
    text += "source " + on_one_line(facts.source) + "\nmountpoint " +
            on_one_line(facts.mountpoint) + '\n';
    if (facts.mount) {
        text += line_of(*facts.mount);
    }
    if (facts.result) {
        text += "result " + std::to_string(*facts.result) + '\n';
    }
    return text;
}

std::optional<MountFacts> parse_mount_facts(std::string_view text) {
    MountFacts facts;
    for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1)) {
        if (!add_line(facts, text.substr(0, end))) {
            return std::nullopt;
        }
    }
    if (facts.pid == 0 || facts.source.empty() || facts.mountpoint.empty() ||
        facts.source_id == DirectoryId{}) {
        return std::nullopt;
    }
    return facts;
}

MountRecord::MountRecord(const fs::path& directory, const MountFacts& facts) {
    auto fd = Fd::open(AT_FDCWD, directory.c_str(), O_RDWR | O_TMPFILE | O_APPEND, 0644);
    if (!fd) {
        problem_ = fd.error();
        return;
    }
    struct flock lock = whole_file(F_WRLCK);
    const std::string text = text_of(facts);
    name_ = random_name();
    path_ = directory / name_;
    // Complete and locked before anybody can find it.
    if (::fchmod(fd->get(), 0644) != 0 || ::fcntl(fd->get(), F_OFD_SETLK, &lock) != 0 ||
        ::write(fd->get(), text.data(), text.size()) != std::ssize(text) ||
        ::linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd->get())).c_str(), AT_FDCWD,
                 path_.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        problem_ = base::Errno{errno != 0 ? errno : ENOSPC};
        return;
    }
    fd_ = std::move(*fd);
}

MountRecord::~MountRecord() {
    if (fd_ && !keep_) {
        ::unlink(path_.c_str());
    }
}

void MountRecord::add_line(const std::string& line) {
    if (fd_ && ::write(fd_.get(), line.data(), line.size()) != std::ssize(line)) {
        problem_ = base::Errno::last();
    }
}

void MountRecord::mounted(const MountIdentity& mount) {
    add_line(line_of(mount));
}

void MountRecord::finished(int error) {
    add_line("result " + std::to_string(error) + '\n');
    keep_ = error != 0;
}

std::vector<FoundRecord> find_records(const fs::path& directory,
                                      const std::vector<uid_t>& trusted) {
    std::vector<FoundRecord> found;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error);
         !error && entry != fs::directory_iterator{}; entry.increment(error)) {
        if (!entry->path().filename().string().starts_with(kPrefix)) {
            continue;
        }
        auto record = open_record(entry->path());
        if (record &&
            (trusted.empty() || std::ranges::find(trusted, record->owner) != trusted.end())) {
            found.push_back(std::move(*record));
        }
    }
    return found;
}

MountFacts wait_for_end(const FoundRecord& record) {
    struct flock lock = whole_file(F_RDLCK);
    while (::fcntl(record.fd.get(), F_OFD_SETLKW, &lock) != 0 && errno == EINTR) {
    }
    return read_facts(record.fd).value_or(record.facts);
}

void remove_stale_records(const fs::path& directory, const DirectoryId& source_id) {
    for (const FoundRecord& record : find_records(directory, {::geteuid()})) {
        const bool gone = id_of(AT_FDCWD, record.facts.source.c_str()) != record.facts.source_id;
        if (!record.alive && (gone || record.facts.source_id == source_id)) {
            ::unlink((directory / record.name).c_str());
        }
    }
}

} // namespace partialfs::startup
