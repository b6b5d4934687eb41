#include "tools/mmapstress/result/known_faults.hpp"

#include "tools/mmapstress/result/run_result.hpp"

#include <algorithm>
#include <array>
#include <optional>

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

/// A fault that is recognised by the bytes that were lost.
struct Loss {
    std::string_view name;
    bool (*is_known_of)(const RunResult&);
    /// Given a damaged range, and the line of text of the operation that was lost, or an empty one.
    bool (*explains)(const DamagedRange&, std::string_view);
    std::string_view text; ///< after "3 ranges"
};

constexpr std::array kLosses{
    Loss{"K1", on_fuse,
         [](const DamagedRange&, std::string_view line) { return is_stored_by_kernel(line); },
         " stored by the kernel through a mapping: returned by the kernel, then gone. Known of "
         "FUSE when the file changes its size meanwhile (seen on Linux 6.18); --without gup leaves "
         "such stores out"},
    Loss{"K4", on_fuse, is_cleared_growth,
         " written by write(2), zeros now. Known of FUSE when the write makes the file longer and "
         "the page that it ended in is written back meanwhile (seen on Linux 6.18); --without grow "
         "leaves such writes out"},
    Loss{
        "K5", on_xfs_punched_beside_the_kernels_stores,
        [](const DamagedRange& range, std::string_view) { return range.kind == DamageKind::zeros; },
        " zeros now. Known of XFS beside a punch or zero-range that begins or ends in that page, "
        "if the kernel stores through a mapping into the same large folio meanwhile (seen on "
        "Linux 6.18); --without gup leaves such stores out"},
    Loss{"K6", where_extents_moved_and_the_journal_has_the_data,
         [](const DamagedRange&, std::string_view) { return true; },
         " of a file that pages were put into or taken out of. Known of ext4 with data=journal, if "
         "what a mapping stored behind that place has not been synced (seen on Linux 6.1)"},
    Loss{"K7", on_fuse, is_zeroing_undone,
         " zeroed by fallocate, with old bytes again. Known of FUSE when a mapping stores into the "
         "page in which the range begins or ends, and it is written back meanwhile (seen on Linux "
         "6.18); --without punch leaves such zeroing out"},
    Loss{"K8", on_blocks_of_a_folio,
         [](const DamagedRange&, std::string_view line) { return is_stored_by_kernel(line); },
         " stored by the kernel through a mapping: returned by the kernel, then gone. Known of "
         "ext2, ext4 and XFS when the folio is written back meanwhile and another block of it "
         "becomes dirty (seen on Linux 6.18); --without gup leaves such stores out"},
};

bool explains(const Loss& loss, const RunResult& result, const DamagedRange& range) {
    const auto line = result.named_ops.find(range.lost);
    return loss.explains(range, line == result.named_ops.end() ? "" : line->second);
}

std::size_t explained_by(const Loss& loss, const RunResult& result) {
    return static_cast<std::size_t>(std::ranges::count_if(
        result.damage, [&](const DamagedRange& one) { return explains(loss, result, one); }));
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
    for (const Loss& loss : kLosses) {
        const std::size_t count = loss.is_known_of(result) ? explained_by(loss, result) : 0;
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
    std::ranges::sort(all, {}, &KnownFault::name);
    return all;
}

bool is_known_damage(const RunResult& result) {
    const auto is_explained = [&](const DamagedRange& range) {
        return is_past_eof(range) || std::ranges::any_of(kLosses, [&](const Loss& loss) {
                   return loss.is_known_of(result) && explains(loss, result, range);
               });
    };
    return !result.damage.empty() && result.damage_not_kept == 0 && result.problems.empty() &&
           result.judgement.empty() && std::ranges::all_of(result.damage, is_explained);
}

} // namespace mmapstress
