#include "fusefs/faults/rule.hpp"

#include "fusefs/base/words.hpp"

#include <fmt/format.h>
#include <string.h>

#include <array>

namespace partialfs::faults {

namespace {

std::string action_text(const FaultRule& rule) {
    switch (rule.action) {
    case Action::delay:
        return {};
    case Action::error:
        return ' ' + errno_symbol(rule.error.value);
    case Action::torn:
        return fmt::format(" torn={} {}", rule.amount, errno_symbol(rule.error.value));
    case Action::short_count:
    case Action::flip:
    case Action::full:
        return fmt::format(" {}={}", name_of(rule.action), rule.amount);
    case Action::out_of_memory:
    case Action::skip:
    case Action::stale:
        return fmt::format(" {}", name_of(rule.action));
    }
    return {};
}

} // namespace

bool FaultRule::is_for(Operation candidate) const {
    if (operation) {
        return *operation == candidate;
    }
    return row_of(candidate).layer == layer && can_do(candidate, action) &&
           (!range || has_ability(candidate, kHasRange)) &&
           ((!uid && !pid) || has_ability(candidate, kHasCaller));
}

std::string BadLine::message() const {
    return fmt::format("line {}: {}", number, reason);
}

std::string errno_symbol(int number) {
    const char* const symbol = ::strerrorname_np(number);
    return symbol != nullptr ? std::string(symbol) : std::to_string(number);
}

std::string to_text(const FaultRule& rule) {
    std::string text;
    if (rule.operation) {
        text = name_of(*rule.operation);
    } else {
        text = rule.layer == Layer::disk ? "any" : "request:any";
    }
    text += action_text(rule);
    const auto add = [&](std::string_view key, const auto& value) {
        text += fmt::format(" {}={}", key, value);
    };
    if (rule.delay.count() != 0) {
        add("delay", fmt::format("{}ms", rule.delay.count()));
    }
    if (rule.name != "*") {
        add("name", base::word_for(rule.name));
    }
    if (rule.path != "*") {
        add("path", base::word_for(rule.path));
    }
    if (rule.range) {
        const bool open_ended = rule.range->end.value == UINT64_MAX;
        add("offset",
            open_ended ? fmt::format("{}+", rule.range->begin.value)
                       : fmt::format("{}+{}", rule.range->begin.value, rule.range->size().value));
    }
    if (rule.uid) {
        add("uid", *rule.uid);
    }
    if (rule.pid) {
        add("pid", *rule.pid);
    }
    if (rule.after != 0) {
        add("after", rule.after);
    }
    if (rule.count != UINT64_MAX) {
        add("count", rule.count);
    }
    if (rule.probability < 1.0) {
        add("probability", rule.probability);
    }
    if (rule.seed != 1) {
        add("seed", rule.seed);
    }
    return text;
}

} // namespace partialfs::faults
