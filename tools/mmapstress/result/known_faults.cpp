#include "tools/mmapstress/result/known_faults.hpp"

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/schedule/parse_op.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace mmapstress {

namespace {

std::string ranges(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " range" : " ranges");
}

/// The kind in a line such as "17 direct-read-store file=0 ...".
std::optional<OpKind> kind_of_line(std::string_view line) {
    const std::size_t name = line.find(' ') + 1;
    return kind_named(line.substr(name, line.find(' ', name) - name));
}

bool has_done(const RunResult& result, bool (*matches)(OpKind)) {
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        if (result.ops_by_kind[i] != 0 && matches(static_cast<OpKind>(i))) {
            return true;
        }
    }
    return false;
}

bool on_fuse(const RunResult& result) {
    return result.filesystem.starts_with("fuse");
}

/// Filesystems on which each block of a page or folio can be dirty by itself.
bool on_blocks_of_a_folio(const RunResult& result) {
    constexpr std::array<std::string_view, 4> kSeenOn{"ext2", "ext3", "ext4", "xfs"};
    return std::ranges::find(kSeenOn, result.filesystem) != kSeenOn.end();
}

/// It is not checked whether the page with the zeros has been punched.
bool on_xfs_punched_beside_the_kernels_stores(const RunResult& result) {
    return result.filesystem == "xfs" &&
           has_done(result, [](OpKind kind) { return traits_of(kind).by_kernel; }) &&
           has_done(result, [](OpKind kind) {
               return kind == OpKind::punch || kind == OpKind::zero_range;
           });
}

/// It is not checked whether the lost bytes lay behind the inserted or collapsed range.
bool where_extents_moved_and_the_journal_has_the_data(const RunResult& result) {
    return result.journals_data && has_done(result, [](OpKind kind) {
               return kind == OpKind::insert || kind == OpKind::collapse;
           });
}

/// The line of text of an operation, or an empty one.
std::string_view line_of(const RunResult& result, OpId id) {
    const auto line = result.named_ops.find(id);
    return line == result.named_ops.end() ? std::string_view{} : line->second;
}

bool on_nfs(const RunResult& result) {
    return result.filesystem.starts_with("nfs");
}

bool after_a_crash_where_extents_move(const RunResult& result) {
    return result.cut_short && (result.filesystem == "ext4" || result.filesystem == "xfs");
}

/// The operation with this id, if its line is in the report.
std::optional<Op> op_of(const RunResult& result, OpId id) {
    text::Words words(line_of(result, id));
    const std::string_view first = words.next();
    const auto op = text::parse_op(first, words);
    return op ? std::optional(*op) : std::nullopt;
}

/// Whether the found bytes belong where an insert-range or collapse-range, had it not been undone,
/// would have moved these bytes to; they were stored after it. Of several moves in a row only the
/// last is known here.
bool is_written_where_a_move_was_undone(const RunResult& result, const DamagedRange& range) {
    if (range.kind != DamageKind::misplaced || range.origin_file != range.file) {
        return false;
    }
    return std::ranges::any_of(range.ops, [&](OpId id) {
        const auto op = op_of(result, id);
        if (!op || id >= range.origin) {
            return false;
        }
        const std::uint64_t here = range.range.begin.value;
        const std::uint64_t there = range.origin_offset.value;
        return (op->kind == OpKind::collapse && there + op->length.value == here) ||
               (op->kind == OpKind::insert && there == here + op->length.value);
    });
}

/// Where the bytes of an operation stand after a crash that has undone a move.
struct DisplacedWrite {
    FileIndex file;
    ByteRange range;

    bool operator==(const DisplacedWrite&) const = default;
};

/// The bytes of the operation that these are recognised as bytes of; these alone if its line does
/// not tell where it wrote.
DisplacedWrite write_of(const RunResult& result, const DamagedRange& range) {
    const auto op = op_of(result, range.origin);
    const ByteRange its = op ? ByteRange{op->offset, op->offset + op->length} : ByteRange{};
    if (intersect(its, {range.origin_offset, range.origin_offset + range.range.size()}).empty()) {
        return {range.file, range.range};
    }
    const std::uint64_t moved = range.range.begin.value - range.origin_offset.value;
    const ByteOffset begin{its.begin.value + moved};
    return {range.file, {begin, begin + its.size()}};
}

