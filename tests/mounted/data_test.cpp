// The data of files: reading, writing, mapping, allocating and locking, on the mount as on a plain
// directory.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

namespace partialfs::testing {
namespace {

using Data = Mounted;

TEST_F(Data, WritesAreReadBackBeforeAndAfterASync) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        s.fill(fd, 0, 10, 1);
        s.fill(fd, 5, 1, 2);
        s.fill(fd, 1020, 10, 3);
        s.fill(fd, 4090, 5000, 4);
        s.fill(fd, 100000, 1, 5);
        s.pread(fd, 200000, 0);
        s.pread(fd, 10, 99999);
        s.pread(fd, 10, 100001);
        s.pread(fd, 10, 200000);
        s.call("fsync", ::fsync(fd));
        s.pread(fd, 200000, 0);
        s.fill(fd, 50000, 1, 6);
        s.call("fdatasync", ::fdatasync(fd));
        s.contents("file");
        s.call("syncfs", ::syncfs(fd));
        s.contents("file");
        s.close(fd);
        s.contents("file");
    });
}

TEST_F(Data, AccessModesAreObeyed) {
    expect_same(mount(), [](Script& s) {
        s.fill(s.open("file", O_CREAT | O_RDWR), 0, 100, 1);
        const int reading = s.open("file", O_RDONLY);
        const int writing = s.open("file", O_WRONLY);
        s.pwrite(reading, "x", 0);
        s.pread(writing, 1, 0);
        s.fill(writing, 50, 100, 2);
        s.pread(reading, 1000, 0);
        s.call("negative offset", ::pread(reading, nullptr, 0, -1));
        s.call("ftruncate read-only", ::ftruncate(reading, 0));
        s.call("read from a directory", ::read(s.open("", O_RDONLY), nullptr, 0));
        const int path = s.open("file", O_PATH);
        s.pread(path, 1, 0);
        s.fstat(path);
    });
}

TEST_F(Data, AppendingWritesGoToTheEnd) {
    expect_same(mount(), [](Script& s) {
        const int first = s.open("file", O_CREAT | O_WRONLY | O_APPEND);
        const int second = s.open("file", O_WRONLY | O_APPEND);
        const int third = s.open("file", O_RDWR);
        for (int i = 0; i < 50; ++i) {
            s.call("write", ::write(first, "first", 5));
            s.call("write", ::write(second, "second", 6));
            s.pwrite(third, "3", i * 3);
            s.call("position", ::lseek(first, 0, SEEK_CUR));
        }
        s.call("pwrite appends", ::pwrite(first, "end", 3, 0));
        s.call("fcntl", ::fcntl(third, F_SETFL, O_APPEND));
        s.call("write", ::write(third, "third", 5));
        s.contents("file");
        s.stat("file");
    });
}

TEST_F(Data, TruncationCutsAndGrows) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        s.fill(fd, 0, 20000, 1);
        for (const off_t size : {off_t{15000}, off_t{30000}, off_t{4096}, off_t{4097}, off_t{1025},
                                 off_t{1}, off_t{0}, off_t{50000}}) {
            s.call("ftruncate", ::ftruncate(fd, size));
            s.fstat(fd);
            s.contents("file");
            s.fill(fd, size / 2, 3000, 2);
            s.contents("file");
        }
        s.open("file", O_WRONLY | O_TRUNC);
        s.fstat(fd);
        s.fill(fd, 10000, 10, 3);
        s.contents("file");
        s.call("truncate by name", ::truncate(s.at("file").c_str(), 7777));
        s.fstat(fd);
        s.call("truncate negative", ::ftruncate(fd, -1));
        s.call("truncate directory", ::truncate(s.at("").c_str(), 0));
        s.call("truncate none", ::truncate(s.at("none").c_str(), 0));
        s.open("fresh", O_CREAT | O_TRUNC | O_RDWR);
        s.open("file", O_CREAT | O_TRUNC | O_RDONLY);
        s.stat("file");
    });
}

