// Compares the interval map, the expected bytes and the text format with naive references.
#include "tools/mmapstress/verify/expected.hpp"
#include "tools/mmapstress/verify/version_map.hpp"
#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace mmapstress {
namespace {

constexpr std::uint64_t kSize = 3 * 65536 + 777;

struct Assignment {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint32_t version;
};

rc::Gen<Assignment> assignment() {
    const auto place =
        rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, kSize + 1),
                       // Boundaries of stretches and blocks, where bugs are likely.
                       rc::gen::map(rc::gen::inRange<std::uint64_t>(0, kSize / 512),
                                    [](std::uint64_t block) { return block * 512; }),
                       rc::gen::element<std::uint64_t>(0, 65535, 65536, 65537, 131072, kSize));
    return rc::gen::map(rc::gen::tuple(place, place, rc::gen::inRange<std::uint32_t>(0, 5)),
                        [](const auto& three) {
                            const auto [a, b, version] = three;
                            return Assignment{std::min(a, b), std::max(a, b), version};
                        });
}

RC_GTEST_PROP(VersionMapProperty, IsAnArrayOfVersions, ()) {
    const auto assignments =
        *rc::gen::container<std::vector<Assignment>>(assignment()).as("assignments");
    VersionMap map;
    std::vector<std::uint32_t> naive(kSize);
    for (const Assignment& one : assignments) {
        map.assign({ByteOffset{one.begin}, ByteOffset{one.end}}, Version{one.version});
        std::fill(naive.begin() + static_cast<std::ptrdiff_t>(one.begin),
                  naive.begin() + static_cast<std::ptrdiff_t>(one.end), one.version);
    }
    const Assignment seen = *assignment();
    std::uint64_t at = seen.begin;
    map.visit({ByteOffset{seen.begin}, ByteOffset{seen.end}},
              [&](ByteRange piece, Version version) {
                  RC_ASSERT(piece.begin.value == at);
                  RC_ASSERT(piece.end.value > at && piece.end.value <= seen.end);
                  for (; at != piece.end.value; ++at) {
                      RC_ASSERT(naive[at] == version.value);
                  }
              });
    RC_ASSERT(at == seen.end);
}

/// A random operation, not necessarily one that can be carried out.
Op any_op(OpId id) {
    Op op;
    op.id = id;
    op.kind = static_cast<OpKind>(*rc::gen::inRange<int>(1, static_cast<int>(kOpKinds)));
    const OpTraits& traits = traits_of(op.kind);
    if (traits.has_file) {
        op.file = FileIndex{*rc::gen::inRange<std::uint32_t>(0, 2)};
    }
    if (traits.has_map) {
        op.map = MapIndex{*rc::gen::inRange<std::uint8_t>(0, 2)};
    }
    if (traits.has_offset) {
        op.offset = ByteOffset{*rc::gen::inRange<std::uint64_t>(0, 9000)};
    }
    if (traits.has_length) {
        op.length = ByteCount{*rc::gen::inRange<std::uint64_t>(1, 4000)};
    }
    op.offset.value -= op.offset.value % traits.unit;
    op.length.value += traits.unit - 1 - (op.length.value + traits.unit - 1) % traits.unit;
    if (traits.has_source) {
        op.source = FileIndex{*rc::gen::inRange<std::uint32_t>(0, 2)};
        op.from =
            ByteOffset{*rc::gen::inRange<std::uint64_t>(0, 12000 / traits.unit) * traits.unit};
    }
    if (op.kind == OpKind::pause) {
        op.pause = *rc::gen::inRange<std::uint64_t>(0, 1000);
    }
    if (traits.has_content) {
        const int kind = *rc::gen::inRange(0, 4);
        if (kind == 1) {
            op.content.kind = ContentKind::fill;
            op.content.fill = static_cast<std::byte>(*rc::gen::inRange(0, 256));
        } else if (kind == 2) {
            op.content.kind = ContentKind::data;
            op.content.data.resize(op.length.value);
            fill_pattern(op.content.data, 99, op.file, OpId{id.value * 31}, op.offset);
        }
    }
    return op;
}

/// A random schedule that can be carried out.
Schedule any_schedule() {
    Schedule schedule;
    schedule.header.seed = *rc::gen::arbitrary<std::uint64_t>();
    schedule.header.files.assign(
        2, FileSpec{ByteCount{*rc::gen::inRange<std::uint64_t>(0, 12000)}, Start::sparse, {}});
    schedule.header.files[1].start = Start::written;
    OpChecker checker(schedule.header);
    OpId id;
    const int count = *rc::gen::inRange(0, 60);
    for (int i = 0; i < count; ++i) {
        id.value += *rc::gen::inRange<std::uint64_t>(1, 4);
        Op op = any_op(id);
        if (op.kind == OpKind::clone_file) {
            op.from = ByteOffset{0};
            op.length = checker.size(op.source);
        }
        if (OpChecker trial = checker; !trial.check(op)) {
            checker = trial;
            schedule.ops.push_back(op);
        }
    }
    return schedule;
}

