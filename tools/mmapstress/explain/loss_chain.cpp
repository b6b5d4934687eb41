#include "tools/mmapstress/explain/loss_chain.hpp"

#include "tools/mmapstress/explain/taken_chain.hpp"

#include <algorithm>
#include <ranges>
#include <string_view>

namespace mmapstress {
namespace {

using partialfs::model::Nanoseconds;

/// Whether the mask ("1010", one digit a block) has a block that `range` touches in `page`.
bool mask_touches(std::string_view mask, PageIndex page, ByteRange range) {
    if (mask.empty()) {
        return false;
    }
    const auto size = partialfs::model::BlockSize::from_bytes(kPageSize / mask.size());
    if (!size) {
        return false;
    }
    const auto touched = size->touched(page, range);
    for (std::size_t block = 0; block < mask.size(); ++block) {
        if (mask[block] == '1' &&
            touched.contains(partialfs::model::BlockInPage{static_cast<std::uint8_t>(block)})) {
            return true;
        }
    }
    return false;
}

using Events = std::vector<TraceEvent>;

/// The last event before `end` for which `wanted` is true; `end` if there is none.
template <typename Wanted>
Events::const_iterator last_before(const Events& events, Events::const_iterator end,
                                   Wanted wanted) {
    const auto before = std::ranges::subrange(events.begin(), end) | std::views::reverse;
    const auto found = std::ranges::find_if(before, wanted);
    return found == before.end() ? end : std::prev(found.base());
}

std::optional<Nanoseconds> time_of(const OpTimes& times, OpId op) {
    const auto found = times.find(op);
    return found == times.end() ? std::nullopt : std::optional{found->second};
}

/// How the page came to be dirty before it was flushed.
ChainStep first_stored(const DamagedRange& damage, const Events& events,
                       Events::const_iterator flush, const OpTimes& times) {
    // The last operation on these bytes that is known to have come before the flush.
    for (const OpId op : damage.ops | std::views::reverse) {
        const auto time = time_of(times, op);
        if (op != damage.lost && time && *time < flush->time) {
            return {time, op, "stored"};
        }
    }
    const auto dirty = last_before(events, flush, [&](const TraceEvent& event) {
        return (event.event == "page-dirty" || event.event == "explicit-write") &&
               event.touches(*flush->page);
    });
    if (dirty == flush) {
        return {std::nullopt, OpId{0}, "the page became dirty before the trace begins"};
    }
    return {dirty->time, OpId{0},
            dirty->event == "page-dirty"
                ? "the page was found dirty: somebody had stored into it"
                : "write(2) of " + std::to_string(dirty->bytes.size().value) + " bytes at " +
                      std::to_string(dirty->bytes.begin.value)};
}

} // namespace

std::vector<ChainStep> loss_chain(const DamagedRange& damage, const Events& events,
                                  const OpTimes& times) {
    if (auto taken = taken_chain(damage, events, times); !taken.empty()) {
        return taken;
    }
    const PageIndex page = damage.range.first_page();
    const auto passed_over = last_before(events, events.end(), [&](const TraceEvent& event) {
        return event.event == "writepage" && event.page == page &&
               mask_touches(event.skipped, page, damage.range);
    });
    if (passed_over == events.end()) {
        return {};
    }
    std::vector<ChainStep> chain;
    const auto flush = last_before(events, passed_over, [&](const TraceEvent& event) {
        return event.event == "ordered-flush" && event.page == page &&
               mask_touches(event.blocks, page, damage.range);
    });
    if (flush != passed_over) {
        chain.push_back(first_stored(damage, events, flush, times));
        chain.push_back({flush->time, OpId{0},
                         "flushed by commit " + std::to_string(flush->commit) + ": blocks " +
                             flush->blocks + " of the page are written and called clean"});
    }
    chain.push_back({time_of(times, damage.lost), damage.lost,
                     "stored again, through a mapping that is writable already: the filesystem is "
                     "not told"});
    chain.push_back({passed_over->time, OpId{0},
                     "writepage passed over the blocks " + passed_over->skipped + " as clean" +
                         (passed_over->written.find('1') == std::string::npos
                              ? " and wrote nothing"
                              : " and wrote the blocks " + passed_over->written)});
    return chain;
}

} // namespace mmapstress
