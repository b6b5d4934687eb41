// Compares whole files: their bytes, and where SEEK_DATA and SEEK_HOLE find data.
#include "tests/mounted/differential/executor.hpp"
#include "tests/mounted/mount.hpp"

#include <unistd.h>

#include <algorithm>

namespace partialfs::differential {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10U;

/// All bytes of a file up to its end.
Answer read_all(int fd, std::vector<char>& bytes) {
    for (;;) {
        const std::size_t have = bytes.size();
        bytes.resize(have + kChunk);
        const ssize_t count = ::pread(fd, bytes.data() + have, kChunk, static_cast<off_t>(have));
        bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count <= 0) {
            return {count, count < 0 ? errno : 0};
        }
    }
}

bool is_zero(const std::vector<char>& bytes, std::int64_t begin, std::int64_t end,
             const Mask& mask) {
    for (std::int64_t i = begin; i < std::min<std::int64_t>(end, std::ssize(bytes)); ++i) {
        if (bytes[static_cast<std::size_t>(i)] != 0 && (i < mask.begin || i >= mask.end)) {
            return false;
        }
    }
    return true;
}

} // namespace

void compare_contents(World& world, std::string_view what, const Both<int>& fds) {
    Both<std::vector<char>> bytes;
    Both<Answer> answers;
    for (const Side side : kSides) {
        answers[side] = read_all(fds[side], bytes[side]);
    }
    if (world.checks().same(what, answers)) {
        const Mask mask = world.mask_of(identity_of(fds.plain));
        world.checks().same_bytes(what, 0, bytes, mask.begin, mask.end);
    }
}

void compare_data_found(World& world, std::string_view what, const Handle& handle) {
    struct stat status{};
    if ((handle.flags & O_ACCMODE) == O_WRONLY || handle.is_direct() ||
        ::fstat(handle.fd.plain.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    std::vector<char> bytes;
    (void)read_all(handle.fd.plain.get(), bytes);
    const int fd = handle.fd.mounted.get();
    const Mask mask = world.mask_of(identity_of(handle.fd.plain.get()));
    for (off_t at = 0; at < status.st_size;) {
        off_t data = ::lseek(fd, at, SEEK_DATA);
        data = data < 0 ? status.st_size : data;
        world.checks().require(Check::data_found, is_zero(bytes, at, data, mask),
                               std::string(what) + ": SEEK_DATA from " + std::to_string(at) +
                                   " finds nothing before " + std::to_string(data) +
                                   ", but there is data");
        const off_t hole = data < status.st_size ? ::lseek(fd, data, SEEK_HOLE) : status.st_size;
        world.checks().require(Check::data_found, hole > data || data == status.st_size,
                               std::string(what) + ": SEEK_HOLE from " + std::to_string(data) +
                                   " answers " + std::to_string(hole));
        at = hole;
    }
    ::lseek(fd, ::lseek(handle.fd.plain.get(), 0, SEEK_CUR), SEEK_SET);
    (void)world.checks().same("SEEK_DATA at the end", answers_of([&](Side side) {
                                  return ::lseek(handle.fd[side].get(), status.st_size, SEEK_DATA);
                              }));
    if (world.checks().has(Check::blocks) && !is_zero(bytes, 0, std::ssize(bytes), mask)) {
        // A store may be counted only at the next commit.
        const bool counted =
            testing::wait_until([&] { return ::fstat(fd, &status) == 0 && status.st_blocks > 0; });
        world.checks().require(Check::blocks, counted,
                               std::string(what) + ": st_blocks is 0, but there is data");
    }
}

} // namespace partialfs::differential
