#include "tools/mmapstress/result/known_faults.hpp"

#include "tools/mmapstress/result/run_result.hpp"

#include <algorithm>
#include <optional>

namespace mmapstress {

namespace {

std::string ranges(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " range" : " ranges");
}

/// Of "17 direct-read-store file=0 ...".
std::optional<OpKind> kind_of_line(std::string_view line) {
    const std::size_t name = line.find(' ') + 1;
    return kind_named(line.substr(name, line.find(' ', name) - name));
}

/// How many damaged ranges there are of which `matches(range, the lost operation's line)`.
template <typename Matches>
std::size_t lost_ranges(const RunResult& result, Matches matches) {
    return static_cast<std::size_t>(
        std::ranges::count_if(result.damage, [&](const DamagedRange& one) {
            const auto line = result.named_ops.find(one.lost);
            return line != result.named_ops.end() && matches(one, line->second);
        }));
}

bool has_done(const RunResult& result, bool (*matches)(OpKind)) {
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        if (result.ops_by_kind[i] != 0 && matches(static_cast<OpKind>(i))) {
            return true;
        }
    }
    return false;
}

/// What K5 takes: whether the page of these zeros has been punched is not looked at.
bool has_punched_beside_the_kernels_stores(const RunResult& result) {
    return has_done(result, [](OpKind kind) { return traits_of(kind).by_kernel; }) &&
           has_done(result, [](OpKind kind) {
               return kind == OpKind::punch || kind == OpKind::zero_range;
           });
}

/// What K6 takes: whether the lost bytes lay behind what was put in or taken out is not looked at.
bool has_moved_extents(const RunResult& result) {
    return has_done(result,
                    [](OpKind kind) { return kind == OpKind::insert || kind == OpKind::collapse; });
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
    const bool on_fuse = result.filesystem.starts_with("fuse");
    const auto lost_by_kernel = lost_ranges(result, [](const DamagedRange&, std::string_view line) {
        return is_stored_by_kernel(line);
    });
    if (lost_by_kernel != 0 && on_fuse) {
        all.push_back(
            {"K1", ranges(lost_by_kernel) +
                       " stored by the kernel through a mapping: returned by the kernel, "
                       "then gone. Known of FUSE when the file changes its size meanwhile "
                       "(seen on Linux 6.18); --without gup leaves such stores out"});
    }
    if (result.hung && result.journals_data) {
        all.push_back({"K2",
                       "ext4 with data=journal is known to hang when the kernel stores through "
                       "a mapping beside sync_file_range and fsync (seen on Linux 6.18); "
                       "without --may-hang such stores are left out"});
    }
    const bool as_damage = std::ranges::any_of(
        result.damage, [](const DamagedRange& one) { return one.kind == DamageKind::past_eof; });
    if (result.totals.past_eof != 0 || as_damage) {
        all.push_back({"K3",
                       "bytes stored past the end of a file became part of it when it grew. "
                       "Known of FUSE and tmpfs; mmap(2) leaves it open, and it is damage only "
                       "with --past-eof zero; --without past-eof leaves such stores out"});
    }
    const auto cleared = lost_ranges(result, is_cleared_growth);
    if (cleared != 0 && on_fuse) {
        all.push_back({"K4", ranges(cleared) +
                                 " written by write(2), zeros now. Known of FUSE when the write "
                                 "makes the file longer and the page that it ended in is written "
                                 "back meanwhile (seen on Linux 6.18); --without grow leaves such "
                                 "writes out"});
    }
    const auto zeroed = lost_ranges(result, [](const DamagedRange& range, std::string_view) {
        return range.kind == DamageKind::zeros;
    });
    if (zeroed != 0 && result.filesystem == "xfs" &&
        has_punched_beside_the_kernels_stores(result)) {
        all.push_back(
            {"K5", ranges(zeroed) +
                       " zeros now. Known of XFS beside a punch or zero-range that begins "
                       "or ends in that page, if the kernel stores through a mapping "
                       "into the same large folio meanwhile (seen on Linux 6.18); "
                       "--without gup leaves such stores out"});
    }
    if (!result.damage.empty() && result.journals_data && has_moved_extents(result)) {
        all.push_back({"K6", ranges(result.damage.size()) +
                                 " of a file that pages were put into or taken out of. Known of "
                                 "ext4 with data=journal, if what a mapping stored behind that "
                                 "place has not been synced (seen on Linux 6.1)"});
    }
    const auto undone = lost_ranges(result, is_zeroing_undone);
    if (undone != 0 && on_fuse) {
        all.push_back({"K7", ranges(undone) +
                                 " zeroed by fallocate, with old bytes again. Known of FUSE when "
                                 "a mapping stores into the page in which the range begins or "
                                 "ends, and it is written back meanwhile (seen on Linux 6.18); "
                                 "--without punch leaves such zeroing out"});
    }
    return all;
}

} // namespace mmapstress