/// The bytes of all files, stored one by one.
std::vector<std::vector<std::byte>> naive_bytes(const Schedule& schedule) {
    std::vector<std::vector<std::byte>> files;
    for (std::uint32_t i = 0; i < schedule.header.files.size(); ++i) {
        const FileSpec& spec = schedule.header.files[i];
        files.emplace_back(spec.size.value);
        if (spec.start == Start::written) {
            fill_pattern(files.back(), schedule.header.seed, FileIndex{i}, OpId{0}, ByteOffset{0});
        }
    }
    for (const Op& op : schedule.ops) {
        const OpTraits& traits = traits_of(op.kind);
        if (!traits.has_file) {
            continue;
        }
        std::vector<std::byte>& file = files[op.file.value];
        const auto at = [&](std::uint64_t offset) {
            return file.begin() + static_cast<std::ptrdiff_t>(offset);
        };
        if (op.kind == OpKind::truncate) {
            file.resize(op.length.value);
        } else if (op.kind == OpKind::collapse) {
            file.erase(at(op.offset.value), at(op.range().end.value));
        } else if (op.kind == OpKind::insert) {
            file.insert(at(op.offset.value), op.length.value, std::byte{0});
        } else if (traits.has_source) {
            const std::vector<std::byte>& source = files[op.source.value];
            const std::vector<std::byte> bytes(
                source.begin() + static_cast<std::ptrdiff_t>(op.from.value),
                source.begin() + static_cast<std::ptrdiff_t>(op.source_range().end.value));
            file.resize(std::max<std::uint64_t>(file.size(), op.range().end.value));
            std::ranges::copy(bytes, at(op.offset.value));
        } else if (op.kind == OpKind::past_eof_store) {
            continue; // outside of the file
        } else if (op.kind == OpKind::punch || op.kind == OpKind::zero_range) {
            for (std::uint64_t i = op.offset.value; i < op.range().end.value; ++i) {
                if (i < file.size()) {
                    file[i] = std::byte{0};
                }
            }
        } else if (traits.has_content) {
            const std::uint64_t begin = op.kind == OpKind::append ? file.size() : op.offset.value;
            const bool grows = !traits.has_map;
            if (grows) {
                file.resize(std::max<std::uint64_t>(file.size(), begin + op.length.value));
            }
            for (std::uint64_t i = 0; i < op.length.value && begin + i < file.size(); ++i) {
                fill_content(std::span(file).subspan(begin + i, 1), op.content,
                             schedule.header.seed, op.file, op.id, ByteOffset{begin},
                             ByteOffset{begin + i});
            }
        }
    }
    return files;
}

RC_GTEST_PROP(ExpectedProperty, IsWhatStoringByteByByteGives, ()) {
    const Schedule schedule = any_schedule();
    Expected expected(schedule.header);
    for (const Op& op : schedule.ops) {
        expected.apply(op);
    }
    const auto naive = naive_bytes(schedule);
    for (std::uint32_t i = 0; i < naive.size(); ++i) {
        RC_ASSERT(expected.size(FileIndex{i}).value == naive[i].size());
        std::vector<std::byte> bytes(naive[i].size());
        expected.fill(FileIndex{i}, ByteOffset{0}, bytes);
        RC_ASSERT(bytes == naive[i]);
        expected.compare(FileIndex{i}, ByteOffset{0}, naive[i],
                         [](ByteRange, Writer) { RC_FAIL("equal bytes taken for wrong"); });
    }
}

