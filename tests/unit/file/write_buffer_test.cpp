#include "fusefs/file/write_buffer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace partialfs::file {
namespace {

using model::ByteOffset;
using model::ByteRange;

constexpr std::uint64_t kSpace = 20'000;

std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
}

/// The buffered bytes, one by one.
struct Naive {
    struct Byte {
        char value;
        std::uint64_t epoch;
    };
    std::map<std::uint64_t, Byte> bytes;

    void erase(std::uint64_t begin, std::uint64_t end) {
        bytes.erase(bytes.lower_bound(begin), bytes.lower_bound(end));
    }
};

void expect_same(const WriteBuffer& buffer, const Naive& naive, std::uint64_t since) {
    std::vector<std::byte> seen(kSpace, std::byte{0xEE});
    const std::size_t put = buffer.overlay(ByteOffset{0}, seen, Epoch{since});
    std::vector<std::byte> expected(kSpace, std::byte{0xEE});
    std::size_t count = 0;
    for (const auto& [at, byte] : naive.bytes) {
        if (byte.epoch >= since) {
            expected[at] = static_cast<std::byte>(byte.value);
            ++count;
        }
    }
    RC_ASSERT(put == count);
    RC_ASSERT(seen == expected);
}

RC_GTEST_PROP(WriteBuffer, IsAMapOfBytes, ()) {
    BufferBudget budget(std::uint64_t{1} << 30U);
    {
        WriteBuffer buffer;
        WriteBuffer taken;
        Naive naive;
        Naive naive_taken;
        std::uint64_t epoch = 1;
        const auto steps = *rc::gen::inRange(1, 60);
        for (int step = 0; step < steps; ++step) {
            const auto begin = *rc::gen::inRange<std::uint64_t>(0, kSpace - 1);
            const auto length = std::min(*rc::gen::inRange<std::uint64_t>(1, 6000), kSpace - begin);
            const ByteRange range{ByteOffset{begin}, ByteOffset{begin + length}};
            const char value = *rc::gen::inRange<char>('a', 'z');
            switch (*rc::gen::inRange(0, 8)) {
            case 0:
                buffer.erase(range);
                naive.erase(begin, begin + length);
                break;
            case 1:
                buffer.move_to(taken, range, Epoch{epoch + 1}, Epoch{epoch});
                for (std::uint64_t i = begin; i < begin + length; ++i) {
                    if (const auto byte = naive.bytes.find(i); byte != naive.bytes.end()) {
                        naive_taken.bytes.insert_or_assign(i,
                                                           Naive::Byte{byte->second.value, epoch});
                    }
                }
                naive.erase(begin, begin + length);
                break;
            case 2:
                buffer.take_missing(taken);
                naive.bytes.merge(naive_taken.bytes);
                naive_taken.bytes.clear();
                break;
            case 3:
                ++epoch;
                break;
            default:
                RC_ASSERT(buffer.insert_copy(range.begin, as_bytes(std::string(length, value)),
                                             Epoch{epoch}, budget));
                for (std::uint64_t i = begin; i < begin + length; ++i) {
                    naive.bytes.insert_or_assign(i, Naive::Byte{value, epoch});
                }
            }
            expect_same(buffer, naive, 0);
            expect_same(buffer, naive, epoch);
            const auto present = [&](std::uint64_t i) { return naive.bytes.contains(i); };
            bool all = true;
            bool any = false;
            for (std::uint64_t i = begin; i < begin + length; ++i) {
                all = all && present(i);
                any = any || present(i);
            }
            RC_ASSERT(buffer.covers(range) == all);
            RC_ASSERT(buffer.touches(range) == any);
            const auto next = naive.bytes.lower_bound(begin);
            const auto first = buffer.first_from(range.begin);
            RC_ASSERT(first.has_value() == (next != naive.bytes.end()));
            RC_ASSERT(!first || first->value == next->first);
            std::uint64_t end = begin;
            while (present(end)) {
                ++end;
            }
            RC_ASSERT(buffer.end_of_run(range.begin).value == end);
        }
    }
    RC_ASSERT(budget.used() == 0U);
}

TEST(WriteBuffer, SmallAppendsShareOneAllocation) {
    BufferBudget budget(1U << 20U);
    WriteBuffer buffer;
    for (std::uint64_t i = 0; i < 100; ++i) {
        ASSERT_TRUE(buffer.insert_copy(ByteOffset{i * 40}, as_bytes(std::string(40, 'x')), Epoch{1},
                                       budget));
    }
    EXPECT_EQ(buffer.extents(), 1U);
    EXPECT_LT(budget.used(), 5000U);
}

TEST(WriteBuffer, NeverExceedsTheBudget) {
    BufferBudget budget(20'000);
    WriteBuffer buffer;
    std::uint64_t at = 0;
    while (buffer.insert_copy(ByteOffset{at}, as_bytes(std::string(4096, 'x')), Epoch{1}, budget)) {
        at += 8192;
        ASSERT_LE(budget.used(), budget.limit());
    }
    EXPECT_EQ(buffer.extents(), 4U);
    EXPECT_FALSE(buffer.touches({ByteOffset{at}, ByteOffset{at + 4096}})) << "nothing happened";
}

TEST(WriteBuffer, MemoryTakenOverGoesBackToItsPoolOnce) {
    MemoryPool pool(4);
    BufferBudget budget(1U << 20U);
    void* const memory = std::malloc(8192);
    {
        WriteBuffer buffer;
        auto owner = std::make_shared<Buffer>(PoolMemory(memory, GiveBack{&pool}), 8192, budget);
        ASSERT_TRUE(owner->charge(8192));
        const std::span<const std::byte> bytes{owner->data(), 8192};
        buffer.insert(ByteOffset{0}, std::move(owner), bytes, Epoch{1});
        buffer.erase({ByteOffset{100}, ByteOffset{200}}); // two extents that share one allocation
        EXPECT_EQ(buffer.extents(), 2U);
        EXPECT_EQ(budget.used(), 8192U);
    }
    EXPECT_EQ(budget.used(), 0U);
    EXPECT_EQ(pool.take(), memory);
    EXPECT_EQ(pool.take(), nullptr);
    std::free(memory);
}

} // namespace
} // namespace partialfs::file
