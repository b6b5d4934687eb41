#include "tools/mmapstress/engine/conflict_set.hpp"

#include <gtest/gtest.h>

namespace mmapstress {
namespace {

ByteRange range(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

TEST(ConflictSet, RefusesBytesOfAnotherWorker) {
    ConflictSet set;
    const FileIndex file{0};
    EXPECT_TRUE(set.add(file, range(100, 200), WorkerIndex{1}));
    EXPECT_TRUE(set.add(file, range(200, 300), WorkerIndex{2}));
    EXPECT_TRUE(set.add(file, range(50, 100), WorkerIndex{2}));
    EXPECT_FALSE(set.add(file, range(199, 201), WorkerIndex{1}));
    EXPECT_FALSE(set.add(file, range(0, 400), WorkerIndex{1}));
    EXPECT_FALSE(set.add(file, range(150, 160), WorkerIndex{2}));
    EXPECT_TRUE(set.add(FileIndex{1}, range(150, 160), WorkerIndex{2}));
    EXPECT_TRUE(set.add(file, range(150, 200), WorkerIndex{1}));
}

TEST(ConflictSet, AWorkersOwnRangesGrowTogether) {
    ConflictSet set;
    const FileIndex file{0};
    EXPECT_TRUE(set.add(file, range(0, 10), WorkerIndex{1}));
    EXPECT_TRUE(set.add(file, range(20, 30), WorkerIndex{1}));
    EXPECT_TRUE(set.add(file, range(5, 25), WorkerIndex{1}));
    EXPECT_FALSE(set.add(file, range(15, 16), WorkerIndex{2}));
    EXPECT_FALSE(set.add(file, range(29, 40), WorkerIndex{2}));
    EXPECT_TRUE(set.add(file, range(30, 40), WorkerIndex{2}));
    set.clear();
    EXPECT_TRUE(set.add(file, range(0, 100), WorkerIndex{2}));
}

} // namespace
} // namespace mmapstress
