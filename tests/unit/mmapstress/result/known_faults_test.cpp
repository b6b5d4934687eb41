#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/mmapstress/result/run_result.hpp"

#include <gtest/gtest.h>

namespace mmapstress {
namespace {

std::string names(const RunResult& result) {
    std::string all;
    for (const KnownFault& fault : known_faults(result)) {
        all += std::string(fault.name) + ' ';
    }
    return all;
}

/// A run in which the bytes of one operation were lost.
RunResult lost(const std::string& operation) {
    RunResult result;
    result.filesystem = "fuse.bindfs";
    DamagedRange damage;
    damage.lost = OpId{7};
    damage.kind = DamageKind::stale;
    result.damage.push_back(damage);
    result.named_ops[OpId{7}] = "7 " + operation;
    return result;
}

TEST(KnownFaults, K1IsAStoreByTheKernelOnFuse) {
    EXPECT_EQ(names(lost("direct-read-store file=0 off=0 len=512")), "K1 ");
    EXPECT_EQ(names(lost("store file=0 off=0 len=512")), "") << "the processor's is another fault";
    RunResult elsewhere = lost("direct-read-store file=0 off=0 len=512");
    elsewhere.filesystem = "xfs";
    EXPECT_EQ(names(elsewhere), "K8 ") << "another fault";
    elsewhere.filesystem = "btrfs";
    EXPECT_EQ(names(elsewhere), "") << "not known there";
    EXPECT_TRUE(is_stored_by_kernel("7 recvmsg-store file=0"));
    EXPECT_FALSE(is_stored_by_kernel("7 fork-store file=0"));
}

TEST(KnownFaults, K8IsAStoreByTheKernelWhereBlocksAreSmallerThanAFolio) {
    for (const char* const filesystem : {"ext2", "ext4", "xfs"}) {
        RunResult result = lost("uring-read-store file=0 off=0 len=512");
        result.filesystem = filesystem;
        EXPECT_EQ(names(result), "K8 ") << filesystem;
        result = lost("store file=0 off=0 len=512");
        result.filesystem = filesystem;
        EXPECT_EQ(names(result), "") << "the processor's is another fault";
    }
}

TEST(KnownFaults, K2IsAHangWhereTheJournalHasTheData) {
    RunResult result;
    result.hung = true;
    EXPECT_EQ(names(result), "");
    result.journals_data = true;
    EXPECT_EQ(names(result), "K2 ");
}

TEST(KnownFaults, K3IsNamedOfAnyRoundAndAsDamageToo) {
    RunResult result;
    EXPECT_EQ(names(result), "");
    result.totals.past_eof = 1; // for example in an earlier round
    EXPECT_EQ(names(result), "K3 ");
    RunResult damaged = lost("truncate file=0 size=8192");
    damaged.damage[0].kind = DamageKind::past_eof;
    EXPECT_EQ(names(damaged), "K3 ");
}

TEST(KnownFaults, K4IsAWriteThatBecameZerosOnFuse) {
    RunResult appended = lost("append file=0 len=1256");
    EXPECT_EQ(names(appended), "") << "stale bytes are another fault";
    appended.damage[0].kind = DamageKind::zeros;
    EXPECT_EQ(names(appended), "K4 ");
    for (const char* line :
         {"write file=0 off=5000 len=10", "dontcache-write file=0 off=0 len=9"}) {
        RunResult written = lost(line);
        written.damage[0].kind = DamageKind::zeros;
        EXPECT_EQ(names(written), "K4 ") << line;
    }
    RunResult stored = lost("store file=0 off=0 len=512");
    stored.damage[0].kind = DamageKind::zeros;
    EXPECT_EQ(names(stored), "");
    appended.filesystem = "ext4";
    EXPECT_EQ(names(appended), "") << "not known there";
}

TEST(KnownFaults, K5IsZerosOnXfsBesidePunchAndTheKernelsStores) {
    RunResult zeroed = lost("write file=1 off=65536 len=65536");
    zeroed.damage[0].kind = DamageKind::zeros;
    zeroed.filesystem = "xfs";
    zeroed.ops_by_kind[static_cast<std::size_t>(OpKind::punch)] = 1;
    EXPECT_EQ(names(zeroed), "") << "the kernel has stored nothing through a mapping";
    zeroed.ops_by_kind[static_cast<std::size_t>(OpKind::direct_read_store)] = 1;
    EXPECT_EQ(names(zeroed), "K5 ");
    zeroed.ops_by_kind[static_cast<std::size_t>(OpKind::punch)] = 0;
    EXPECT_EQ(names(zeroed), "") << "nothing was punched";
    zeroed.ops_by_kind[static_cast<std::size_t>(OpKind::zero_range)] = 1;
    EXPECT_EQ(names(zeroed), "K5 ");
    zeroed.filesystem = "ext4";
    EXPECT_EQ(names(zeroed), "") << "not known there";
    zeroed.filesystem = "xfs";
    zeroed.damage[0].kind = DamageKind::stale;
    EXPECT_EQ(names(zeroed), "") << "stale bytes are another fault";
}

TEST(KnownFaults, K6IsWhatIsLostWhereExtentsMoveAndTheJournalHasTheData) {
    RunResult result = lost("store file=0 off=0 len=512");
    result.filesystem = "ext4";
    result.journals_data = true;
    EXPECT_EQ(names(result), "") << "nothing was put into a file";
    result.ops_by_kind[static_cast<std::size_t>(OpKind::insert)] = 1;
    EXPECT_EQ(names(result), "K6 ");
    result.ops_by_kind[static_cast<std::size_t>(OpKind::insert)] = 0;
    result.ops_by_kind[static_cast<std::size_t>(OpKind::collapse)] = 1;
    EXPECT_EQ(names(result), "K6 ");
    result.journals_data = false;
    EXPECT_EQ(names(result), "") << "not known there";
    result.journals_data = true;
    result.damage.clear();
    EXPECT_EQ(names(result), "") << "nothing was lost";
}

TEST(KnownFaults, K7IsAZeroingUndoneOnFuse) {
    RunResult undone = lost("zero-range file=1 off=11496 len=10");
    EXPECT_EQ(names(undone), "K7 ");
    EXPECT_EQ(names(lost("punch file=1 off=11496 len=10")), "K7 ");
    undone.damage[0].kind = DamageKind::zeros;
    EXPECT_EQ(names(undone), "") << "zeros are what it is to leave";
    undone.damage[0].kind = DamageKind::stale;
    undone.filesystem = "ext4";
    EXPECT_EQ(names(undone), "") << "not known there";
}

/// After a crash, bytes of operation 20, which belong at 12288, stand at `here`; operation 19 moved
/// the blocks there.
RunResult overwritten_by_a_later_write(const std::string& move, std::uint64_t here) {
    RunResult result = lost("write file=1 off=16384 len=4096");
    result.filesystem = "ext4";
    result.cut_short.emplace();
    DamagedRange& range = result.damage[0];
    range.file = range.origin_file = FileIndex{1};
    range.range = {ByteOffset{here}, ByteOffset{here + 100}};
    range.kind = DamageKind::misplaced;
    range.origin = OpId{20};
    range.origin_offset = ByteOffset{12288};
    range.ops = {OpId{19}};
    result.named_ops[OpId{19}] = "19 " + move;
    return result;
}

TEST(KnownFaults, K9IsALaterWriteWhereACrashUndidAMove) {
    const std::string collapse = "collapse file=1 off=4096 len=8192";
    const std::string insert = "insert file=1 off=4096 len=8192";
    EXPECT_EQ(names(overwritten_by_a_later_write(collapse, 20480)), "K9 ");
    EXPECT_EQ(names(overwritten_by_a_later_write(insert, 4096)), "K9 ");
    EXPECT_EQ(names(overwritten_by_a_later_write(collapse, 4096)), "") << "moved the other way";
    EXPECT_EQ(names(overwritten_by_a_later_write(insert, 20480)), "") << "moved the other way";
    EXPECT_EQ(names(overwritten_by_a_later_write("punch file=1 off=4096 len=8192", 20480)), "")
        << "moves nothing";
    for (const auto& [changes, why] :
         std::initializer_list<std::pair<void (*)(RunResult&), const char*>>{
             {[](RunResult& result) { result.cut_short.reset(); }, "no crash"},
             {[](RunResult& result) { result.filesystem = "btrfs"; }, "not known there"},
             {[](RunResult& result) { result.damage[0].origin = OpId{18}; }, "before the move"},
             {[](RunResult& result) { result.damage[0].kind = DamageKind::stale; },
              "its own bytes"},
             {[](RunResult& result) { result.damage[0].origin_file = FileIndex{0}; },
              "of another file"}}) {
        RunResult other = overwritten_by_a_later_write(collapse, 20480);
        changes(other);
        EXPECT_EQ(names(other), "") << why;
    }
    RunResult xfs = overwritten_by_a_later_write(collapse, 20480);
    xfs.filesystem = "xfs";
    EXPECT_EQ(names(xfs), "K9 ");
}

TEST(KnownFaults, K9ExplainsWhatIsTooShortToBeRecognisedBesideIt) {
    RunResult result = overwritten_by_a_later_write("collapse file=1 off=4096 len=8192", 20480);
    result.named_ops[OpId{20}] = "20 write file=1 off=12288 len=4096";
    DamagedRange beside = result.damage[0];
    beside.kind = DamageKind::unclear;
    beside.ops.clear();
    const auto with = [&](std::uint64_t begin, std::uint64_t end, int file = 1) {
        RunResult both = result;
        beside.file = FileIndex{static_cast<std::uint32_t>(file)};
        beside.range = {ByteOffset{begin}, ByteOffset{end}};
        both.damage.push_back(beside);
        return is_known_damage(both);
    };
    EXPECT_TRUE(with(20600, 20603));
    EXPECT_TRUE(with(24575, 24576)) << "the operation's last byte, where the move was undone";
    EXPECT_FALSE(with(24575, 24577)) << "beyond what it wrote";
    EXPECT_FALSE(with(20479, 20480)) << "before it";
    EXPECT_FALSE(with(12288, 12290)) << "where it wrote";
    EXPECT_FALSE(with(20600, 20603, 0)) << "another file";
    result.damage[0].kind = DamageKind::stale;
    EXPECT_FALSE(with(20600, 20603)) << "nothing is recognised";
}

TEST(KnownFaults, K9OfAWriteWhosePlaceIsNotKnownIsWhatIsRecognised) {
    RunResult result = overwritten_by_a_later_write("collapse file=1 off=4096 len=8192", 20480);
    result.damage.push_back(result.damage[0]);
    result.damage[1].kind = DamageKind::unclear;
    for (const char* const line : {"", "20 append file=1 len=4096"}) {
        result.named_ops[OpId{20}] = line;
        result.damage[1].range = {ByteOffset{20480}, ByteOffset{20483}};
        EXPECT_TRUE(is_known_damage(result)) << line;
        result.damage[1].range = {ByteOffset{20600}, ByteOffset{20603}};
        EXPECT_FALSE(is_known_damage(result)) << line;
    }
}

TEST(KnownFaults, K8LeavesOldBytesAfterACrash) {
    RunResult result = lost("direct-read-store file=0 off=0 len=4096");
    result.filesystem = "xfs";
    result.damage[0].kind = DamageKind::unclear;
    EXPECT_EQ(names(result), "K8 ");
    result.cut_short.emplace();
    for (const auto& [kind, expected] :
         std::initializer_list<std::pair<DamageKind, const char*>>{{DamageKind::stale, "K8 "},
                                                                   {DamageKind::zeros, "K8 "},
                                                                   {DamageKind::misplaced, ""},
                                                                   {DamageKind::unclear, ""},
                                                                   {DamageKind::foreign, ""}}) {
        result.damage[0].kind = kind;
        EXPECT_EQ(names(result), expected) << name_of(kind);
    }
}

TEST(KnownFaults, K11IsAStoreByTheKernelOnNfs) {
    RunResult result = lost("direct-read-store file=0 off=0 len=4096");
    for (const char* const filesystem : {"nfs", "nfs4"}) {
        result.filesystem = filesystem;
        EXPECT_EQ(names(result), "K11 ") << filesystem;
    }
    result.hung = result.journals_data = true;
    EXPECT_EQ(names(result), "K2 K11 ") << "by number";
}

TEST(Totals, AreSumsAndNameTheWorkloads) {
    RunResult round = lost("store file=0 off=0 len=1");
    round.header.workload = "mix";
    round.ops = 10;
    round.seconds = 0.5;
    round.ops_by_kind[static_cast<std::size_t>(OpKind::store)] = 4;
    round.stages[static_cast<std::size_t>(Stage::evicted)].bytes = 100;
    round.stages[static_cast<std::size_t>(Stage::live)].bytes = 1000;
    Totals totals;
    totals.add(round);
    totals.add(round);
    EXPECT_EQ(totals.workload(), "mix");
    round.header.workload = "wild";
    totals.add(round);
    EXPECT_EQ(totals.workload(), "all");
    EXPECT_EQ(totals.rounds, 3U);
    EXPECT_EQ(totals.ops, 30U);
    EXPECT_EQ(totals.ops_by_kind[static_cast<std::size_t>(OpKind::store)], 12U);
    EXPECT_EQ(totals.bytes_after_eviction(), 300U);
    EXPECT_EQ(totals.workloads, (std::vector<Totals::OfWorkload>{{"mix", 2, 20}, {"wild", 1, 10}}));
}

TEST(LeftOut, GroupsAreTheOperationsTheyNameAndNoOthers) {
    const LeaveOut gup = all_of(all_in(OpGroup::gup, ""));
    EXPECT_EQ(gup.kinds, kinds_with(&OpTraits::by_kernel));
    EXPECT_FALSE(gup.size_changes);
    EXPECT_TRUE(all_of(all_in(OpGroup::grow, "")).size_changes);
    EXPECT_EQ(all_of(all_in(OpGroup::past_eof, "")).kinds, only(OpKind::past_eof_store));
    EXPECT_EQ(all_of(all_in(OpGroup::punch, "")).kinds,
              only(OpKind::punch) | only(OpKind::zero_range));
    std::vector<LeftOut> all = all_in(OpGroup::grow, "one reason");
    add_left_out(all, all_in(OpGroup::grow, "another"));
    EXPECT_EQ(all, all_in(OpGroup::grow, "one reason"));
}

TEST(KnownFaults, DamageIsKnownIfAllOfItIs) {
    RunResult result;
    EXPECT_FALSE(is_known_damage(result)) << "there is none";
    result = lost("direct-read-store file=0 off=0 len=512");
    EXPECT_TRUE(is_known_damage(result));
    result.judgement = {"the archive is broken"};
    EXPECT_FALSE(is_known_damage(result)) << "of that nothing is known";
    result.judgement.clear();
    result.problems.push_back({"cannot read", OpId{}});
    EXPECT_FALSE(is_known_damage(result));
    result.problems.clear();
    result.damage_not_kept = 1;
    EXPECT_FALSE(is_known_damage(result)) << "nobody has looked at that range";
    result.damage_not_kept = 0;
    DamagedRange other;
    other.lost = OpId{8};
    other.kind = DamageKind::stale;
    result.damage.push_back(other);
    result.named_ops[OpId{8}] = "8 store file=0 off=0 len=512";
    EXPECT_FALSE(is_known_damage(result)) << "one of two";
}

} // namespace
} // namespace mmapstress
