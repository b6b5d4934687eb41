#include "tests/mounted/mixed_workload.hpp"

#include "tests/mounted/ledger_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <thread>
#include <utility>

namespace partialfs::test {
namespace {

constexpr std::uint64_t kPage = 4096;

/// One file, its mapping, and the bytes it must have. Used by one thread at a time.
class ModelFile {
  public:
    ModelFile(const MixedOptions& options, std::string name, std::vector<std::string>& failures)
        : options_(options), name_(std::move(name)), failures_(failures) {
        fd_ = ::open(path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        check(fd_ >= 0, "open");
        source_fd_ = ::open((options.source / name_).c_str(), O_RDONLY | O_CLOEXEC);
        check(source_fd_ >= 0, "open on disk");
    }
    ModelFile(const ModelFile&) = delete;
    ModelFile& operator=(const ModelFile&) = delete;
    ~ModelFile() { close(); }

    [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::vector<unsigned char>& bytes() const { return bytes_; }

    void write(std::uint64_t offset, std::uint64_t length) {
        const std::vector<unsigned char> data(length, next_value(offset, length));
        check(::pwrite(fd_, data.data(), length, static_cast<off_t>(offset)) ==
                  static_cast<ssize_t>(length),
              "pwrite");
        if (offset + length > bytes_.size()) {
            bytes_.resize(offset + length);
        }
        std::ranges::copy(data, bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    /// Stores within the file's size. False if there is nothing to store into.
    bool store(std::uint64_t offset, std::uint64_t length) {
        if (offset >= bytes_.size()) {
            return false;
        }
        length = std::min(length, bytes_.size() - offset);
        if (map_ == nullptr) {
            void* map =
                ::mmap(nullptr, options_.largest_file, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
            check(map != MAP_FAILED, "mmap");
            map_ = map == MAP_FAILED ? nullptr : static_cast<unsigned char*>(map);
        }
        if (map_ == nullptr) {
            return false;
        }
        const unsigned char value = next_value(offset, length);
        std::memset(map_ + offset, value, length);
        std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, value);
        return true;
    }

    void unmap() {
        if (map_ != nullptr) {
            ::munmap(std::exchange(map_, nullptr), options_.largest_file);
        }
    }
    void truncate(std::uint64_t size) {
        check(::ftruncate(fd_, static_cast<off_t>(size)) == 0, "ftruncate");
        bytes_.resize(size);
    }
    void punch(std::uint64_t offset, std::uint64_t length) {
        if (offset >= bytes_.size()) {
            return;
        }
        check(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          static_cast<off_t>(offset), static_cast<off_t>(length)) == 0,
              "fallocate");
        length = std::min(length, bytes_.size() - offset);
        std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, 0);
    }
    void rename(const std::string& name) {
        const std::string old = path();
        name_ = name;
        check(::rename(old.c_str(), path().c_str()) == 0, "rename");
    }
    void fsync() { check(::fsync(fd_) == 0, "fsync"); }
    void msync() {
        if (map_ != nullptr) {
            check(::msync(map_, options_.largest_file, MS_SYNC) == 0 || errno == ENOMEM, "msync");
        }
    }
    /// EBUSY is allowed: somebody may be using the pages.
    void evict(bool must) {
        const int fd = ::open((options_.mount / ".partialfs/evict").c_str(), O_WRONLY | O_CLOEXEC);
        check(fd >= 0, "open evict");
        const bool done =
            ::write(fd, name_.data(), name_.size()) == static_cast<ssize_t>(name_.size());
        check(done || (!must && errno == EBUSY), "evict");
        ::close(fd);
    }
    void read(std::uint64_t offset, std::uint64_t length) {
        if (offset >= bytes_.size()) {
            return;
        }
        length = std::min(length, bytes_.size() - offset);
        std::vector<unsigned char> seen(length);
        check(::pread(fd_, seen.data(), length, static_cast<off_t>(offset)) ==
                  static_cast<ssize_t>(length),
              "pread");
        const auto wrong = std::ranges::mismatch(seen, std::span(bytes_).subspan(offset, length));
        check(wrong.in1 == seen.end(),
              "wrong byte read at " +
                  std::to_string(offset + static_cast<std::uint64_t>(wrong.in1 - seen.begin())));
    }
    void close() {
        unmap();
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
        if (source_fd_ >= 0) {
            ::close(std::exchange(source_fd_, -1));
        }
    }

  private:
    [[nodiscard]] std::string path() const { return options_.mount / name_; }
    /// A value that the range does not contain, neither in memory nor on disk. Otherwise a new byte
    /// could equal the one on disk, and its loss could not be noticed.
    unsigned char next_value(std::uint64_t offset, std::uint64_t length) {
        std::vector<unsigned char> there(length);
        const ssize_t got = ::pread(source_fd_, there.data(), length, static_cast<off_t>(offset));
        there.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        const std::uint64_t end = std::min<std::uint64_t>(offset + length, bytes_.size());
        for (std::uint64_t i = offset; i < end; ++i) {
            there.push_back(bytes_[i]);
        }
        std::array<bool, 256> used{true};
        for (const unsigned char byte : there) {
            used[byte] = true;
        }
        do {
            ++value_;
        } while (used[value_]);
        return value_;
    }
    void check(bool right, const std::string& what) {
        if (!right && failures_.size() < 20) {
            failures_.push_back(name_ + ": " + what + ": " + std::strerror(errno));
        }
    }

    const MixedOptions& options_;
    std::string name_;
    std::vector<std::string>& failures_;
    int fd_ = -1;
    int source_fd_ = -1;
    unsigned char* map_ = nullptr;
    unsigned char value_ = 0;
    std::vector<unsigned char> bytes_;
};

/// The work of one thread, on files of its own.
class Player {
  public:
    Player(const MixedOptions& options, unsigned number)
        : options_(options), number_(number), random_(options.seed * 1000 + number) {
        for (unsigned i = 0; i < options.files_per_thread; ++i) {
            files_.push_back(std::make_unique<ModelFile>(
                options, "t" + std::to_string(number) + "." + std::to_string(i), failures_));
        }
    }

    void play() {
        while (stores_ < options_.stores_per_thread && failures_.empty()) {
            step(*files_[pick(files_.size())]);
        }
    }
    void finish(MixedResult& result) {
        for (const auto& file : files_) {
            file->unmap();
            file->fsync();
            file->evict(/*must=*/true);
            compare(*file, result.damage);
            file->close();
        }
        result.stores += stores_;
        std::ranges::copy(failures_, std::back_inserter(result.failures));
    }

  private:
    std::uint64_t pick(std::uint64_t below) {
        return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
    }
    std::uint64_t length() {
        switch (pick(4)) {
        case 0:
            return 1 + pick(16);
        case 1:
            return 1 + pick(1500);
        case 2:
            return kPage;
        default:
            return 1 + pick(3 * kPage);
        }
    }

    void step(ModelFile& file) {
        const std::uint64_t chance = pick(1000);
        const std::uint64_t anywhere = pick(options_.largest_file);
        const std::uint64_t fitting = std::min(length(), options_.largest_file - anywhere);
        if (chance < 700) {
            for (std::uint64_t run = 1 + pick(20); run > 0; --run) {
                stores_ += file.store(pick(std::max<std::uint64_t>(file.size(), 1)), length())
                               ? std::uint64_t{1}
                               : 0;
            }
        } else if (chance < 850) {
            file.write(anywhere, fitting);
        } else if (chance < 880) {
            file.truncate(pick(3) == 0 ? pick(options_.largest_file) / kPage * kPage : anywhere);
        } else if (chance < 900) {
            file.punch(anywhere, fitting);
        } else if (chance < 920) {
            file.rename("t" + std::to_string(number_) + ".r" + std::to_string(++renames_));
        } else if (chance < 940) {
            if (options_.fsync) {
                file.fsync();
            }
        } else if (chance < 950) {
            file.msync();
        } else if (chance < 960) {
            file.unmap();
        } else if (chance < 970) {
            if (options_.evict) {
                file.evict(/*must=*/false);
            }
        } else if (options_.check_reads) {
            file.read(anywhere, 4 * kPage);
        }
    }

    void compare(const ModelFile& file, std::vector<Damage>& damage) {
        const std::string disk = read_file(options_.source / file.name());
        const std::vector<unsigned char>& expected = file.bytes();
        if (disk.size() != expected.size()) {
            failures_.push_back(file.name() + ": " + std::to_string(disk.size()) +
                                " bytes on disk, not " + std::to_string(expected.size()));
            return;
        }
        for (std::uint64_t i = 0; i < disk.size(); ++i) {
            if (static_cast<unsigned char>(disk[i]) == expected[i]) {
                continue;
            }
            if (!damage.empty() && damage.back().path == file.name() && damage.back().end == i) {
                ++damage.back().end;
            } else {
                damage.push_back({file.name(), i, i + 1});
            }
        }
    }

    const MixedOptions& options_;
    unsigned number_;
    std::mt19937_64 random_;
    std::vector<std::string> failures_;
    std::vector<std::unique_ptr<ModelFile>> files_;
    std::uint64_t stores_ = 0;
    std::uint64_t renames_ = 0;
};

} // namespace

MixedResult run_mixed_workload(const MixedOptions& options) {
    std::vector<std::unique_ptr<Player>> players;
    for (unsigned i = 0; i < options.threads; ++i) {
        players.push_back(std::make_unique<Player>(options, i));
    }
    std::vector<std::thread> threads;
    for (const auto& player : players) {
        threads.emplace_back([&player] { player->play(); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    MixedResult result;
    for (const auto& player : players) {
        player->finish(result);
    }
    std::ranges::sort(result.damage);
    return result;
}

} // namespace partialfs::test
