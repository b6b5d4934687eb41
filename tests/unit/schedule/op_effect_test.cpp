#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/schedule.hpp"

#include <gtest/gtest.h>

namespace mmapstress {
namespace {

/// Parses an operation on a file of 10000 bytes.
Op parsed(const std::string& line) {
    const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 1\n"
                                         "file 0 size=10000 start=written\n1 " +
                                         line + "\n");
    EXPECT_TRUE(schedule) << schedule.error().message();
    return schedule->ops.at(0);
}

ByteRange range(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

constexpr ByteCount kSize{10000};
constexpr ByteOffset kNoEnd{INT64_MAX};

TEST(OpEffect, KnowsTheSizeAfterwards) {
    const auto after = [](const std::string& line) {
        return size_after(parsed(line), kSize).value;
    };
    EXPECT_EQ(after("truncate file=0 size=7"), 7U);
    EXPECT_EQ(after("append file=0 len=7"), 10007U);
    EXPECT_EQ(after("write file=0 off=9999 len=2"), 10001U);
    EXPECT_EQ(after("write file=0 off=1 len=2"), 10000U);
    EXPECT_EQ(after("dontcache-write file=0 off=20000 len=2"), 20002U);
    EXPECT_EQ(after("store file=0 off=9999 len=2"), 10000U) << "a store makes no file grow";
    EXPECT_EQ(after("zero-range file=0 off=9999 len=20"), 10000U);
    EXPECT_EQ(after("collapse file=0 off=4096 len=4096"), 5904U);
    EXPECT_EQ(after("insert file=0 off=4096 len=4096"), 14096U);
    EXPECT_EQ(after("copy file=0 off=9999 len=2 source=0 from=0"), 10001U);
    EXPECT_EQ(after("commit"), 10000U);
}

TEST(OpEffect, KnowsWhichBytesChange) {
    const auto changed = [](const std::string& line) { return changed_bytes(parsed(line), kSize); };
    EXPECT_EQ(changed("truncate file=0 size=7"), range(7, 10000));
    EXPECT_EQ(changed("truncate file=0 size=12000"), range(10000, 12000));
    EXPECT_EQ(changed("append file=0 len=7"), range(10000, 10007));
    EXPECT_EQ(changed("write file=0 off=12000 len=7"), range(10000, 12007)) << "with the gap";
    EXPECT_EQ(changed("store file=0 off=9990 len=20"), range(9990, 10000));
    EXPECT_EQ(changed("direct-read-store file=0 off=512 len=1024"), range(512, 1536));
    EXPECT_EQ(changed("punch file=0 off=9000 len=5000"), range(9000, 10000));
    EXPECT_EQ(changed("zero-range file=0 off=1 len=2"), range(1, 3));
    EXPECT_TRUE(changed("zero-range file=0 off=20000 len=2").empty());
    EXPECT_TRUE(changed("start-writeback file=0 off=0 len=4096").empty());
    EXPECT_TRUE(changed("fsync file=0").empty());
    EXPECT_EQ(changed("collapse file=0 off=4096 len=4096"), range(4096, 10000));
    EXPECT_EQ(changed("insert file=0 off=4096 len=4096"), range(4096, 14096));
    EXPECT_EQ(changed("clone file=0 off=4096 len=4096 source=0 from=0"), range(4096, 8192));
    EXPECT_TRUE(changed("past-eof-store file=0 off=10000 len=5").empty());
}

TEST(OpEffect, WhatChangesTheSizeTakesAllThatFollows) {
    const auto together = [](const std::string& line) {
        return changed_together(parsed(line), kSize, ByteCount{kPageSize});
    };
    EXPECT_EQ(together("truncate file=0 size=7"), (ByteRange{ByteOffset{7}, kNoEnd}));
    EXPECT_EQ(together("truncate file=0 size=12000"), (ByteRange{ByteOffset{10000}, kNoEnd}));
    EXPECT_EQ(together("truncate file=0 size=10000"), (ByteRange{ByteOffset{10000}, kNoEnd}))
        << "it must not come after one that makes the file longer";
    EXPECT_EQ(together("append file=0 len=1"), (ByteRange{ByteOffset{10000}, kNoEnd}));
    EXPECT_EQ(together("write file=0 off=0 len=5"), range(0, 5));
    EXPECT_EQ(together("store file=0 off=9990 len=20"), range(9990, 10010))
        << "the last page past the end, too";
    EXPECT_EQ(together("past-eof-store file=0 off=10000 len=5"), range(10000, 10005));
    EXPECT_EQ(together("read-fault file=0 off=5"), range(5, 6)) << "it must not be cut off";
    EXPECT_TRUE(together("madvise-cold file=0 off=0 len=4096").empty());
    EXPECT_EQ(together("punch file=0 off=9000 len=5000"), range(9000, 14000))
        << "what another worker appends meanwhile must stay";
    EXPECT_EQ(together("zero-range file=0 off=20000 len=5"), range(20000, 20005));
    EXPECT_TRUE(together("drop-pages file=0").empty()) << "others go on storing";
}

TEST(OpEffect, ADirectWriteHasItsFoliosForItself) {
    const auto together = [](const std::string& line, std::uint64_t folio) {
        return changed_together(parsed(line), kSize, ByteCount{folio});
    };
    constexpr std::uint64_t kHuge = 2U << 20U;
    EXPECT_EQ(together("direct-write file=0 off=512 len=512", kPageSize), range(0, 4096));
    EXPECT_EQ(together("direct-write file=0 off=3584 len=1024", kPageSize), range(0, 8192));
    EXPECT_EQ(together("direct-write file=0 off=4096 len=4096", kPageSize), range(4096, 8192));
    EXPECT_EQ(together("direct-write file=0 off=4096 len=4096", kHuge), range(0, kHuge));
    EXPECT_EQ(together("direct-write file=0 off=9728 len=512", kPageSize),
              (ByteRange{ByteOffset{8192}, kNoEnd}))
        << "one that makes the file longer";
    EXPECT_EQ(together("write file=0 off=512 len=512", kHuge), range(512, 1024))
        << "the page cache tells other bytes apart";
}

TEST(OpEffect, TheSourceOfAWholeCloneMustNotGrow) {
    Op clone;
    clone.kind = OpKind::clone_file;
    clone.length = kSize;
    EXPECT_EQ(needed_of_source(clone), (ByteRange{ByteOffset{0}, kNoEnd}));
    EXPECT_EQ(needed_of_source(parsed("copy file=0 off=9999 len=2 source=0 from=5")), range(5, 7));
    EXPECT_EQ(changed_together(clone, kSize, ByteCount{kPageSize}),
              (ByteRange{ByteOffset{0}, kNoEnd}))
        << "were the file longer by then, the kernel would refuse it";
    EXPECT_EQ(size_after(clone, ByteCount{5}), kSize);
    EXPECT_EQ(size_after(clone, ByteCount{20000}), ByteCount{20000});
    EXPECT_EQ(changed_bytes(clone, ByteCount{20000}), range(0, 10000));
}

} // namespace
} // namespace mmapstress