TEST_F(Data, HugeOffsetsAndSparseFiles) {
    constexpr std::int64_t kTiB = std::int64_t{1} << 40U;
    // ext4's limit with 4 KiB blocks is 16 TiB - 4 KiB. The errno must be the same beyond a
    // filesystem's limit and beyond 2^63 - 1.
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        s.fill(fd, 5 * kTiB + 12345, 10000, 1);
        s.fstat(fd);
        s.pread(fd, 20000, 5 * kTiB);
        s.pread(fd, 4096, 2 * kTiB);
        s.call("seek data", ::lseek(fd, 0, SEEK_DATA) / 65536);
        s.call("ftruncate", ::ftruncate(fd, 9 * kTiB));
        s.fstat(fd);
        s.pread(fd, 4096, 9 * kTiB - 100);
        s.call("fsync", ::fsync(fd));
        s.fstat(fd);
        s.pread(fd, 30000, 5 * kTiB);
        for (const std::int64_t far : {INT64_MAX, INT64_MAX - 1, INT64_MAX - 4096, INT64_MAX / 2}) {
            s.pread(fd, 10, far);
            s.call("ftruncate", ::ftruncate(fd, far));
        }
        s.pwrite(fd, "0123456789", INT64_MAX - 5);
        s.pwrite(fd, "0123456789", INT64_MAX);
        s.fstat(fd);
        s.call("ftruncate", ::ftruncate(fd, 100));
        s.contents("file");
    });
}

TEST_F(Data, TheFilesystemsSizeLimitIsTold) {
    constexpr std::int64_t kTiB16 = std::int64_t{16} << 40U;
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        s.pwrite(fd, "x", INT64_MAX - 100);
        s.call("fsync", ::fsync(fd));
        s.fstat(fd);
        // ext4 with 4 KiB blocks ends at 16 TiB - 4 KiB: a write across the limit is cut short.
        for (const std::int64_t limit : {kTiB16 - 4096, kTiB16}) {
            const std::string data(10000, 'x');
            s.call("across", ::pwrite(fd, data.data(), data.size(), limit - 5000));
            s.call("before", ::pwrite(fd, data.data(), 100, limit - 100));
            s.call("behind", ::pwrite(fd, data.data(), 100, limit));
            s.call("ftruncate behind", ::ftruncate(fd, limit + 1));
            s.call("ftruncate to the end", ::ftruncate(fd, INT64_MAX));
            s.fstat(fd);
        }
        s.call("ftruncate", ::ftruncate(fd, 0));
        s.pwrite(fd, "ok", 0);
        s.call("fsync", ::fsync(fd));
        s.contents("file");
    });
}

TEST_F(Data, CopyFileRangeSeesUnwrittenData) {
    expect_same(mount(), [](Script& s) {
        const int from = s.open("from", O_CREAT | O_RDWR);
        const int to = s.open("to", O_CREAT | O_RDWR);
        s.fill(from, 0, 100000, 1);
        s.fill(to, 0, 30000, 2);
        const auto copy = [&](off64_t source, int target_fd, off64_t target, std::size_t length) {
            s.call("copy_file_range of " + std::to_string(length),
                   ::copy_file_range(from, &source, target_fd, &target, length, 0));
            s.contents("to");
        };
        copy(0, to, 0, 1000);
        copy(50001, to, 10003, 40000);
        copy(90000, to, 100000, 50000);
        copy(200000, to, 0, 10);
        copy(0, from, 150000, 50000);
        copy(0, from, 100, 1000);
        s.contents("from");
        s.call("fsync", ::fsync(to));
        s.contents("to");
        s.call("to read-only",
               ::copy_file_range(from, nullptr, s.open("to", O_RDONLY), nullptr, 10, 0));
    });
}

