// Where a file has data and where it has holes: seeking and allocating, on the mount as on a plain
// directory.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace partialfs::testing {
namespace {

using Space = Mounted;

TEST_F(Space, SeekFindsDataAndHolesBeforeAndAfterASync) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        const auto seek_all = [&] {
            for (const off_t from : {0, 1, 4096, 70000, 131071, 131072, 200000, 299999, 300000}) {
                s.call("data from " + std::to_string(from), ::lseek(fd, from, SEEK_DATA));
                s.call("hole from " + std::to_string(from), ::lseek(fd, from, SEEK_HOLE));
            }
            s.call("end", ::lseek(fd, 0, SEEK_END));
        };
        s.fill(fd, 65536, 65536, 1);
        s.fill(fd, 196608, 4096, 2);
        s.call("ftruncate", ::ftruncate(fd, 300000));
        seek_all();
        s.call("fsync", ::fsync(fd));
        seek_all();
        s.fill(fd, 262144, 8192, 3);
        seek_all();
        s.call("past the end", ::lseek(fd, 300001, SEEK_DATA));
        s.call("negative", ::lseek(fd, -1, SEEK_HOLE));
    });
}

TEST_F(Space, FallocateInEveryMode) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        const auto allocate = [&](int mode, off_t offset, off_t length) {
            s.call("fallocate mode " + std::to_string(mode) + " at " + std::to_string(offset) +
                       " of " + std::to_string(length),
                   ::fallocate(fd, mode, offset, length));
            s.fstat(fd);
            s.contents("file");
        };
        s.fill(fd, 0, 50000, 1);
        allocate(0, 40000, 30000);
        allocate(0, 0, 1000);
        allocate(FALLOC_FL_KEEP_SIZE, 60000, 100000);
        allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 10000);
        s.fill(fd, 6000, 100, 2);
        allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096);
        allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 60000, 1000000);
        allocate(FALLOC_FL_ZERO_RANGE, 20000, 3000);
        allocate(FALLOC_FL_ZERO_RANGE, 60000, 30000);
        allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 80000, 100000);
        allocate(FALLOC_FL_PUNCH_HOLE, 0, 10);
        allocate(0, 0, 0);
        allocate(0, -1, 10);
        allocate(0, 0, -1);
        allocate(0, INT64_MAX - 5, 10);
        s.call("fsync", ::fsync(fd));
        s.contents("file");
        s.call("read-only", ::fallocate(s.open("file", O_RDONLY), 0, 0, 10));
        s.call("posix_fallocate", ::posix_fallocate(fd, 0, 200000));
        s.fstat(fd);
    });
}

} // namespace
} // namespace partialfs::testing