/// Those of which at least a part is recognised.
std::vector<DisplacedWrite> displaced_writes(const RunResult& result) {
    std::vector<DisplacedWrite> all;
    for (const DamagedRange& range : result.damage) {
        if (after_a_crash_where_extents_move(result) &&
            is_written_where_a_move_was_undone(result, range)) {
            const DisplacedWrite one = write_of(result, range);
            if (std::ranges::find(all, one) == all.end()) {
                all.push_back(one);
            }
        }
    }
    return all;
}

/// What a fault is recognised by.
struct Evidence {
    explicit Evidence(const RunResult& of) : result(of), displaced(displaced_writes(of)) {}

    const RunResult& result;
    std::vector<DisplacedWrite> displaced;
};

/// Whether these bytes lie among those of such an operation: they may be too few to be recognised.
bool is_of_a_displaced_write(const Evidence& evidence, const DamagedRange& range) {
    return std::ranges::any_of(evidence.displaced, [&](const DisplacedWrite& write) {
        return write.file == range.file && write.range.begin <= range.range.begin &&
               range.range.end <= write.range.end;
    });
}

/// K8 leaves what was there before, also after a crash. Other bytes are of another fault then, and
/// nothing else is known of them.
bool is_store_by_kernel_undone(const Evidence& evidence, const DamagedRange& range) {
    const bool old = range.kind == DamageKind::stale || range.kind == DamageKind::zeros;
    return is_stored_by_kernel(line_of(evidence.result, range.lost)) &&
           (old || !evidence.result.cut_short);
}

/// A fault that is recognised by the bytes that were lost.
struct Loss {
    std::string_view name;
    bool (*is_known_of)(const RunResult&);
    bool (*explains)(const Evidence&, const DamagedRange&);
    std::string_view text; ///< after "3 ranges"
};

constexpr std::array kLosses{
    Loss{"K1", on_fuse,
         [](const Evidence& evidence, const DamagedRange& range) {
             return is_stored_by_kernel(line_of(evidence.result, range.lost));
         },
         " stored by the kernel through a mapping: returned by the kernel, then gone. Known of "
         "FUSE when the file changes its size meanwhile (seen on Linux 6.18); --without gup leaves "
         "such stores out"},
    Loss{"K4", on_fuse,
         [](const Evidence& evidence, const DamagedRange& range) {
             return is_cleared_growth(range, line_of(evidence.result, range.lost));
         },
         " written by write(2), zeros now. Known of FUSE when the write makes the file longer and "
         "the page that it ended in is written back meanwhile (seen on Linux 6.18); --without grow "
         "leaves such writes out"},
    Loss{"K5", on_xfs_punched_beside_the_kernels_stores,
         [](const Evidence&, const DamagedRange& range) { return range.kind == DamageKind::zeros; },
         " zeros now. Known of XFS beside a punch or zero-range that begins or ends in that page, "
         "if the kernel stores through a mapping into the same large folio meanwhile (seen on "
         "Linux 6.18); --without gup leaves such stores out"},
    Loss{"K6", where_extents_moved_and_the_journal_has_the_data,
         [](const Evidence&, const DamagedRange&) { return true; },
         " of a file that pages were put into or taken out of. Known of ext4 with data=journal, if "
         "what a mapping stored behind that place has not been synced (seen on Linux 6.1)"},
    Loss{"K7", on_fuse,
         [](const Evidence& evidence, const DamagedRange& range) {
             return is_zeroing_undone(range, line_of(evidence.result, range.lost));
         },
         " zeroed by fallocate, with old bytes again. Known of FUSE when a mapping stores into the "
         "page in which the range begins or ends, and it is written back meanwhile (seen on Linux "
         "6.18); --without punch leaves such zeroing out"},
    Loss{"K8", on_blocks_of_a_folio, is_store_by_kernel_undone,
         " stored by the kernel through a mapping: returned by the kernel, then gone. Known of "
         "ext2, ext4 and XFS when the folio is written back meanwhile and another block of it "
         "becomes dirty (seen on Linux 6.18); --without gup leaves such stores out"},
    Loss{
        "K9", after_a_crash_where_extents_move, is_of_a_displaced_write,
        " synced before, overwritten by bytes of a later write to another place. Known of ext4 and "
        "XFS when an insert-range or collapse-range has moved the blocks and the crash undoes it: "
        "what is written to them meanwhile does not wait for the move (seen on Linux 6.1, 6.18)"},
    Loss{"K11", on_nfs,
         [](const Evidence& evidence, const DamagedRange& range) {
             return is_stored_by_kernel(line_of(evidence.result, range.lost));
         },
         " stored by the kernel through a mapping: returned by the kernel, then gone. Known of NFS "
         "when the page is written back meanwhile (seen on Linux 6.1); --without gup leaves such "
         "stores out"},
};