TEST_F(Data, DirectReadsAndWrites) {
    expect_same(mount(), [](Script& s) {
        constexpr std::size_t kSize = 65536;
        const std::unique_ptr<char, decltype(&std::free)> memory(
            static_cast<char*>(std::aligned_alloc(4096, kSize)), &std::free);
        const int cached = s.open("file", O_CREAT | O_RDWR);
        const int direct = s.open("file", O_RDWR | O_DIRECT);
        s.fill(cached, 0, 50000, 1);
        std::memset(memory.get(), 'd', kSize);
        s.call("direct pwrite", ::pwrite(direct, memory.get(), 8192, 4096));
        s.pread(cached, 100000, 0);
        s.fill(cached, 5000, 100, 2);
        s.call("direct pread", ::pread(direct, memory.get(), kSize, 0));
        s.note(std::string(memory.get() + 4096, 2000));
        s.call("fsync", ::fsync(direct));
        s.contents("file");
        s.call("past the end", ::pread(direct, memory.get(), 4096, 65536));
    });
}

TEST_F(Data, VectorsAndOffsets) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        std::array<char, 5000> one{};
        std::array<char, 3000> two{};
        one.fill('1');
        two.fill('2');
        const std::array parts{iovec{one.data(), one.size()}, iovec{two.data(), two.size()}};
        s.call("pwritev", ::pwritev(fd, parts.data(), 2, 100));
        s.call("write", ::write(fd, "start", 5));
        s.call("position", ::lseek(fd, 0, SEEK_CUR));
        s.contents("file");
        s.call("preadv", ::preadv(fd, parts.data(), 2, 50));
        s.note(std::string(one.data(), 100));
        s.call("zero bytes", ::pwrite(fd, one.data(), 0, 1000000));
        s.fstat(fd);
    });
}

TEST_F(Data, SharedMappings) {
    expect_same(mount(), [](Script& s) {
        constexpr std::size_t kSize = 5 * 4096;
        const int fd = s.open("file", O_CREAT | O_RDWR);
        s.fill(fd, 0, kSize - 100, 1);
        auto* map =
            static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
        s.call("mmap", map == MAP_FAILED ? -1 : 0);
        std::memset(map + 1000, 'm', 5000);
        s.pread(fd, kSize, 0);
        s.call("msync", ::msync(map, kSize, MS_SYNC));
        s.contents("file");
        s.pwrite(fd, "written", 1234);
        s.note(std::string(map + 1230, 20));
        std::memset(map + 9000, 'n', 100);
        s.call("munmap", ::munmap(map, kSize));
        s.contents("file");
        s.call("fsync", ::fsync(fd));
        s.contents("file");
        map =
            static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
        std::memset(map, 'p', kSize);
        s.contents("file");
        s.call("munmap", ::munmap(map, kSize));
        s.call("map read-only fd shared", ::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED,
                                                 s.open("file", O_RDONLY), 0) == MAP_FAILED
                                              ? -1
                                              : 0);
    });
}

TEST_F(Data, RandomOperationsGiveTheSameFile) {
    for (unsigned seed = 1; seed <= 8; ++seed) {
        expect_same(mount(), [seed](Script& s) {
            std::mt19937 random(seed);
            const auto below = [&](unsigned limit) {
                return std::uniform_int_distribution<unsigned>(0, limit - 1)(random);
            };
            int fd = s.open("file", O_CREAT | O_RDWR);
            constexpr unsigned kSize = 300000;
            for (int i = 0; i < 300; ++i) {
                const auto offset = static_cast<off_t>(below(kSize));
                const std::size_t length = 1 + below(below(2) != 0 ? 20000 : 600);
                switch (below(10)) {
                case 0:
                    s.call("ftruncate", ::ftruncate(fd, offset));
                    break;
                case 1:
                    s.call("punch", ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                offset, static_cast<off_t>(length)));
                    break;
                case 2:
                    s.call("zero", ::fallocate(fd, FALLOC_FL_ZERO_RANGE, offset,
                                               static_cast<off_t>(length)));
                    break;
                case 3:
                    s.call("fsync", below(2) != 0 ? ::fsync(fd) : ::fdatasync(fd));
                    break;
                case 4:
                    s.close(fd);
                    fd = s.open("file", O_RDWR);
                    break;
                case 5:
                    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
                    s.pread(fd, length, offset);
                    break;
                case 6:
                    s.pread(fd, length, offset);
                    break;
                default:
                    s.fill(fd, offset, length, below(1000));
                }
                s.fstat(fd);
            }
            s.contents("file");
        });
    }
}

} // namespace
} // namespace partialfs::testing
