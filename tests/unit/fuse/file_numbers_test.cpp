#include "fusefs/fuse/file_numbers.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

namespace partialfs::fuse {
namespace {

constexpr dev_t kOwn = 0x803;

TEST(FileNumbers, OneFilesystemKeepsItsNumbers) {
    FileNumbers numbers(kOwn);
    for (const ino_t number : {ino_t{2}, ino_t{1} << 40U, (ino_t{1} << 62U) - 1}) {
        EXPECT_EQ(numbers.number_of({kOwn, number}), number);
    }
}

TEST(FileNumbers, NoTwoObjectsHaveOneNumberAndItStays) {
    FileNumbers numbers(kOwn);
    // Around every boundary: of our own range, of the numbers that fit into it, of 64 bits.
    std::vector<ino_t> interesting{0, 1, 2, 256};
    for (const unsigned bit : {31U, 32U, 47U, 48U, 61U, 62U, 63U}) {
        for (ino_t nearby = 0; nearby < 3; ++nearby) {
            interesting.push_back((ino_t{1} << bit) - 1 + nearby);
        }
    }
    for (ino_t last = 0; last < 3; ++last) {
        interesting.push_back(~last);
        // Numbers in FileNumbers' own range, here as the number of a file of SOURCE.
        interesting.push_back(ino_t{1} << 62U | ino_t{1} << 48U | last);
        interesting.push_back((ino_t{1} << 63U) - (ino_t{1} << 48U) + last);
    }
    std::map<BackingKey, ino_t> given;
    std::set<ino_t> seen;
    for (ino_t index = 0; index < 9; ++index) {
        seen.insert(FileNumbers::control(index));
    }
    for (int round = 0; round < 2; ++round) {
        for (const dev_t device : {kOwn, dev_t{1}, dev_t{0x804}, dev_t{0}, ~dev_t{0}}) {
            for (const ino_t number : interesting) {
                const BackingKey key{device, number};
                const ino_t shown = numbers.number_of(key);
                const auto [entry, first] = given.emplace(key, shown);
                EXPECT_EQ(entry->second, shown);
                EXPECT_TRUE(!first || seen.insert(shown).second)
                    << std::hex << "device " << device << " number " << number;
            }
        }
    }
}

TEST(FileNumbers, MoreDevicesThanHavePlacesAreNoProblem) {
    FileNumbers numbers(kOwn);
    std::set<ino_t> seen;
    constexpr dev_t kDevices = 20'000;
    for (dev_t device = 1; device <= kDevices; ++device) {
        seen.insert(numbers.number_of({device + kOwn, 2}));
        seen.insert(numbers.number_of({device + kOwn, 3}));
    }
    EXPECT_EQ(seen.size(), 2 * kDevices);
    EXPECT_TRUE(seen.contains(numbers.number_of({kOwn + 1, 2})));
    EXPECT_TRUE(seen.contains(numbers.number_of({kOwn + kDevices, 3})));
}

} // namespace
} // namespace partialfs::fuse
