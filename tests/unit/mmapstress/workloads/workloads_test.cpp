#include "tools/mmapstress/workloads/op_builder.hpp"
#include "tools/mmapstress/workloads/sources.hpp"
#include "tools/schedule/leaving_out.hpp"
#include "tools/schedule/op_walker.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace mmapstress {
namespace {

class EachWorkload : public testing::TestWithParam<const WorkloadInfo*> {
  protected:
    static Schedule made(const WorkloadSettings& settings) {
        const auto source = GetParam()->make(settings);
        EXPECT_TRUE(source) << source.error();
        return schedule_of(**source);
    }
};

TEST_P(EachWorkload, MakesTheSameScheduleAgainAndAnotherForAnotherSeed) {
    WorkloadSettings settings;
    settings.ops = 1500;
    settings.memory = ByteCount{1U << 20U};
    const Schedule schedule = made(settings);
    EXPECT_EQ(schedule, made(settings));
    settings.seed = 2;
    EXPECT_NE(schedule.ops, made(settings).ops);
    EXPECT_EQ(schedule.header.workload, GetParam()->name);
}

TEST_P(EachWorkload, MakesAScheduleThatCanBeCarriedOutAndWrittenDown) {
    for (const std::uint16_t threads : std::array<std::uint16_t, 2>{1, 3}) {
        WorkloadSettings settings;
        settings.ops = 1500;
        settings.memory = ByteCount{1U << 20U};
        settings.threads = threads;
        settings.processes = 2;
        const Schedule schedule = made(settings);
        EXPECT_GT(schedule.ops.size(), 700U);
        const auto error = check_schedule(schedule);
        EXPECT_FALSE(error) << error->message();
        const auto again = parse_schedule(print_schedule(schedule));
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(*again, schedule);
    }
}

TEST_P(EachWorkload, StoresThroughMappingsAndHasSomethingToVerify) {
    WorkloadSettings settings;
    settings.memory = ByteCount{1U << 20U};
    const Schedule schedule = made(settings);
    std::uint64_t stores = 0;
    for (const Op& op : schedule.ops) {
        const OpTraits& traits = traits_of(op.kind);
        stores += traits.has_content && traits.has_map ? 1U : 0U;
    }
    EXPECT_GT(stores, 100U);
}

INSTANTIATE_TEST_SUITE_P(Workload, EachWorkload, testing::ValuesIn([] {
                             std::vector<const WorkloadInfo*> all;
                             for (const WorkloadInfo& workload : workloads()) {
                                 all.push_back(&workload);
                             }
                             return all;
                         }()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Workloads, WildHasEverything) {
    OpSet kinds;
    std::set<std::pair<std::uint16_t, std::uint16_t>> workers;
    bool huge = false;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        WorkloadSettings settings;
        settings.seed = seed;
        const auto source = make_wild(settings);
        ASSERT_TRUE(source);
        const Schedule schedule = schedule_of(**source);
        kinds |= kinds_in(schedule);
        workers.emplace(schedule.header.threads, schedule.header.processes);
        for (const FileSpec& file : schedule.header.files) {
            huge = huge || file.size.value > 2U << 20U;
        }
    }
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        const auto kind = static_cast<OpKind>(i);
        EXPECT_EQ(contains(kinds, kind), kind != OpKind::start_write) << traits_of(kind).name;
    }
    EXPECT_GT(workers.size(), 4U);
    EXPECT_TRUE(huge) << "room for large folios";
}

// Two workers have work at the same time, on different bytes.
TEST(Workloads, GupGrowsTheFileBesideTheKernelsStores) {
    const auto source = make_gup({});
    ASSERT_TRUE(source);
    const Schedule schedule = schedule_of(**source);
    ASSERT_EQ(schedule.header.threads, 3);
    const ByteCount at_first = schedule.header.files[0].size;
    for (const Op& op : schedule.ops) {
        if (op.kind == OpKind::truncate) {
            EXPECT_EQ(op.by, WorkerIndex{2});
            EXPECT_GE(op.length, at_first);
        } else if (traits_of(op.kind).has_content) {
            EXPECT_LT(op.by, WorkerIndex{2});
            EXPECT_LE(op.range().end.value, at_first.value);
            EXPECT_EQ(op.offset.value / 32768 % 2, op.by.value) << "chunks of its own";
        }
    }
}

TEST(Workloads, RefuseWhatCannotBe) {
    WorkloadSettings settings;
    settings.size = ByteCount{0};
    EXPECT_EQ(make_mix(settings).error(), "mix needs a file that is not empty");
    EXPECT_EQ(workload_named("nothing"), nullptr);
}

TEST(Workloads, WorkersHaveBytesOfTheirOwnInMix) {
    WorkloadSettings settings;
    settings.threads = 4;
    settings.ops = 3000;
    const auto source = make_mix(settings);
    ASSERT_TRUE(source);
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint16_t> stripes;
    for (const Op& op : schedule_of(**source).ops) {
        if (traits_of(op.kind).has_content) {
            const auto [at, fresh] =
                stripes.try_emplace({op.file.value, op.offset.value / 1024}, op.by.value);
            EXPECT_EQ(at->second, op.by.value);
            EXPECT_EQ(op.offset.value / 1024, (op.range().end.value - 1) / 1024);
        }
    }
}

TEST(IdPicker, TellsVersionsApartByColour) {
    Header header;
    header.files.assign(1, FileSpec{ByteCount{16384}, Start::sparse, {}});
    IdPicker ids(header);
    const FileIndex file{0};
    const ByteRange place{ByteOffset{100}, ByteOffset{300}};
    std::vector<std::uint8_t> colours;
    OpId last;
    for (int i = 0; i < 200; ++i) {
        ids.next();
        ids.next(file, {ByteOffset{8192}, ByteOffset{9000}});
        const OpId id = ids.next(file, place);
        EXPECT_GT(id, last);
        last = id;
        for (std::size_t back = 0; back < std::min<std::size_t>(10, colours.size()); ++back) {
            EXPECT_NE(colours[colours.size() - 1 - back], colour_of(id));
        }
        colours.push_back(colour_of(id));
    }
    EXPECT_LT(last.value, 200U * 3 * 4) << "few ids are left out";
}

TEST(Linus, TellsTheNeighboursWriteOrder) {
    const auto schedule = parse_schedule("mmapstress-schedule 1\nworkload linus\n"
                                         "file 0 size=8192\n"
                                         "1 store file=0 off=1460 len=1460\n"
                                         "2 store file=0 off=0 len=1460\n"
                                         "3 store file=0 off=2920 len=1460\n");
    ASSERT_TRUE(schedule);
    DamagedRange damage;
    damage.range = {ByteOffset{1500}, ByteOffset{2920}};
    damage.kind = DamageKind::zeros;
    ScheduleSource source(*schedule);
    EXPECT_EQ(linus_story(source, OpId{3}, {damage}),
              std::vector<std::string>{"file 0 chunk 1 corrupted (40-1459) (1500-2919 of page 0), "
                                       "zeros, written as (2)1(3)"});
}

} // namespace
} // namespace mmapstress
