#include "tools/mmapstress/system/device_sectors.hpp"

#include "tools/mmapstress/system/files.hpp"

#include <sys/sysmacros.h>

#include <array>
#include <charconv>
#include <vector>

namespace mmapstress {

namespace {

/// Position among a whole disk's numbers: reads, merged, sectors read, ms, writes, merged, sectors.
constexpr std::size_t kOfDisk = 6;
/// Of a partition's four before Linux 2.6.25: reads, sectors read, writes, sectors.
constexpr std::size_t kOfOldPartition = 3;

/// The numbers before the first word that is not a number.
std::vector<std::uint64_t> numbers_of(std::string_view text) {
    std::vector<std::uint64_t> numbers;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{}) {
            return numbers;
        }
        numbers.push_back(number);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
}

std::optional<std::uint64_t> sectors_among(const std::vector<std::uint64_t>& numbers) {
    if (numbers.size() > kOfDisk) {
        return numbers[kOfDisk];
    }
    return numbers.size() == kOfOldPartition + 1 ? std::optional{numbers[kOfOldPartition]}
                                                 : std::nullopt;
}

} // namespace

std::optional<std::uint64_t> sectors_of_stat(std::string_view text) {
    return sectors_among(numbers_of(text));
}

std::optional<std::uint64_t> sectors_of_diskstats(std::string_view text, dev_t device) {
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        // "   3       0 hda 1 2 3..."
        const std::vector<std::uint64_t> place = numbers_of(line);
        if (place.size() != 2 || place[0] != major(device) || place[1] != minor(device)) {
            continue;
        }
        const std::size_t name = line.find_first_not_of("0123456789 ");
        line.remove_prefix(std::min(line.find(' ', name), line.size()));
        return sectors_among(numbers_of(line));
    }
    return std::nullopt;
}

DeviceSectors::DeviceSectors(dev_t device) : device_(device) {
    const std::string path = "/sys/dev/block/" + std::to_string(major(device)) + ":" +
                             std::to_string(minor(device)) + "/stat";
    if (auto stat = partialfs::base::Fd::open(AT_FDCWD, path.c_str(), O_RDONLY)) {
        stat_ = std::move(*stat);
    }
}

std::optional<std::uint64_t> DeviceSectors::written() const {
    if (stat_.get() < 0) {
        const auto text = read_file("/proc/diskstats");
        return text ? sectors_of_diskstats(*text, device_) : std::nullopt;
    }
    std::array<char, 512> text{};
    const ssize_t got = ::pread(stat_.get(), text.data(), text.size(), 0);
    return got > 0 ? sectors_of_stat({text.data(), static_cast<std::size_t>(got)}) : std::nullopt;
}

} // namespace mmapstress