std::size_t explained_by(const Loss& loss, const Evidence& evidence) {
    return static_cast<std::size_t>(
        std::ranges::count_if(evidence.result.damage, [&](const DamagedRange& one) {
            return loss.explains(evidence, one);
        }));
}

/// K2 before K10.
bool comes_first(const KnownFault& a, const KnownFault& b) {
    return std::pair(a.name.size(), a.name) < std::pair(b.name.size(), b.name);
}

bool is_past_eof(const DamagedRange& range) {
    return range.kind == DamageKind::past_eof;
}

} // namespace

bool is_stored_by_kernel(std::string_view line) {
    const auto kind = kind_of_line(line);
    return kind && traits_of(*kind).by_kernel;
}

bool is_cleared_growth(const DamagedRange& range, std::string_view line) {
    const auto kind = kind_of_line(line);
    return range.kind == DamageKind::zeros &&
           (kind == OpKind::append || kind == OpKind::write || kind == OpKind::dontcache_write);
}

bool is_zeroing_undone(const DamagedRange& range, std::string_view line) {
    const auto kind = kind_of_line(line);
    return range.kind != DamageKind::zeros && (kind == OpKind::punch || kind == OpKind::zero_range);
}

std::vector<KnownFault> known_faults(const RunResult& result) {
    std::vector<KnownFault> all;
    const Evidence evidence(result);
    for (const Loss& loss : kLosses) {
        const std::size_t count = loss.is_known_of(result) ? explained_by(loss, evidence) : 0;
        if (count != 0) {
            all.push_back({loss.name, ranges(count) + std::string(loss.text)});
        }
    }
    if (result.hung && result.journals_data) {
        all.push_back({"K2",
                       "ext4 with data=journal is known to hang when the kernel stores through "
                       "a mapping beside sync_file_range and fsync (seen on Linux 6.18); "
                       "without --may-hang such stores are left out"});
    }
    if (result.totals.past_eof != 0 || !result.past_eof.empty() ||
        std::ranges::any_of(result.damage, is_past_eof)) {
        all.push_back({"K3",
                       "bytes stored past the end of a file became part of it when it grew. "
                       "Known of FUSE and tmpfs; mmap(2) leaves it open, and it is damage only "
                       "with --past-eof zero; --without past-eof leaves such stores out"});
    }
    std::ranges::sort(all, comes_first);
    return all;
}

bool is_known_damage(const RunResult& result) {
    const Evidence evidence(result);
    const auto is_explained = [&](const DamagedRange& range) {
        return is_past_eof(range) || std::ranges::any_of(kLosses, [&](const Loss& loss) {
                   return loss.is_known_of(result) && loss.explains(evidence, range);
               });
    };
    return !result.damage.empty() && result.damage_not_kept == 0 && result.problems.empty() &&
           result.judgement.empty() && std::ranges::all_of(result.damage, is_explained);
}

} // namespace mmapstress
