#include "tools/mmapstress/explain/taken_chain.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>

namespace mmapstress {
namespace {

using Events = std::vector<TraceEvent>;

/// The last faults before the cut, at most so many.
constexpr std::size_t kFaultsShown = 3;

bool touches(const TraceEvent& event, ByteRange range) {
    return !intersect(event.bytes, range).empty();
}

bool is_sync(const TraceEvent& event) {
    return event.operation.ends_with("sync") || event.operation.ends_with("syncfs");
}

/// Whether the event shows that the cut removed bytes of the range.
bool took(const TraceEvent& event, ByteRange range) {
    if (event.event == "cut-resized") {
        return std::min(event.size_was, event.size_is) < range.end.value;
    }
    return event.event == "cut-took" && touches(event, range);
}

/// Whether a fault may have kept bytes of the range from the disk: it hit them, or skipped a sync.
bool left_out(const TraceEvent& event, ByteRange range) {
    return event.event == "fault" &&
           (touches(event, range) || (is_sync(event) && event.action == "skip"));
}

std::string range_words(const TraceEvent& event) {
    return event.bytes.empty() ? std::string()
                               : " of " + std::to_string(event.bytes.size().value) + " bytes at " +
                                     std::to_string(event.bytes.begin.value);
}

std::string fault_words(const TraceEvent& event) {
    const std::string rule = " (rule " + std::to_string(event.rule) + " of the faults)";
    const std::string what = event.operation + range_words(event);
    if (event.action == "skip") {
        return what + " only pretended" + rule + ": it succeeded, and nothing was done";
    }
    if (event.action == "torn") {
        return what + " was torn after " + std::to_string(event.amount) + " bytes" + rule;
    }
    if (event.action == "errno") {
        return what + " failed with errno " + std::to_string(event.error) + rule;
    }
    return what + ": " + event.action + rule;
}

std::string taken_words(const TraceEvent& event) {
    return event.event == "cut-resized"
               ? "it took the size of the file: " + std::to_string(event.size_was) +
                     " bytes were seen, " + std::to_string(event.size_is) + " are on disk"
               : "it took" + range_words(event).substr(3) +
                     ", which memory or the cache of the disk had";
}

ChainStep step_of(const TraceEvent& event, std::string what) {
    return {event.time, OpId{0}, std::move(what)};
}

} // namespace

bool concerns_all_files(const TraceEvent& event) {
    return event.event == "power-cut" || event.event == "power-on" ||
           (event.event == "fault" && event.operation == "syncfs");
}

std::vector<ChainStep> taken_chain(const DamagedRange& damage, const Events& events,
                                   const OpTimes& times) {
    const auto backwards = events | std::views::reverse;
    const auto last_took = std::ranges::find_if(
        backwards, [&](const TraceEvent& event) { return took(event, damage.range); });
    const bool was_cut = last_took != backwards.end();
    const auto end = was_cut ? std::prev(last_took.base()) : events.end();

    const auto stored = times.find(damage.lost);
    std::vector<const TraceEvent*> faults;
    for (const TraceEvent& event : std::ranges::subrange(events.begin(), end)) {
        const bool is_later = stored == times.end() || stored->second <= event.time;
        if (is_later && left_out(event, damage.range)) {
            faults.push_back(&event);
        }
    }
    if (!was_cut && std::ranges::none_of(
                        faults, [&](const auto* fault) { return touches(*fault, damage.range); })) {
        return {};
    }
    std::vector<ChainStep> chain;
    chain.push_back({stored == times.end() ? std::nullopt : std::optional{stored->second},
                     damage.lost, "made"});
    if (faults.size() > kFaultsShown) {
        faults.erase(faults.begin(), faults.end() - kFaultsShown);
    }
    for (const TraceEvent* fault : faults) {
        chain.push_back(step_of(*fault, fault_words(*fault)));
    }
    if (was_cut) {
        const auto before = std::ranges::subrange(events.begin(), end) | std::views::reverse;
        const auto cut = std::ranges::find(before, "power-cut", &TraceEvent::event);
        if (cut != before.end()) {
            chain.push_back(step_of(*cut, "the power was cut: what was not on disk is gone"));
        }
        chain.push_back(step_of(*end, taken_words(*end)));
    }
    return chain;
}

} // namespace mmapstress
