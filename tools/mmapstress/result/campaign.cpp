#include "tools/mmapstress/result/campaign.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mmapstress {

namespace {

std::string name_of(const Shard& shard) {
    return "shard " + std::to_string(shard.number) + "/" + std::to_string(shard.of) +
           " of the campaign with seed " + std::to_string(shard.seed);
}

/// Why these two, neighbours by shard, cannot be parts of one campaign; empty if they can.
std::string contradiction(const Campaign::Part& one, const Campaign::Part& other) {
    const std::optional<Shard>& a = one.result.shard;
    const std::optional<Shard>& b = other.result.shard;
    const auto told = [](const Campaign::Part& part) {
        return part.path + " is " +
               (part.result.shard ? name_of(*part.result.shard) : "of no shard");
    };
    if (a == b && a) {
        return one.path + " and " + other.path + " are both " + name_of(*a);
    }
    const bool together = a && b ? a->seed == b->seed && a->of == b->of : a == b;
    return together ? std::string() : told(one) + ", " + told(other);
}

/// The numbers from `first` up to `last`: "3", "3 to 5".
std::string numbers(std::uint32_t first, std::uint32_t last) {
    return std::to_string(first) + (first == last ? "" : " to " + std::to_string(last));
}

/// The shards without a part.
std::vector<std::string> missing_shards(const std::vector<Campaign::Part>& parts) {
    std::vector<std::string> missing;
    if (!parts.front().result.shard) {
        return missing;
    }
    const std::uint32_t of = parts.front().result.shard->of;
    const auto note = [&](std::uint32_t first, std::uint32_t last) {
        missing.push_back("no report of shard " + numbers(first, last) + " of " +
                          std::to_string(of));
    };
    std::uint32_t next = 1;
    for (const Campaign::Part& part : parts) {
        const std::uint32_t number = part.result.shard->number;
        if (next < number) {
            note(next, number - 1);
        }
        next = number + 1;
    }
    if (next <= of) {
        note(next, of);
    }
    return missing;
}

} // namespace

Verdict Campaign::Part::verdict() const {
    return came_to_its_end ? result.verdict() : worse_of(result.verdict(), Verdict::unknown);
}

Verdict Campaign::verdict() const {
    Verdict all = problems.empty() ? Verdict::clean : Verdict::unknown;
    for (const Part& part : parts) {
        all = worse_of(all, part.verdict());
    }
    return all;
}

std::optional<Shard> Campaign::shard() const {
    return parts.empty() ? std::nullopt : parts.front().result.shard;
}

std::expected<Campaign, std::string> merge(std::vector<Campaign::Part> parts) {
    if (parts.empty()) {
        return std::unexpected("no report");
    }
    std::ranges::stable_sort(parts, {}, [](const Campaign::Part& part) {
        const Shard shard = part.result.shard.value_or(Shard{0, 0, 0});
        return std::tuple(shard.seed, shard.of, shard.number);
    });
    Campaign campaign;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (std::string why = contradiction(parts[i - 1], parts[i]); !why.empty()) {
            return std::unexpected(std::move(why));
        }
    }
    for (const Campaign::Part& part : parts) {
        if (part.result.totals.rounds != 0) {
            campaign.totals.add(part.result.totals);
        } else if (part.came_to_its_end) {
            campaign.totals.add(part.result); // a report of a version without totals
        }
    }
    campaign.problems = missing_shards(parts);
    campaign.parts = std::move(parts);
    return campaign;
}

} // namespace mmapstress
