#include "fusefs/power/survival.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace partialfs::power {
namespace {

using model::ByteOffset;
using model::ByteRange;
using model::intersect;

/// SplitMix64 (Steele, Lea, Flood 2014): mixes any number into evenly distributed bits.
constexpr std::uint64_t mixed(std::uint64_t number) {
    number += 0x9E3779B97F4A7C15U;
    number = (number ^ (number >> 30U)) * 0xBF58476D1CE4E5B9U;
    number = (number ^ (number >> 27U)) * 0x94D049BB133111EBU;
    return number ^ (number >> 31U);
}

std::uint64_t sectors_of(const Change& change, std::uint64_t sector) {
    return change.bytes.empty()
               ? 0
               : (change.bytes.end.value - 1) / sector - change.bytes.begin.value / sector + 1;
}

/// Decides which sectors of each change survive.
class Fate {
  public:
    Fate(std::span<const Change> changes, const Tear& tear) : tear_(tear) {
        if (!tear.keep_order) {
            return;
        }
        starts_.reserve(changes.size());
        std::uint64_t units = 0;
        for (const Change& change : changes) {
            starts_.push_back(units);
            units += change.resizes ? 1 : sectors_of(change, tear.sector);
        }
        kept_units_ = mixed(tear.seed) % (units + 1);
    }

    /// For a change of a size.
    [[nodiscard]] bool keeps_size(std::size_t change) const { return keeps(change, 0, /*salt=*/1); }
    /// For a change of data: `sector` is the number of the sector in the file, and it is the `nth`
    /// that the change touches.
    [[nodiscard]] bool keeps_sector(std::size_t change, std::uint64_t sector,
                                    std::uint64_t nth) const {
        return tear_.keep_order ? keeps(change, nth, 0) : keeps(change, sector, 0);
    }

  private:
    [[nodiscard]] bool keeps(std::size_t change, std::uint64_t which, std::uint64_t salt) const {
        if (tear_.kind != Tear::Kind::sectors) {
            return tear_.kind == Tear::Kind::all;
        }
        if (tear_.keep_order) {
            return starts_[change] + which < kept_units_;
        }
        const std::uint64_t coin = mixed(mixed(mixed(tear_.seed) ^ change) ^ (which * 2 + salt));
        return (coin >> 63U) != 0;
    }

    const Tear tear_;
    std::vector<std::uint64_t> starts_; ///< keep-order: the first unit of each change
    std::uint64_t kept_units_ = 0;
};

/// The state of a file while its changes are visited from the latest to the first.
struct Backwards {
    bool all_kept = false; ///< a later size change survives, and so does everything before it
    std::set<std::uint64_t> settled; ///< sectors of which a later write survives
};

void revert(std::vector<Reversal>& reversals, std::size_t change, ByteRange bytes) {
    if (bytes.empty()) {
        return;
    }
    if (!reversals.empty() && reversals.back().change == change &&
        reversals.back().bytes.end == bytes.begin) {
        reversals.back().bytes.end = bytes.end;
    } else {
        reversals.push_back({change, bytes});
    }
}

/// For each change, the lowest size of the earlier size changes that do not survive: bytes beyond
/// it lie outside every size that survives.
std::vector<ByteOffset> floors_of(std::span<const Change> changes, const Fate& fate) {
    std::map<FileNumber, std::size_t> last_kept; // size change that survives, one past
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (changes[i].resizes && fate.keeps_size(i)) {
            last_kept[changes[i].file] = i + 1;
        }
    }
    std::map<FileNumber, ByteOffset> floor;
    std::vector<ByteOffset> floors(changes.size(), model::kBehindAll);
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const Change& change = changes[i];
        const auto kept = last_kept.find(change.file);
        ByteOffset& now = floor.try_emplace(change.file, model::kBehindAll).first->second;
        floors[i] = now;
        if (change.resizes && (kept == last_kept.end() || kept->second <= i)) {
            now = std::min({now, change.size_before, change.size_after});
        }
    }
    return floors;
}

} // namespace

Aftermath aftermath_of(std::span<const Change> changes, const Tear& tear) {
    Aftermath after;
    const Fate fate(changes, tear);
    const std::vector<ByteOffset> floors = floors_of(changes, fate);
    std::map<FileNumber, Backwards> files;
    for (std::size_t i = changes.size(); i-- > 0;) {
        const Change& change = changes[i];
        Backwards& file = files[change.file];
        file.all_kept = file.all_kept || (change.resizes && fate.keeps_size(i));
        if (file.all_kept) {
            after.sectors_kept += change.resizes ? 0 : sectors_of(change, tear.sector);
            continue;
        }
        if (change.resizes) {
            after.sizes[change.file] = change.size_before;
            revert(after.reversals, i, change.bytes);
            continue;
        }
        const std::uint64_t first = change.bytes.begin.value / tear.sector;
        for (std::uint64_t nth = 0; nth < sectors_of(change, tear.sector); ++nth) {
            const std::uint64_t sector = first + nth;
            const ByteRange bytes =
                intersect(change.bytes, {ByteOffset{sector * tear.sector},
                                         ByteOffset{(sector + 1) * tear.sector}});
            const ByteRange beyond = intersect(bytes, {floors[i], model::kBehindAll});
            const ByteRange below = intersect(bytes, {ByteOffset{0}, floors[i]});
            const bool kept = file.settled.contains(sector) || fate.keeps_sector(i, sector, nth);
            if (kept && !below.empty()) {
                file.settled.insert(sector);
                ++after.sectors_kept;
            } else {
                ++after.sectors_lost;
                revert(after.reversals, i, below);
            }
            revert(after.reversals, i, beyond);
        }
    }
    return after;
}

} // namespace partialfs::power
