// torrent and apt: they do what those programs did, and their checkers detect losses.
#include "tools/mmapstress/workloads/apt/workload.hpp"
#include "tools/mmapstress/workloads/torrent.hpp"
#include "tools/schedule/pattern.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace mmapstress {
namespace {

using Make = std::expected<std::unique_ptr<OpSource>, std::string> (*)(const WorkloadSettings&);
using Judge = std::vector<std::string> (*)(OpSource&, OpId, const FileReader&);
using Files = std::vector<std::vector<std::byte>>;

constexpr OpId kAll{~std::uint64_t{0}};

/// The contents of the files after all operations except those that `leave_out` selects.
template <typename LeaveOut>
Files play(const Schedule& schedule, LeaveOut leave_out) {
    Files files;
    for (const FileSpec& file : schedule.header.files) {
        files.emplace_back(file.size.value);
    }
    for (const Op& op : schedule.ops) {
        if (op.kind == OpKind::truncate) {
            files[op.file.value].resize(op.length.value);
        } else if (traits_of(op.kind).has_content && !leave_out(op)) {
            std::vector<std::byte>& file = files[op.file.value];
            file.resize(std::max<std::size_t>(file.size(), op.range().end.value));
            const std::span place = std::span(file).subspan(op.offset.value, op.length.value);
            fill_content(place, op.content, schedule.header.seed, op.file, op.id, op.offset,
                         op.offset);
        }
    }
    return files;
}

FileReader reader_of(const Files& files) {
    return [&files](FileIndex file, ByteOffset offset, std::span<std::byte> out) {
        const auto& bytes = files.at(file.value);
        if (offset.value + out.size() > bytes.size()) {
            return false;
        }
        std::memcpy(out.data(), bytes.data() + offset.value, out.size());
        return true;
    };
}

struct Program {
    const char* name;
    Make make;
    Judge judge;
    std::uint64_t size;
};

class ProgramWorkload : public testing::TestWithParam<Program> {
  protected:
    WorkloadSettings settings() const {
        WorkloadSettings settings;
        settings.size = ByteCount{GetParam().size};
        settings.files = 2;
        return settings;
    }
    Schedule schedule(const WorkloadSettings& wanted) const {
        auto source = GetParam().make(wanted);
        EXPECT_TRUE(source) << source.error();
        return schedule_of(**source);
    }
    std::vector<std::string> judge(const WorkloadSettings& wanted, OpId last,
                                   const Files& files) const {
        return GetParam().judge(**GetParam().make(wanted), last, reader_of(files));
    }
};

TEST_P(ProgramWorkload, MakesAValidScheduleThatIsTheSameEachTime) {
    WorkloadSettings wanted = settings();
    wanted.threads = 2;
    const Schedule first = schedule(wanted);
    const auto error = check_schedule(first);
    EXPECT_FALSE(error.has_value()) << error->message();
    EXPECT_EQ(first, schedule(wanted));
    EXPECT_GT(first.ops.size(), 300U);
    wanted.seed = 2;
    EXPECT_NE(first.ops, schedule(wanted).ops);
}

TEST_P(ProgramWorkload, GoesOnForAsManyOperationsAsAsked) {
    WorkloadSettings wanted = settings();
    const std::size_t once = schedule(wanted).ops.size();
    wanted.ops = once * 3;
    const Schedule thrice = schedule(wanted);
    EXPECT_GE(thrice.ops.size(), once * 3);
    EXPECT_LT(thrice.ops.size(), once * 5);
    EXPECT_FALSE(check_schedule(thrice).has_value());
    EXPECT_TRUE(judge(wanted, kAll, play(thrice, [](const Op&) { return false; })).empty());
    EXPECT_GT(std::ranges::count(thrice.ops, OpKind::read_check, &Op::kind), 0)
        << "what is overwritten has been checked before";
}

TEST_P(ProgramWorkload, CheckerIsContentOnlyWithTheRightBytes) {
    const Schedule all = schedule(settings());
    EXPECT_TRUE(judge(settings(), kAll, play(all, [](const Op&) { return false; })).empty());
    std::size_t noticed = 0;
    std::size_t tried = 0;
    for (std::size_t i = 0; i < all.ops.size(); i += all.ops.size() / 40) {
        const auto last = std::ranges::find(all.ops.begin() + static_cast<std::ptrdiff_t>(i),
                                            all.ops.end(), OpKind::store, &Op::kind);
        if (last != all.ops.end()) {
            ++tried;
            const auto broken =
                judge(settings(), kAll, play(all, [&](const Op& op) { return op.id == last->id; }));
            noticed += broken.empty() ? 0U : 1U;
        }
    }
    EXPECT_GE(tried, 35U);
    // A cache's field may be stored twice: then the loss of the first store is not noticed.
    EXPECT_GE(noticed * 3, tried * (GetParam().make == &make_torrent ? 3 : 1));
}

TEST_P(ProgramWorkload, CheckerSaysNothingOfWhatIsNotFinished) {
    const Schedule all = schedule(settings());
    const OpId early = all.ops[all.ops.size() / 20].id;
    const Files files = play(all, [&](const Op& op) { return op.id > early; });
    EXPECT_TRUE(judge(settings(), early, files).empty());
    EXPECT_FALSE(judge(settings(), kAll, files).empty());
    EXPECT_FALSE(judge(settings(), kAll, Files(2)).empty()) << "files that cannot be read";
}

INSTANTIATE_TEST_SUITE_P(Programs, ProgramWorkload,
                         testing::Values(Program{"torrent", &make_torrent, &judge_torrent, 1 << 20},
                                         Program{"apt", &make_apt, &judge_apt, 2 << 20}),
                         [](const auto& program) { return program.param.name; });

TEST(Torrent, ReceivesEveryByteOnceInBurstsThatEndInsidePages) {
    WorkloadSettings settings;
    settings.size = ByteCount{(3U << 20U) + 5000};
    settings.files = 2;
    const Schedule schedule = schedule_of(**make_torrent(settings));
    std::vector<std::vector<int>> received(2, std::vector<int>(settings.size->value));
    std::size_t stores = 0;
    std::size_t inside = 0;
    std::set<std::pair<FileIndex, MapIndex>> mapped;
    std::size_t most_mapped = 0;
    for (const Op& op : schedule.ops) {
        if (op.kind == OpKind::store) {
            ++stores;
            inside += op.range().end.value % kPageSize != 0 ? 1U : 0U;
            EXPECT_LE(op.offset.value % 16384 + op.length.value, 16384U) << "one block at a time";
            for (std::uint64_t at = op.offset.value; at < op.range().end.value; ++at) {
                ++received[op.file.value][at];
            }
        } else if (op.kind == OpKind::map) {
            mapped.insert({op.file, op.map});
        } else if (op.kind == OpKind::unmap) {
            mapped.erase({op.file, op.map});
        }
        most_mapped = std::max(most_mapped, mapped.size());
    }
    for (const auto& file : received) {
        EXPECT_EQ(std::ranges::count(file, 1), static_cast<std::ptrdiff_t>(file.size()));
    }
    EXPECT_GT(inside * 10, stores * 7);
    EXPECT_EQ(most_mapped, 4U) << "several pieces in flight";
    EXPECT_TRUE(mapped.empty());
}

TEST(ProgramWorkloads, RefuseSettingsThatMakeNoSense) {
    WorkloadSettings settings;
    settings.size = ByteCount{0};
    EXPECT_THAT(make_torrent(settings).error(), testing::HasSubstr("torrent"));
    settings.size = ByteCount{1000};
    EXPECT_THAT(make_apt(settings).error(), testing::HasSubstr("at least"));
    settings.size = ByteCount{std::uint64_t{1} << 40U};
    EXPECT_THAT(make_apt(settings).error(), testing::HasSubstr("at most"));
}

} // namespace
} // namespace mmapstress
