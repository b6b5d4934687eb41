// One filesystem workload, timed: what scripts/bench.sh runs on a plain directory and on mounts.
//
// usage: fs_workload DIRECTORY WORKLOAD
// Prints one JSON object: {"wall": seconds, "cpu": seconds of this process, "amount": n, "unit":
// ..} Preparation is not timed: "begin" and "end" are printed around what is, and after each a line
// is read from stdin, so that whoever measures a daemon's share can look at the right moments.
// Exit code 1 with a line on stderr if a system call fails.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kFile = 256 * kMiB;
constexpr std::size_t kMapped = 128 * kMiB;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kWarmPasses = 10;
constexpr std::size_t kSynced = 400;
constexpr std::size_t kRandomReads = 100'000;
constexpr std::size_t kFiles = 10'000;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

template <typename Number>
Number check(Number result, const char* what) {
    if (result < 0) {
        fail(what);
    }
    return result;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Measured {
    double wall = 0;
    double cpu = 0;
    double amount = 0;
    const char* unit = "MiB";
};

/// Reports the begin or end of the measured part, and waits until the caller has noted it. Without
/// stdin it does not wait.
void tell(const char* where) {
    std::printf("%s\n", where);
    std::fflush(stdout);
    int got = 0;
    while (got != '\n' && got != EOF) {
        got = std::getchar();
    }
}

Measured timed(double amount, const char* unit, const std::function<void()>& work) {
    tell("begin");
    const double cpu = cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    const Measured result{wall.count(), cpu_seconds() - cpu, amount, unit};
    tell("end");
    return result;
}

/// The workload's file, opened for reading and writing; closed and removed at the end.
class File {
  public:
    explicit File(const std::string& directory, std::size_t size = 0,
                  const char* name = "bench-file")
        : path_(directory + '/' + name),
          fd_(check(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600), path_.c_str())) {
        if (size > 0) {
            fill(size);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        ::close(fd_);
        ::unlink(path_.c_str());
    }
    [[nodiscard]] int fd() const { return fd_; }

    void fill(std::size_t size) const {
        const std::vector<char> block(kMiB, 'x');
        for (std::size_t at = 0; at < size; at += kMiB) {
            check(::pwrite(fd_, block.data(), kMiB, static_cast<off_t>(at)), "pwrite");
        }
        check(::fsync(fd_), "fsync");
    }

    void read_through() const {
        std::vector<char> block(kMiB);
        for (std::size_t at = 0; at < kFile; at += kMiB) {
            check(::pread(fd_, block.data(), kMiB, static_cast<off_t>(at)), "pread");
        }
    }

    /// Drops this file's pages from the page cache, then everything (needs root).
    void drop() const {
        check(-::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
        const int caches = ::open("/proc/sys/vm/drop_caches", O_WRONLY);
        if (caches >= 0) {
            check(::write(caches, "1", 1), "drop_caches");
            ::close(caches);
        }
    }

  private:
    std::string path_;
    int fd_;
};

Measured sequential_write(const std::string& directory) {
    const File file(directory);
    return timed(kFile / kMiB, "MiB", [&] { file.fill(kFile); });
}

Measured read_cold(const std::string& directory) {
    const File file(directory, kFile);
    file.drop();
    return timed(kFile / kMiB, "MiB", [&] { file.read_through(); });
}

Measured read_warm(const std::string& directory) {
    const File file(directory, kFile);
    file.read_through();
    return timed(kWarmPasses * kFile / kMiB, "MiB", [&] {
        for (std::size_t pass = 0; pass < kWarmPasses; ++pass) {
            file.read_through();
        }
    });
}

/// `sync` is fsync(2) or fdatasync(2).
Measured random_write_sync(const std::string& directory, int (*sync)(int)) {
    const File file(directory, 64 * kMiB);
    std::mt19937_64 random(1);
    const std::vector<char> block(kPage, 'y');
    return timed(kSynced, "writes", [&] {
        for (std::size_t i = 0; i < kSynced; ++i) {
            const auto at = static_cast<off_t>(random() % (64 * kMiB / kPage) * kPage);
            check(::pwrite(file.fd(), block.data(), kPage, at), "pwrite");
            check(sync(file.fd()), "fsync");
        }
    });
}

/// The same while a file of 4 GiB is in the page cache and open for writing.
Measured random_write_fsync_beside(const std::string& directory) {
    const File big(directory, 4096 * kMiB, "bench-big-file");
    return random_write_sync(directory, ::fsync);
}

Measured random_read_warm(const std::string& directory) {
    const File file(directory, kFile);
    file.read_through();
    std::mt19937_64 random(1);
    std::vector<char> block(kPage);
    return timed(kRandomReads, "reads", [&] {
        for (std::size_t i = 0; i < kRandomReads; ++i) {
            const auto at = static_cast<off_t>(random() % (kFile / kPage) * kPage);
            check(::pread(file.fd(), block.data(), kPage, at), "pread");
        }
    });
}

/// Stores of `size` bytes over the whole mapping, in order or at random, then an msync.
Measured mapped_stores(const std::string& directory, std::size_t size, bool in_order) {
    const File file(directory, kMapped);
    void* const mapping =
        ::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    if (mapping == MAP_FAILED) {
        fail("mmap");
    }
    std::vector<std::uint32_t> order(kMapped / size);
    std::iota(order.begin(), order.end(), 0U);
    if (!in_order) {
        std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
    }
    const Measured result = timed(kMapped / kMiB, "MiB", [&] {
        for (const std::uint32_t i : order) {
            std::memset(static_cast<char*>(mapping) + i * size, static_cast<int>(i), size);
        }
        check(::msync(mapping, kMapped, MS_SYNC), "msync");
    });
    ::munmap(mapping, kMapped);
    return result;
}

Measured small_files(const std::string& directory) {
    const auto name = [&](std::size_t i) { return directory + "/small-" + std::to_string(i); };
    return timed(kFiles, "files", [&] {
        for (std::size_t i = 0; i < kFiles; ++i) {
            const int fd =
                check(::open(name(i).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600), "open");
            check(::write(fd, "small", 5), "write");
            ::close(fd);
        }
        struct stat status{};
        for (std::size_t i = 0; i < kFiles; ++i) {
            check(::stat(name(i).c_str(), &status), "stat");
        }
        for (std::size_t i = 0; i < kFiles; ++i) {
            check(::unlink(name(i).c_str()), "unlink");
        }
    });
}

/// The cost of a mapped and cached file of 1 GiB that nobody uses for five seconds.
Measured idle_mapping(const std::string& directory) {
    constexpr std::size_t size = 1024 * kMiB;
    const File file(directory, size);
    char* const mapping =
        static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0));
    if (mapping == MAP_FAILED) {
        fail("mmap");
    }
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < size; at += kPage) {
        sum += static_cast<unsigned char>(mapping[at]);
    }
    if (sum == 0) {
        std::fprintf(stderr, "the file reads as zeros\n");
        std::exit(1);
    }
    const Measured result = timed(5, "seconds", [] { ::sleep(5); });
    ::munmap(mapping, size);
    return result;
}

} // namespace