// Bytes that a store past the end of the file left in its last page, as on a kernel that does not
// zero them when the file grows.
RC_GTEST_PROP(ExpectedProperty, KnowsWhatWasStoredPastTheEnd, ()) {
    const std::uint64_t size = *rc::gen::inRange<std::uint64_t>(1, 4096);
    Header header;
    header.files.assign(1, FileSpec{ByteCount{size}, Start::sparse, {}});
    Expected expected(header);
    std::vector<std::byte> page(kPageSize);
    std::uint64_t known = size;
    const auto apply = [&](Op op, OpKind kind, std::uint64_t id) {
        op.kind = kind;
        op.id = OpId{id};
        expected.apply(op);
        if (traits_of(kind).has_content) {
            fill_pattern(std::span(page).subspan(op.offset.value, op.length.value), 0, op.file,
                         op.id, op.offset);
        }
    };
    Op past;
    past.offset = ByteOffset{*rc::gen::inRange<std::uint64_t>(0, kPageSize)};
    past.length = ByteCount{*rc::gen::inRange<std::uint64_t>(1, kPageSize - past.offset.value + 1)};
    apply(past, OpKind::store, 1);
    // The file grows by a truncate, or by a write or copy that leaves a gap.
    Op grow;
    grow.length = ByteCount{*rc::gen::inRange<std::uint64_t>(known, 3 * kPageSize)};
    const int how = *rc::gen::inRange(0, 3);
    if (how == 0 || grow.length.value <= kPageSize) {
        apply(grow, OpKind::truncate, 2);
    } else {
        Op beyond;
        beyond.offset = ByteOffset{grow.length.value - 1};
        beyond.length = ByteCount{1};
        beyond.id = OpId{2};
        beyond.kind = how == 1 ? OpKind::write : OpKind::copy;
        expected.apply(beyond);
    }
    Op over;
    over.offset = ByteOffset{*rc::gen::inRange<std::uint64_t>(0, kPageSize)};
    over.length = ByteCount{*rc::gen::inRange<std::uint64_t>(1, kPageSize - over.offset.value + 1)};
    if (over.range().end.value <= grow.length.value) {
        apply(over, OpKind::store, 3);
    }
    std::vector<bool> wrong(kPageSize);
    std::vector<bool> explained(kPageSize);
    page.resize(std::min<std::uint64_t>(kPageSize, grow.length.value));
    expected.compare(FileIndex{0}, ByteOffset{0}, page, [&](ByteRange range, Writer) {
        for (std::uint64_t i = range.begin.value; i != range.end.value; ++i) {
            wrong[i] = true;
        }
        expected.stored_past_eof(FileIndex{0}, range.begin,
                                 std::span(page).subspan(range.begin.value, range.size().value),
                                 [&](ByteRange part, Writer writer) {
                                     RC_ASSERT(writer.id == OpId{1});
                                     for (std::uint64_t i = part.begin.value; i != part.end.value;
                                          ++i) {
                                         explained[i] = true;
                                     }
                                 });
    });
    RC_ASSERT(wrong == explained);
    for (std::uint64_t i = 0; i != size; ++i) {
        RC_ASSERT(!wrong[i]);
    }
}

RC_GTEST_PROP(ExpectedProperty, ComparingFindsExactlyTheBytesThatDiffer, ()) {
    const Schedule schedule = any_schedule();
    Expected expected(schedule.header);
    for (const Op& op : schedule.ops) {
        expected.apply(op);
    }
    std::vector<std::byte> found(expected.size(FileIndex{1}).value);
    expected.fill(FileIndex{1}, ByteOffset{0}, found);
    std::vector<bool> spoilt(found.size());
    for (const Assignment& one :
         *rc::gen::container<std::vector<Assignment>>(3, assignment()).as("spoilt")) {
        for (std::uint64_t at = one.begin; at < std::min<std::uint64_t>(one.end, found.size());
             ++at) {
            found[at] ^= std::byte{0x80};
            spoilt[at] = !spoilt[at];
        }
    }
    std::vector<bool> reported(found.size());
    expected.compare(FileIndex{1}, ByteOffset{0}, found, [&](ByteRange range, Writer) {
        for (std::uint64_t at = range.begin.value; at != range.end.value; ++at) {
            RC_ASSERT(!reported[at]);
            reported[at] = true;
        }
    });
    RC_ASSERT(reported == spoilt);
}

RC_GTEST_PROP(ScheduleProperty, TextComesBackAsTheSameSchedule, ()) {
    const Schedule schedule = any_schedule();
    const auto again = parse_schedule(print_schedule(schedule));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == schedule);
}

RC_GTEST_PROP(ScheduleProperty, DamagedTextIsRefusedOrStillASchedule, ()) {
    std::string text = print_schedule(any_schedule());
    const int changes = *rc::gen::inRange(1, 4);
    for (int i = 0; i < changes; ++i) {
        text[*rc::gen::inRange<std::size_t>(0, text.size())] =
            static_cast<char>(*rc::gen::inRange(0, 256));
    }
    const auto parsed = parse_schedule(text);
    if (parsed) {
        RC_ASSERT(!check_schedule(*parsed));
        const auto again = parse_schedule(print_schedule(*parsed));
        RC_ASSERT(again.has_value());
        RC_ASSERT(*again == *parsed);
    } else {
        RC_ASSERT(!parsed.error().reason.empty());
    }
}

} // namespace
} // namespace mmapstress
