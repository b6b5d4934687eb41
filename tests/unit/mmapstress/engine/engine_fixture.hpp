// The engine on the real filesystem of temporary files.
#pragma once

#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/engine/engine.hpp"

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

namespace mmapstress {

/// The body of a schedule with an operation of every kind.
inline const std::string kEverything = R"(file 0 size=20000 start=written
file 1 size=12288 start=partial+fsync
file 2 size=0 start=sparse
file 3 size=5000 start=written+fsync fill=255
1 start-write file=1 off=100 len=5000
2 store file=0 off=100 len=200
3 store file=0 map=1 off=4000 len=200
4 write file=0 off=5000 len=10000
5 append file=2 len=9000
6 store file=2 off=8990 len=10
7 fork-store file=0 off=150 len=20
8 commit
9 msync file=0
10 msync file=0 map=1 off=5000 len=100
11 msync-async file=0
12 fsync file=0
13 fdatasync file=1
14 sync_file_range file=0 off=0 len=8192
15 remap file=0
16 store file=0 off=19999 len=1
17 truncate file=0 size=10000
18 truncate file=0 size=30000
19 store file=0 off=25000 len=5000
20 punch file=0 off=4096 len=8192
21 read-check file=0
22 live-check file=0 off=3000 len=20000
23 direct-read-check file=0 off=100 len=7000
24 evict file=0
25 read-check file=0
26 store file=0 off=1 len=1 data=ff
27 map file=1 off=4096 len=4096
28 store file=1 off=4096 len=4096
29 unmap file=1
30 map file=1
31 fchmod file=1
32 read-fault file=1 off=8192
33 mprotect file=1
34 store file=1 off=8192 len=100 fill=0
35 madvise-dontneed file=1 off=0 len=12288
36 pause us=10
37 sync
38 append file=3 len=5000 fill=1
39 evict file=3
40 append file=3 len=1
)";

/// Runs on the real filesystem of temporary files.
class Engine : public testing::Test {
  protected:
    void SetUp() override {
        struct statfs found{};
        ASSERT_EQ(::statfs(directory_.path().c_str(), &found), 0);
        if (found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC) {
            GTEST_SKIP() << "temporary files are in memory: set TMPDIR to a directory on a disk";
        }
        settings_.directory = directory_.path();
    }

    static Schedule parsed(const std::string& body) {
        const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 3\n" + body);
        EXPECT_TRUE(schedule) << schedule.error().message();
        return *schedule;
    }

    RunResult done(const Schedule& schedule, Judge judge = nullptr) {
        auto result = run(settings_, source_of(schedule), judge);
        EXPECT_TRUE(result) << result.error().message;
        return std::move(*result);
    }

    static std::string problems_of(const RunResult& result) {
        std::string all;
        for (const Problem& problem : result.problems) {
            all += std::to_string(problem.op.value) + ": " + problem.message + "\n";
        }
        return all;
    }

    [[nodiscard]] std::size_t left_behind() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(directory_.path()),
                          std::filesystem::directory_iterator()));
    }

    /// The only run directory at present.
    [[nodiscard]] std::filesystem::path run_directory() const {
        return std::filesystem::directory_iterator(directory_.path())->path();
    }

    /// Does something to the run from outside, before its n-th operation.
    void before_op(std::uint64_t number, std::function<void()> what) {
        settings_.stop = [number, what = std::move(what), count = std::uint64_t{0}]() mutable {
            if (++count == number) {
                what();
            }
            return false;
        };
    }

    partialfs::testing::TemporaryDirectory directory_;
    RunSettings settings_;
};

} // namespace mmapstress
