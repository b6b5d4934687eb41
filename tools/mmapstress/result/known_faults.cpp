#include "tools/mmapstress/result/known_faults.hpp"

#include "tools/mmapstress/result/run_result.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

std::string ranges(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " range" : " ranges");
}

} // namespace

bool is_stored_by_kernel(std::string_view line) {
    // "17 direct-read-store file=0 ..."
    const std::size_t name = line.find(' ') + 1;
    const auto kind = kind_named(line.substr(name, line.find(' ', name) - name));
    return kind && traits_of(*kind).by_kernel;
}

std::vector<KnownFault> known_faults(const RunResult& result) {
    std::vector<KnownFault> all;
    const auto lost_by_kernel =
        static_cast<std::size_t>(std::ranges::count_if(result.damage, [&](const DamagedRange& one) {
            const auto line = result.named_ops.find(one.lost);
            return line != result.named_ops.end() && is_stored_by_kernel(line->second);
        }));
    if (lost_by_kernel != 0 && result.filesystem.starts_with("fuse")) {
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
    return all;
}

} // namespace mmapstress
