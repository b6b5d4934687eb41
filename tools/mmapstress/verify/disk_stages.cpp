#include "tools/mmapstress/verify/disk_stages.hpp"

#include "fusefs/base/fd.hpp"
#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/busy.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/system/mount_info.hpp"
#include "tools/mmapstress/system/page_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace mmapstress {

namespace {

using partialfs::base::Fd;

StageResult& result_of(std::array<StageResult, kStages>& results, Stage stage) {
    return results[static_cast<std::size_t>(stage)];
}

bool is_directory(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

std::string real_path(const std::string& path) {
    char* const resolved = ::realpath(path.c_str(), nullptr);
    std::string result = resolved != nullptr ? resolved : path;
    std::free(resolved);
    return result;
}

Place with_disk(Place place, const std::string& disk) {
    place.disk = disk;
    const auto mount = mount_of(real_path(disk));
    place.on_block_device = mount && is_on_block_device(*mount);
    return place;
}

/// Compares all files, through the descriptors in `opened`.
void check_files(Verifier& verifier, std::span<const EvictedFile> opened, Stage stage,
                 StageResult& result) {
    verifier.stage(stage, result, [&](FileIndex file) -> Outcome<> {
        const EvictedFile& from = opened[file.value];
        if (from.gone()) {
            verifier.compare_gone(file);
            return {};
        }
        TRY(verifier.compare_fd(file, from.fd, verifier.all(file), from.path));
        // Bytes past the expected end are not a whole number of O_DIRECT's blocks.
        return stage == Stage::direct ? Outcome<>{}
                                      : verifier.check_length(file, from.fd, from.path);
    });
}

void skip(StageResult& result, std::string reason) {
    result.state = StageResult::State::skipped;
    result.reason = std::move(reason);
}

void check_direct(Verifier& verifier, std::span<const EvictedFile> files, StageResult& result) {
    std::vector<Fd> owners;
    std::vector<EvictedFile> opened;
    for (const EvictedFile& file : files) {
        opened.push_back({file.path, -1});
        if (file.gone()) {
            continue;
        }
        auto fd = open_direct(file.path);
        if (!fd) {
            result.state = StageResult::State::failed;
            result.reason = fd.error().message();
            return;
        }
        if (!*fd) {
            return skip(result, "the filesystem does not read files with O_DIRECT");
        }
        opened.back().fd = (*fd)->get();
        owners.push_back(std::move(**fd));
    }
    check_files(verifier, opened, Stage::direct, result);
}

/// Compares the files behind the filesystem. False if not all of their pages could be dropped: then
/// it is not known what is on disk.
bool check_behind(Verifier& verifier, std::span<const EvictedFile> files, const std::string& disk,
                  StageResult& result) {
    std::vector<Fd> owners;
    std::vector<EvictedFile> opened;
    bool evicted = true;
    for (std::uint32_t i = 0; i < files.size(); ++i) {
        const EvictedFile& file = files[i];
        const Busy busy(Activity::evicting, FileIndex{i});
        opened.push_back({disk + "/" + base_name(file.path), -1});
        auto fd = Fd::open(AT_FDCWD, opened.back().path.c_str(), O_RDONLY);
        if (!fd && fd.error().value == ENOENT && file.gone()) {
            continue;
        }
        struct stat found{};
        if (!fd || ::fstat(fd->get(), &found) != 0) {
            const Errno why = fd ? Errno::last() : fd.error();
            result.state = StageResult::State::failed;
            result.reason = failed("cannot open " + opened.back().path, why).error().message();
            return false;
        }
        evicted &=
            ::fsync(fd->get()) == 0 &&
            drop_pages(fd->get(), ByteCount{static_cast<std::uint64_t>(found.st_size)}).has_value();
        opened.back().fd = fd->get();
        owners.push_back(std::move(*fd));
    }
    check_files(verifier, opened, Stage::disk, result);
    return evicted;
}

} // namespace

Outcome<Place> find_place(const std::string& run_directory, const std::string& given) {
    Place place;
    place.directory = real_path(run_directory);
    const std::string name = base_name(place.directory);
    const auto mount = mount_of(place.directory);
    if (mount) {
        place.filesystem = mount->type;
        place.on_block_device = is_on_block_device(*mount);
        place.rules = flush_rules_of(*mount, place.directory);
        place.largest_folio = largest_folio(*mount);
        place.journals_data = journals_data(*mount);
        if (is_partialfs(*mount)) {
            place.partialfs = mount->root;
        }
    }
    if (!given.empty()) {
        std::vector<std::string> tries{given + "/" + name};
        if (mount && mount->root != "/") {
            tries.push_back(given + place.directory.substr(mount->root.size()));
        }
        for (const std::string& path : tries) {
            if (is_directory(path)) {
                return with_disk(std::move(place), path);
            }
        }
        return refused("--disk " + given + " does not hold the run's directory " + name +
                       ": give the directory behind DIR or behind its mount");
    }
    if (!place.partialfs.empty()) {
        if (const auto disk = disk_of_partialfs(*mount, place.directory)) {
            return with_disk(std::move(place), *disk);
        }
    }
    return place;
}

FileReader reader_of(std::span<const EvictedFile> files) {
    return [files](FileIndex file, ByteOffset offset, std::span<std::byte> out) {
        const EvictedFile& from = files[file.value];
        const auto got = read_bytes(from.fd, out, offset, from.path);
        return got && *got == out.size();
    };
}

Outcome<std::optional<Fd>> open_direct(const std::string& path) {
    const auto is_refusal = [](int error) { return error == EINVAL || error == EOPNOTSUPP; };
    auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECT);
    if (!fd) {
        if (is_refusal(fd.error().value)) {
            return std::nullopt;
        }
        return failed("cannot open " + path + " with O_DIRECT", fd.error());
    }
    // Some filesystems open the file and refuse to read it. Other errors are found later.
    AlignedBuffer page(kPageSize);
    if (::pread(fd->get(), page.bytes().data(), kPageSize, 0) < 0 && is_refusal(errno)) {
        return std::nullopt;
    }
    return std::optional(std::move(*fd));
}

bool check_on_disk(Verifier& verifier, std::span<const EvictedFile> files, const Place& place,
                   bool direct, const std::string& evicted,
                   std::array<StageResult, kStages>& results) {
    StageResult& cold = result_of(results, Stage::evicted);
    verifier.expect_readable();
    if (evicted.empty()) {
        check_files(verifier, files, Stage::evicted, cold);
    } else {
        cold.state = StageResult::State::failed;
        cold.reason = evicted;
    }
    StageResult& bypassing = result_of(results, Stage::direct);
    if (direct) {
        check_direct(verifier, files, bypassing);
    } else {
        bypassing.reason = "not asked for";
    }
    StageResult& behind = result_of(results, Stage::disk);
    if (!place.disk) {
        behind.reason = "the files behind the filesystem are not known; see --disk";
        return place.on_block_device && evicted.empty();
    }
    const bool evicted_behind = check_behind(verifier, files, *place.disk, behind);
    return place.on_block_device && evicted_behind;
}

} // namespace mmapstress