int main(int argc, char** argv) {
    using Workload = std::function<Measured(const std::string&)>;
    const std::map<std::string, Workload> workloads{
        {"sequential-write", sequential_write},
        {"read-cold", read_cold},
        {"read-warm", read_warm},
        {"random-write-fsync", [](auto& dir) { return random_write_sync(dir, ::fsync); }},
        {"random-write-fdatasync", [](auto& dir) { return random_write_sync(dir, ::fdatasync); }},
        {"random-write-fsync-beside-4-gib", random_write_fsync_beside},
        {"random-read-warm", random_read_warm},
        {"mapped-sequential", [](auto& dir) { return mapped_stores(dir, kPage, true); }},
        {"mapped-random", [](auto& dir) { return mapped_stores(dir, kPage, false); }},
        {"mapped-1460", [](auto& dir) { return mapped_stores(dir, 1460, false); }},
        {"small-files", small_files},
        {"idle-mapping", idle_mapping},
    };
    const auto workload = argc == 3 ? workloads.find(argv[2]) : workloads.end();
    if (workload == workloads.end()) {
        std::fprintf(stderr, "usage: fs_workload DIRECTORY WORKLOAD\nworkloads:");
        for (const auto& [name, run] : workloads) {
            std::fprintf(stderr, " %s", name.c_str());
        }
        std::fprintf(stderr, "\n");
        return 2;
    }
    const Measured result = workload->second(argv[1]);
    std::printf("{\"wall\": %.6f, \"cpu\": %.6f, \"amount\": %.0f, \"unit\": \"%s\"}\n",
                result.wall, result.cpu, result.amount, result.unit);
    return 0;
}
