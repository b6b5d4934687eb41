#include "tools/mmapstress/verify/disk_stages.hpp"

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/system/mount_info.hpp"

#include <sys/stat.h>

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

/// Opens all files, each by a way of its own, and compares them.
void check_opened(Verifier& verifier, std::size_t count, Stage stage, StageResult& result,
                  const std::function<std::string(std::size_t)>& path_of, int flags) {
    std::vector<Fd> opened;
    for (std::size_t i = 0; i < count; ++i) {
        auto fd = Fd::open(AT_FDCWD, path_of(i).c_str(), O_RDONLY | flags);
        if (!fd) {
            errno = fd.error().value;
            const Failure failure = failed("cannot open " + path_of(i)).error();
            // A filesystem that does not know O_DIRECT says so with EINVAL.
            const bool unsupported = (flags & O_DIRECT) != 0 && failure.error == EINVAL;
            result.state = unsupported ? StageResult::State::skipped : StageResult::State::failed;
            result.reason =
                unsupported ? "the filesystem does not know O_DIRECT" : failure.message();
            return;
        }
        opened.push_back(std::move(*fd));
    }
    verifier.stage(stage, result, [&](FileIndex file) {
        const std::string path = path_of(file.value);
        const int fd = opened[file.value].get();
        if (auto compared = verifier.compare_fd(file, fd, verifier.all(file), path); !compared) {
            return compared;
        }
        return (flags & O_DIRECT) != 0 ? Outcome<>{} : verifier.check_length(file, fd, path);
    });
}

} // namespace

Outcome<Place> find_place(const std::string& run_directory, const std::string& given) {
    Place place;
    place.directory = real_path(run_directory);
    const std::string name = base_name(place.directory);
    const auto mount = mount_of(place.directory);
    if (mount) {
        place.filesystem = mount->type;
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
                place.disk = path;
                return place;
            }
        }
        return refused("--disk " + given + " does not hold the run's directory " + name +
                       ": give the directory behind DIR or behind its mount");
    }
    if (!place.partialfs.empty()) {
        place.disk = disk_of_partialfs(*mount, place.directory);
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

void check_on_disk(Verifier& verifier, std::span<const EvictedFile> files, const Place& place,
                   bool direct, const std::string& evicted,
                   std::array<StageResult, kStages>& results) {
    StageResult& cold = result_of(results, Stage::evicted);
    if (evicted.empty()) {
        verifier.stage(Stage::evicted, cold, [&](FileIndex file) {
            const EvictedFile& from = files[file.value];
            if (auto compared = verifier.compare_fd(file, from.fd, verifier.all(file), from.path);
                !compared) {
                return compared;
            }
            return verifier.check_length(file, from.fd, from.path);
        });
    } else {
        cold.state = StageResult::State::failed;
        cold.reason = evicted;
    }
    StageResult& bypassing = result_of(results, Stage::direct);
    if (direct) {
        check_opened(
            verifier, files.size(), Stage::direct, bypassing,
            [&](std::size_t i) { return files[i].path; }, O_DIRECT);
    } else {
        bypassing.reason = "not asked for";
    }
    StageResult& behind = result_of(results, Stage::disk);
    if (place.disk) {
        check_opened(
            verifier, files.size(), Stage::disk, behind,
            [&](std::size_t i) { return *place.disk + "/" + base_name(files[i].path); }, 0);
    } else {
        behind.reason = "the files behind the filesystem are not known; see --disk";
    }
}

} // namespace mmapstress
