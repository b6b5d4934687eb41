// Random schedules and crashes: nothing that a crash may leave is refused, and the loss of a synced
// byte is found.
#include "tests/unit/mmapstress/verify/crash_state_fixture.hpp"
#include "tools/mmapstress/verify/expected.hpp"
#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/op_walker.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace mmapstress {
namespace {

/// Random operations on two files of three pages, with syncs in between.
Schedule random_schedule(std::mt19937& random) {
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    const std::string header = "file 0 size=9000 start=sparse\nfile 1 size=12000 start=written\n";
    Schedule schedule = schedule_of_lines(header);
    OpChecker checker(schedule.header);
    constexpr std::array kKinds{OpKind::store,    OpKind::store, OpKind::store,      OpKind::write,
                                OpKind::truncate, OpKind::punch, OpKind::collapse,   OpKind::insert,
                                OpKind::copy,     OpKind::clone, OpKind::fsync,      OpKind::fsync,
                                OpKind::fsync,    OpKind::pause, OpKind::clone_file, OpKind::append,
                                OpKind::write,    OpKind::store};
    for (std::uint64_t id = 1; id <= 60; ++id) {
        Op op;
        op.id = OpId{id};
        op.kind = kKinds[below(kKinds.size())];
        const OpTraits& traits = traits_of(op.kind);
        op.file = FileIndex{static_cast<std::uint32_t>(traits.has_file ? below(3) / 2 : 0)};
        op.source = FileIndex{static_cast<std::uint32_t>(traits.has_source ? below(2) : 0)};
        const auto units = [&](std::uint64_t limit) {
            return below(limit / traits.unit + 1) * traits.unit;
        };
        op.offset.value = traits.has_offset ? units(12000) : 0;
        op.length.value = traits.has_length ? 1 + below(2000) : 0;
        op.length.value = (op.length.value + traits.unit - 1) / traits.unit * traits.unit;
        op.from.value = traits.has_source && traits.has_offset ? units(12000) : 0;
        if (op.kind == OpKind::clone_file) {
            op.length = checker.size(op.source);
        } else if (op.kind == OpKind::truncate) {
            op.length.value += 9000;
        }
        if (OpChecker trial = checker; !trial.check(op)) {
            checker = trial;
            schedule.ops.push_back(op);
        }
    }
    return schedule;
}

/// Two files as a crash left them.
class Disk {
  public:
    explicit Disk(const Expected& expected) {
        for (std::uint32_t i = 0; i < 2; ++i) {
            files_[i].resize(expected.size(FileIndex{i}).value);
            expected.fill(FileIndex{i}, ByteOffset{0}, files_[i]);
        }
    }
    [[nodiscard]] const std::vector<std::byte>& first() const { return files_[0]; }

    /// Puts on disk, at random, what an operation changed of a file of `before` bytes: each byte or
    /// not. A new size and moved bytes come as a whole or not at all, and not after an earlier one
    /// that did not come, as a journal keeps their order.
    void reach(std::mt19937& random, Op op, ByteCount before) {
        std::vector<std::byte>& file = files_[op.file.value];
        const ByteCount after = size_after(op, before);
        if (after != before || moves_bytes(op)) {
            in_order_ = in_order_ && random() % 3 != 0;
            if (!in_order_) {
                return;
            }
        }
        if (op.kind == OpKind::collapse || op.kind == OpKind::insert) {
            move(op);
            return;
        }
        if (after != before) {
            file.resize(after.value);
        }
        if (moves_bytes(op)) {
            move(op);
            return;
        }
        if (op.kind == OpKind::append) {
            op.offset = ByteOffset{before.value};
        }
        if (!traits_of(op.kind).has_content && op.kind != OpKind::punch) {
            return;
        }
        const ByteRange changed = intersect(changed_bytes(op, before), op.range());
        const std::uint64_t end = std::min<std::uint64_t>(changed.end.value, file.size());
        for (std::uint64_t at = changed.begin.value; at < end; ++at) {
            if (random() % 4 != 0) {
                continue;
            }
            file[at] = std::byte{0};
            if (op.kind != OpKind::punch) {
                fill_pattern(std::span(file).subspan(at, 1), 9, op.file, op.id, ByteOffset{at});
            }
        }
    }

  private:
    void move(const Op& op) {
        std::vector<std::byte>& file = files_[op.file.value];
        const std::vector<std::byte> source = files_[op.source.value];
        const auto at = [](auto& bytes, std::uint64_t offset) {
            return bytes.begin() + static_cast<std::ptrdiff_t>(offset);
        };
        if (op.kind == OpKind::collapse && op.range().end.value < file.size()) {
            file.erase(at(file, op.offset.value), at(file, op.range().end.value));
        } else if (op.kind == OpKind::insert && op.offset.value < file.size()) {
            file.insert(at(file, op.offset.value), op.length.value, std::byte{0});
        } else if (traits_of(op.kind).has_source && op.source_range().end.value <= source.size() &&
                   op.range().end.value <= file.size()) {
            std::copy(at(source, op.from.value), at(source, op.source_range().end.value),
                      at(file, op.offset.value));
        }
    }

    std::array<std::vector<std::byte>, 2> files_;
    bool in_order_ = true;
};

TEST(CrashState, RefusesNothingThatACrashMayLeaveAndFindsASyncedStoreThatIsGone) {
    std::mt19937 random(4); // NOLINT: the same sequence each time
    std::size_t lost_found = 0;
    for (int round = 0; round < 600; ++round) {
        const Schedule schedule = random_schedule(random);
        // The operations up to `done`, a sync, were carried out; a few more were begun.
        std::vector<OpId> syncs;
        for (const Op& op : schedule.ops) {
            if (op.kind == OpKind::fsync && op.file == kFile) {
                syncs.push_back(op.id);
            }
        }
        if (syncs.empty()) {
            continue;
        }
        const OpId done = syncs[random() % syncs.size()];
        const RunProgress progress = progress_of(done.value + random() % 8, {done});
        CrashState state(source_of(schedule), progress);
        // Of the operations after the sync, each byte is on disk or is not.
        Expected memory(schedule.header); // what the operations see, whatever is on disk
        std::optional<Disk> disk;
        OpWalker walker(std::make_unique<ScheduleSource>(schedule));
        for (const Op* op = walker.next(); op != nullptr; op = walker.next()) {
            const ByteCount before = memory.size(op->file);
            memory.apply(*op);
            if (op->id == done) {
                disk.emplace(memory);
            } else if (op->id > done && op->id <= progress.begun) {
                disk->reach(random, *op, before);
            }
        }
        EXPECT_EQ(refused(state, disk->first()), std::vector<std::uint64_t>{})
            << print_schedule(schedule) << "done " << done.value << " begun "
            << progress.begun.value;
        // A byte that the sync covered, changed as if it had never been written.
        CrashState strict(source_of(schedule), progress_of(done.value, {done}));
        Expected synced(schedule.header);
        for (const Op& op : schedule.ops) {
            if (op.id <= done) {
                synced.apply(op);
            }
        }
        std::vector<std::byte> spoilt = Disk(synced).first();
        const std::uint64_t at = random() % spoilt.size();
        spoilt[at] ^= std::byte{0x80};
        EXPECT_EQ(refused(strict, spoilt), std::vector{at}) << print_schedule(schedule);
        ++lost_found;
    }
    EXPECT_GT(lost_found, 300U);
}
} // namespace
} // namespace mmapstress
