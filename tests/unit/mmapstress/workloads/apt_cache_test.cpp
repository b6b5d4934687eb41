#include "tools/mmapstress/workloads/apt/cache_builder.hpp"
#include "tools/mmapstress/workloads/apt/cache_layout.hpp"
#include "tools/mmapstress/workloads/apt/cache_reader.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace mmapstress::apt {
namespace {

using partialfs::model::ByteCount;
using partialfs::model::ByteOffset;
using partialfs::model::kPageSize;
using Kind = CacheStep::Kind;

CacheBuild build(std::uint64_t seed = 7, std::size_t packages = 400) {
    auto built = build_cache(make_distribution(seed, packages), ByteCount{kDefaultLimit});
    EXPECT_TRUE(built.has_value()) << built.error();
    return std::move(*built);
}

Header header_of(const std::vector<std::byte>& image) {
    Header header;
    std::memcpy(&header, image.data(), sizeof header);
    return header;
}

/// The finished file after all steps except those that `leave_out` selects.
template <typename LeaveOut>
std::vector<std::byte> play(const CacheBuild& cache, LeaveOut leave_out) {
    std::vector<std::byte> file(kDefaultLimit);
    for (const CacheStep& step : cache.steps) {
        if (step.kind == Kind::store && !leave_out(step)) {
            std::memcpy(file.data() + step.range.begin.value, step.bytes.data(), step.bytes.size());
        } else if (step.kind == Kind::truncate) {
            file.resize(step.range.end.value);
        }
    }
    return file;
}

bool has(const CacheCheck& check, CacheProblem::Kind kind) {
    return std::ranges::count(check.problems, kind, &CacheProblem::kind) > 0;
}

TEST(AptCache, StepsBuildASoundCacheWithEveryPackage) {
    const CacheBuild cache = build();
    const auto file = play(cache, [](const CacheStep&) { return false; });
    EXPECT_EQ(file, cache.image);
    const CacheCheck check = check_cache(file);
    EXPECT_TRUE(check.sound()) << check.problems.front().text;
    EXPECT_GE(check.packages.size(), 400U);
    EXPECT_EQ(check.versions, 400U) << "dpkg's status adds no version of its own";
    EXPECT_GT(check.dependencies, 400U);
    EXPECT_THAT(check.packages, ::testing::Contains("mail-transport-agent"));
}

TEST(AptCache, SameSeedSameSteps) {
    EXPECT_EQ(build(3).image, build(3).image);
    EXPECT_NE(build(3).image, build(4).image);
}

// The order of 2006: created at its largest size, mapped, the header synced; only at the end, after
// a sync of everything, marked clean and truncated.
TEST(AptCache, FollowsAptsOrder) {
    const CacheBuild cache = build();
    std::vector<Kind> order;
    for (const CacheStep& step : cache.steps) {
        if (step.kind != Kind::read_list &&
            (step.kind != Kind::store || order.back() != step.kind)) {
            order.push_back(step.kind);
        }
    }
    EXPECT_THAT(order, ::testing::ElementsAre(Kind::create, Kind::map, Kind::store, Kind::msync,
                                              Kind::store, Kind::msync, Kind::store, Kind::msync,
                                              Kind::unmap, Kind::truncate));
    EXPECT_EQ(cache.steps[0].range.end, ByteOffset{kDefaultLimit});
    EXPECT_EQ(cache.steps[3].range.size(), ByteCount{sizeof(Header)});
    const auto& clear_dirty = cache.steps[cache.steps.size() - 4];
    EXPECT_EQ(clear_dirty.range.begin, ByteOffset{offsetof(Header, dirty)});
    EXPECT_EQ(clear_dirty.bytes, std::vector{std::byte{0}});
}

// Why the cache was a victim: most pages are stored into again long after their first store.
TEST(AptCache, PatchesTheHeaderAndEarlierPagesAllTheTime) {
    const CacheBuild cache = build();
    std::size_t stores = 0;
    std::size_t in_header = 0;
    std::size_t behind = 0;
    ByteOffset highest{0};
    for (const CacheStep& step : cache.steps) {
        if (step.kind != Kind::store) {
            continue;
        }
        ++stores;
        in_header += step.range.begin.value < sizeof(Header) ? 1 : 0;
        behind += step.range.end.value + kPageSize < highest.value ? 1 : 0;
        highest = std::max(highest, step.range.end);
    }
    EXPECT_GT(stores, 5000U);
    EXPECT_GT(in_header * 3, stores) << "pool cursors, counters, hash table";
    EXPECT_GT(behind * 2, stores);
}

TEST(AptCache, RecordsOfATypeShareAPool) {
    const Header header = header_of(build().image);
    std::set<std::uint64_t> sizes;
    for (const Pool& pool : header.pools) {
        if (pool.item_size == 0) {
            continue;
        }
        EXPECT_TRUE(sizes.insert(pool.item_size).second);
        EXPECT_EQ(pool.start % pool.item_size, 0U);
        EXPECT_LT(pool.count, kPoolBytes / pool.item_size);
    }
    EXPECT_EQ(sizes, (std::set<std::uint64_t>{8, 16, 20, 28, 48, 52, 72}));
}

TEST(AptCache, LimitTooSmallIsAptsError) {
    for (const std::uint64_t limit : {std::uint64_t{100}, std::uint64_t{64} << 10}) {
        const auto built = build_cache(make_distribution(1, 2000), ByteCount{limit});
        ASSERT_FALSE(built.has_value());
        EXPECT_THAT(built.error(), ::testing::HasSubstr("limit"));
    }
}

// The historical loss: later stores into a page never reach the disk. The reader must notice each
// page of the structure that kept an older state, wherever it is.
TEST(AptCache, ReaderNoticesEveryPageThatIsStale) {
    const CacheBuild cache = build();
    for (std::uint64_t page = 0; page * kPageSize < cache.image.size(); ++page) {
        std::vector<std::byte> file = cache.image;
        const auto first = page * kPageSize;
        const auto last = std::min<std::uint64_t>(first + kPageSize, file.size());
        std::fill(file.begin() + static_cast<std::ptrdiff_t>(first + kPageSize / 4),
                  file.begin() + static_cast<std::ptrdiff_t>(last), std::byte{0});
        if (file != cache.image) {
            EXPECT_FALSE(check_cache(file).sound()) << "page " << page;
        }
    }
}

TEST(AptCache, ReaderNamesWhatIsBroken) {
    const CacheBuild cache = build();
    const Header header = header_of(cache.image);
    const auto without = [&](std::uint64_t offset, std::uint64_t size) {
        return check_cache(play(cache, [&](const CacheStep& step) {
            return step.range.begin.value == offset && step.range.size().value == size;
        }));
    };
    const CacheCheck no_bucket =
        without(offsetof(Header, buckets) + 4 * static_cast<std::uint64_t>(bucket_of("editor")), 4);
    EXPECT_TRUE(has(no_bucket, CacheProblem::Kind::missing_package));
    EXPECT_TRUE(has(no_bucket, CacheProblem::Kind::wrong_count));
    EXPECT_THAT(no_bucket.packages, ::testing::Not(::testing::Contains("editor")));

    const CacheCheck dirty = check_cache(play(cache, [](const CacheStep& step) {
        return step.range.begin.value == offsetof(Header, dirty) && step.bytes.size() == 1;
    }));
    ASSERT_EQ(dirty.problems.size(), 1U);
    EXPECT_EQ(dirty.problems[0].kind, CacheProblem::Kind::left_dirty);

    std::vector<std::byte> file = cache.image;
    const Ref<StringItem> far{static_cast<std::uint32_t>(file.size())};
    std::memcpy(file.data() + offsetof(Header, strings), &far, sizeof far);
    EXPECT_TRUE(has(check_cache(file), CacheProblem::Kind::dangling_link));

    file = cache.image;
    std::memcpy(file.data() + header.strings.offset() + offsetof(StringItem, next), &header.strings,
                sizeof header.strings);
    EXPECT_TRUE(has(check_cache(file), CacheProblem::Kind::loop));
}

// Bytes that are not a cache at all: at worst many problems, never a crash (the sanitizers watch).
TEST(AptCache, ReaderSurvivesAnyBytes) {
    EXPECT_EQ(check_cache({}).problems.at(0).kind, CacheProblem::Kind::too_short);
    const CacheBuild cache = build(1, 60);
    std::uint64_t random = 1;
    for (int round = 0; round < 300; ++round) {
        std::vector<std::byte> file = cache.image;
        for (int hit = 0; hit < 40; ++hit) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            file[(random >> 20) % file.size()] = static_cast<std::byte>(random >> 56);
        }
        file.resize(file.size() - (random >> 33) % (file.size() / 2));
        check_cache(file);
    }
}

} // namespace
} // namespace mmapstress::apt
