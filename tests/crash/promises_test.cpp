// SIGKILL at any moment: whatever a successful fsync(2) or fdatasync(2), of a file or of a
// directory, has made durable is under SOURCE.
//
// A child process works on a few files, one at a time: some operations, then the syncs that make
// them durable. What is then promised of the file is recorded in shared memory. The daemon is
// killed at a random step. Each file must be as promised, except the one that was being worked on.
#include "fusefs/base/fd.hpp"
#include "tests/crash/kill_point.hpp"
#include "tests/crash/shared_memory.hpp"
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::test {
namespace {

using base::Fd;

constexpr std::size_t kFiles = 6;
constexpr std::size_t kLargest = 40'000; // neither whole blocks nor whole pages
constexpr const char* kAttribute = "user.step";
constexpr std::array<const char*, 2> kDirectories{"one", "two"};

/// What a sync has promised of a file.
struct Promise {
    bool exists = false;
    unsigned directory = 0; ///< the directory that has its name
    bool has_second_name = false;
    mode_t mode = 0;
    std::uint32_t attribute = 0; ///< 0: the attribute is not set
    bool promises_mtime = false;
    timespec mtime{};
    std::size_t size = 0;
    std::array<unsigned char, kLargest> bytes{};
};

struct Shared {
    std::atomic<std::uint64_t> steps;
    std::array<std::atomic<bool>, kFiles> in_work; ///< its old promise no longer holds
    std::array<Promise, kFiles> promises;
};

std::filesystem::path name_of(std::size_t file, unsigned directory) {
    return std::filesystem::path(kDirectories.at(directory)) / std::to_string(file);
}
std::filesystem::path second_name_of(std::size_t file) {
    return std::filesystem::path(kDirectories.front()) / (std::to_string(file) + ".second");
}

/// The child: works until the daemon is killed. Any failed call means that it was killed.
class Worker {
  public:
    Worker(std::filesystem::path mount, Shared& shared, std::uint64_t seed)
        : mount_(std::move(mount)), shared_(shared), random_(seed) {}

    [[noreturn]] void run() {
        for (;;) {
            step();
            ++shared_.steps;
        }
    }

  private:
    static void must(bool succeeded) {
        if (!succeeded) {
            ::_exit(0);
        }
    }
    std::size_t pick(std::size_t below) {
        return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
    }
    [[nodiscard]] std::filesystem::path path() const {
        return mount_ / name_of(file_, now_->directory);
    }

    void step() {
        file_ = pick(kFiles);
        shared_.in_work.at(file_) = true;
        now_ = &shared_.promises.at(file_);
        if (!now_->exists) {
            create();
        } else if (pick(12) == 0) {
            remove();
        } else {
            change();
        }
        shared_.in_work.at(file_) = false;
    }

    void create() {
        *now_ = Promise{};
        now_->directory = static_cast<unsigned>(pick(kDirectories.size()));
        const Fd fd(::open(path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        must(static_cast<bool>(fd));
        now_->exists = true;
        now_->mode = 0644;
        sync(fd);
        sync_directory(now_->directory);
    }

    void remove() {
        must(::unlink(path().c_str()) == 0);
        if (now_->has_second_name) {
            must(::unlink((mount_ / second_name_of(file_)).c_str()) == 0);
            sync_directory(0);
        }
        sync_directory(now_->directory);
        now_->exists = false;
    }

    void change() {
        const Fd fd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
        must(static_cast<bool>(fd));
        now_->promises_mtime = false;
        for (std::size_t changes = 1 + pick(3); changes > 0; --changes) {
            change_once(fd);
        }
        sync(fd);
    }

    void change_once(const Fd& fd) {
        switch (pick(9)) {
        case 0:
            return truncate(fd, pick(now_->size + 1));
        case 1:
            return truncate(fd, now_->size + pick(kLargest - now_->size + 1));
        case 2:
            return allocate(fd);
        case 3:
            return punch(fd);
        case 4:
            now_->attribute = static_cast<std::uint32_t>(1 + pick(1000));
            return must(::fsetxattr(fd.get(), kAttribute, &now_->attribute, sizeof now_->attribute,
                                    0) == 0);
        case 5:
            now_->mode = pick(2) == 0 ? 0600 : 0640;
            return must(::fchmod(fd.get(), now_->mode) == 0);
        case 6:
            return rename();
        case 7:
            return link();
        default:
            return write(fd);
        }
    }

    void write(const Fd& fd) {
        const std::size_t offset = pick(kLargest);
        const std::size_t length = std::min(1 + pick(9000), kLargest - offset);
        const std::vector<unsigned char> data(length, static_cast<unsigned char>(1 + pick(255)));
        must(::pwrite(fd.get(), data.data(), length, static_cast<off_t>(offset)) ==
             static_cast<ssize_t>(length));
        std::ranges::copy(data, now_->bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        now_->size = std::max(now_->size, offset + length);
    }
    void truncate(const Fd& fd, std::size_t size) {
        must(::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
        std::fill(now_->bytes.begin() + static_cast<std::ptrdiff_t>(size), now_->bytes.end(),
                  std::uint8_t{0});
        now_->size = size;
    }
    void allocate(const Fd& fd) {
        const std::size_t offset = pick(kLargest);
        const std::size_t length = 1 + pick(kLargest - offset);
        must(::fallocate(fd.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0);
        now_->size = std::max(now_->size, offset + length);
    }
    void punch(const Fd& fd) {
        const std::size_t offset = pick(kLargest);
        const std::size_t length = 1 + pick(kLargest - offset);
        must(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         static_cast<off_t>(offset), static_cast<off_t>(length)) == 0);
        std::fill_n(now_->bytes.begin() + static_cast<std::ptrdiff_t>(offset), length,
                    std::uint8_t{0});
    }
    void rename() {
        const std::filesystem::path before = path();
        now_->directory = 1 - now_->directory;
        must(::rename(before.c_str(), path().c_str()) == 0);
        sync_directory(0);
        sync_directory(1);
    }
    void link() {
        const std::filesystem::path second = mount_ / second_name_of(file_);
        must(now_->has_second_name ? ::unlink(second.c_str()) == 0
                                   : ::link(path().c_str(), second.c_str()) == 0);
        now_->has_second_name = !now_->has_second_name;
        sync_directory(0);
    }

    void sync(const Fd& fd) {
        if (pick(2) == 0) {
            return must(::fdatasync(fd.get()) == 0);
        }
        must(::fsync(fd.get()) == 0);
        struct stat status{};
        must(::fstat(fd.get(), &status) == 0);
        now_->promises_mtime = true;
        now_->mtime = status.st_mtim;
    }
    void sync_directory(unsigned directory) {
        const Fd fd(::open((mount_ / kDirectories.at(directory)).c_str(),
                           O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        must(fd && ::fsync(fd.get()) == 0);
    }

    std::filesystem::path mount_;
    Shared& shared_;
    std::mt19937_64 random_;
    std::size_t file_ = 0;
    Promise* now_ = nullptr; ///< the promise of the file being worked on
};

/// Describes what is not as promised of a file; empty if all is.
std::string broken(const std::filesystem::path& source, std::size_t file, const Promise& promise) {
    for (unsigned directory = 0; directory < kDirectories.size(); ++directory) {
        const bool promised = promise.exists && directory == promise.directory;
        if (std::filesystem::exists(source / name_of(file, directory)) != promised) {
            return std::string(promised ? "no name in " : "a name in ") +
                   kDirectories.at(directory);
        }
    }
    if (std::filesystem::exists(source / second_name_of(file)) !=
        (promise.exists && promise.has_second_name)) {
        return "the second name";
    }
    if (!promise.exists) {
        return {};
    }
    const std::filesystem::path path = source / name_of(file, promise.directory);
    struct stat status{};
    std::uint32_t attribute = 0;
    ::stat(path.c_str(), &status);
    ::getxattr(path.c_str(), kAttribute, &attribute, sizeof attribute);
    if ((status.st_mode & 07777U) != promise.mode) {
        return "the mode";
    }
    if (attribute != promise.attribute) {
        return "the attribute";
    }
    if (static_cast<std::size_t>(status.st_size) != promise.size) {
        return "the size: " + std::to_string(status.st_size) + " instead of " +
               std::to_string(promise.size);
    }
    if (promise.promises_mtime && (status.st_mtim.tv_sec != promise.mtime.tv_sec ||
                                   status.st_mtim.tv_nsec != promise.mtime.tv_nsec)) {
        return "the modification time";
    }
    const std::string found = read_file(path);
    const std::string_view wanted(reinterpret_cast<const char*>(promise.bytes.data()),
                                  promise.size);
    const auto differs = std::ranges::mismatch(found, wanted).in1;
    return differs == found.end() ? std::string()
                                  : "byte " + std::to_string(differs - found.begin());
}

/// PARTIALFS_KILL_POINTS: how many kill points each combination of mount options gets.
int kill_points() {
    const char* points = std::getenv("PARTIALFS_KILL_POINTS");
    return points == nullptr ? 10 : static_cast<int>(std::strtol(points, nullptr, 10));
}

struct Mounted {
    const char* policy;
    const char* interval;
};
void PrintTo(const Mounted& mounted, std::ostream* out) {
    *out << mounted.policy << ", " << mounted.interval;
}

class Promises : public ::testing::TestWithParam<Mounted> {};

TEST_P(Promises, AreKeptWhenTheDaemonIsKilled) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    std::mt19937_64 random(20061229);
    partialfs::testing::Mount mount;
    std::size_t checked = 0;
    for (int point = 0; point < kill_points(); ++point) {
        for (const char* const directory : kDirectories) {
            std::filesystem::remove_all(mount.source() / directory);
            std::filesystem::create_directory(mount.source() / directory);
        }
        mount.start({"--contract", "linux-2.6.20", "--flush-policy", GetParam().policy,
                     "--commit-interval", GetParam().interval});
        const SharedMemory<Shared> shared;
        Shared& state = *shared;
        const std::uint64_t seed = random();
        const std::uint64_t steps = 1 + random() % 100;
        kill_after(mount, state.steps, steps, [&] { Worker(mount.path(), state, seed).run(); });
        for (std::size_t file = 0; file < kFiles; ++file) {
            if (!state.in_work.at(file)) {
                ++checked;
                EXPECT_EQ(broken(mount.source(), file, state.promises.at(file)), "")
                    << "file " << file << ", kill point " << point << ", seed " << seed
                    << ", after " << steps << " steps";
            }
        }
    }
    EXPECT_GE(checked, static_cast<std::size_t>(kill_points()) * (kFiles - 1));
}

INSTANTIATE_TEST_SUITE_P(FourTimesTen, Promises,
                         ::testing::Values(Mounted{"ext3", "1ms"}, Mounted{"ext3", "5s"},
                                           Mounted{"eager", "2ms"}, Mounted{"writeback", "2ms"}));

} // namespace
} // namespace partialfs::test
