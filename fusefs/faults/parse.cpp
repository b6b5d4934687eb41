// Parses the text of rules.
#include "fusefs/base/nearest_name.hpp"
#include "fusefs/base/quoted.hpp"
#include "fusefs/base/units.hpp"
#include "fusefs/base/words.hpp"
#include "fusefs/faults/rule.hpp"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

namespace partialfs::faults {

namespace {

using base::parse_duration;
using base::parse_size;
using base::parse_whole_number;

/// What is wrong with a line; empty if nothing is.
using Problem = std::string;

constexpr std::uint64_t kMostFlips = 65536;
constexpr int kMostErrno = 133; // EHWPOISON

/// Second names of some numbers.
constexpr std::array kOtherErrnoNames{
    std::pair{std::string_view{"EWOULDBLOCK"}, EWOULDBLOCK},
    std::pair{std::string_view{"ENOTSUP"}, ENOTSUP},
    std::pair{std::string_view{"EDEADLOCK"}, EDEADLOCK},
};

std::optional<int> errno_of(std::string_view symbol) {
    for (int number = 1; number <= kMostErrno; ++number) {
        const char* const name = ::strerrorname_np(number);
        if (name != nullptr && symbol == name) {
            return number;
        }
    }
    const auto* const other =
        std::ranges::find(kOtherErrnoNames, symbol, [](const auto& entry) { return entry.first; });
    return other == kOtherErrnoNames.end() ? std::nullopt : std::optional{other->second};
}

/// "; did you mean 'pwrite'?", or empty if no name is near.
std::string proposal(std::string_view word, std::span<const std::string_view> names) {
    const auto nearest = base::nearest_name(word, names);
    return nearest ? fmt::format("; did you mean '{}'?", *nearest) : std::string();
}

/// Reads one line.
class RuleReader {
  public:
    std::expected<FaultRule, Problem> read(std::span<const std::string> words) {
        Problem problem = read_operation(words.front());
        for (const std::string& word : words.subspan(1)) {
            if (problem.empty()) {
                problem = read_word(word);
            }
        }
        if (problem.empty()) {
            problem = settle();
        }
        if (!problem.empty()) {
            return std::unexpected(std::move(problem));
        }
        return rule_;
    }

  private:
    Problem read_operation(std::string_view word) {
        const std::string_view whole = word;
        std::optional<Layer> layer;
        for (const auto& row : kLayers) {
            if (word.size() > row.name.size() && word.starts_with(row.name) &&
                word[row.name.size()] == ':') {
                layer = row.value;
                word.remove_prefix(row.name.size() + 1);
                break;
            }
        }
        if (word == "any") {
            rule_.layer = layer.value_or(Layer::disk);
            return {};
        }
        // `fsync` alone is the disk's; the name of the request's row includes its layer.
        const std::string with_layer =
            fmt::format("{}:{}", name_of(layer.value_or(Layer::disk)), word);
        for (const OperationRow& row : kOperations) {
            if ((row.name == word && row.layer == layer.value_or(row.layer)) ||
                row.name == with_layer) {
                rule_.operation = row.value;
                rule_.layer = row.layer;
                return {};
            }
        }
        std::vector<std::string_view> names{"any"};
        for (const OperationRow& row : kOperations) {
            names.push_back(row.name);
        }
        return fmt::format("{} is no operation{}", base::in_quotes(whole), proposal(whole, names));
    }

    Problem read_word(const std::string& word) {
        if (const auto number = errno_of(word)) {
            if (error_.value != 0) {
                return fmt::format("{} is a second errno", base::in_quotes(word));
            }
            error_ = base::Errno{*number};
            return {};
        }
        for (const Action action : {Action::out_of_memory, Action::skip, Action::stale}) {
            if (word == name_of(action)) {
                return set_action(action, 0);
            }
        }
        if (word == name_of(Action::flip)) {
            return set_action(Action::flip, 1);
        }
        const auto equals = word.find('=');
        if (equals == std::string::npos) {
            return not_understood(word);
        }
        return read_pair(word, word.substr(0, equals), word.substr(equals + 1));
    }

    Problem read_pair(const std::string& word, const std::string& key, const std::string& value) {
        if (std::ranges::find(seen_, key) != seen_.end()) {
            return fmt::format("{} is given twice", base::in_quotes(key));
        }
        seen_.push_back(key);
        for (const Action action : {Action::short_count, Action::torn, Action::full}) {
            if (key == name_of(action)) {
                const auto bytes = parse_size(value);
                return bytes ? set_action(action, bytes->value) : not_understood(word);
            }
        }
        bool understood = false;
        if (key == "flip") {
            const auto bits = parse_whole_number(value);
            understood = bits && *bits >= 1 && *bits <= kMostFlips;
            return understood ? set_action(Action::flip, *bits) : not_understood(word);
        }
        if (key == "delay") {
            const auto delay = parse_duration(value);
            understood = delay.has_value();
            rule_.delay = delay.value_or(rule_.delay);
        } else if (key == "name" || key == "path") {
            understood = true;
            read_pattern(key == "name" ? rule_.name : rule_.path, value);
        } else if (key == "offset") {
            understood = read_range(value);
        } else if (key == "probability") {
            understood = read_probability(value);
        } else {
            return read_number(word, key, value);
        }
        return understood ? Problem() : not_understood(word);
    }

    Problem read_number(const std::string& word, std::string_view key, std::string_view value) {
        constexpr std::array kKeys{std::string_view{"after"}, std::string_view{"count"},
                                   std::string_view{"nth"},   std::string_view{"seed"},
                                   std::string_view{"uid"},   std::string_view{"pid"}};
        if (std::ranges::find(kKeys, key) == kKeys.end()) {
            return not_understood(word);
        }
        const auto number = parse_whole_number(value);
        const bool too_much =
            (key == "uid" && number >= std::numeric_limits<uid_t>::max()) ||
            (key == "pid" && number > std::uint64_t{std::numeric_limits<pid_t>::max()});
        if (!number || too_much || (*number == 0 && (key == "nth" || key == "pid"))) {
            return not_understood(word);
        }
        if (key == "after") {
            rule_.after = *number;
        } else if (key == "count") {
            rule_.count = *number;
        } else if (key == "nth") {
            rule_.after = *number - 1;
            rule_.count = 1;
        } else if (key == "seed") {
            rule_.seed = *number;
        } else if (key == "uid") {
            rule_.uid = static_cast<uid_t>(*number);
        } else {
            rule_.pid = static_cast<pid_t>(*number);
        }
        return {};
    }

    static void read_pattern(std::string& pattern, std::string_view value) {
        while (value.starts_with('/')) {
            value.remove_prefix(1);
        }
        pattern = value;
    }

    /// OFFSET+LENGTH, or OFFSET+ for a range to the end of the file.
    bool read_range(std::string_view value) {
        const auto plus = value.find('+');
        if (plus == std::string_view::npos) {
            return false;
        }
        const auto begin = parse_size(value.substr(0, plus));
        const std::string_view rest = value.substr(plus + 1);
        const auto length =
            rest.empty() ? std::optional{model::ByteCount{UINT64_MAX}} : parse_size(rest);
        if (!begin || !length || length->value == 0) {
            return false;
        }
        const std::uint64_t end =
            length->value > UINT64_MAX - begin->value ? UINT64_MAX : begin->value + length->value;
        rule_.range = model::ByteRange{model::ByteOffset{begin->value}, model::ByteOffset{end}};
        return true;
    }

    /// 0.25 or 25%.
    bool read_probability(std::string_view value) {
        const bool percent = value.ends_with('%');
        if (percent) {
            value.remove_suffix(1);
        }
        double number = 0;
        const auto [end, problem] =
            std::from_chars(value.data(), value.data() + value.size(), number);
        number = percent ? number / 100 : number;
        rule_.probability = number;
        return problem == std::errc{} && end == value.data() + value.size() && number > 0 &&
               number <= 1;
    }

    Problem set_action(Action action, std::uint64_t amount) {
        if (rule_.action != Action::delay) {
            return fmt::format("'{}' and '{}' do not go together", name_of(rule_.action),
                               name_of(action));
        }
        rule_.action = action;
        rule_.amount = amount;
        return {};
    }

    /// Combines the words, and checks whether the action is possible for the operation.
    Problem settle() {
        if (rule_.action == Action::torn) {
            rule_.error = error_.value != 0 ? error_ : base::Errno{EIO};
        } else if (error_.value != 0) {
            if (const Problem problem = set_action(Action::error, 0); !problem.empty()) {
                return problem;
            }
            rule_.error = error_;
        }
        if (rule_.action == Action::delay && rule_.delay.count() == 0) {
            return "it does nothing: name an errno, short=, torn=, skip, flip, stale, "
                   "enospc-after=, delay= or bad_alloc";
        }
        const auto has = [&](std::string_view key) {
            return std::ranges::find(seen_, key) != seen_.end();
        };
        if (has("nth") && (has("after") || has("count"))) {
            return "nth is after and count in one: leave them out";
        }
        return refuse_impossible();
    }

    Problem refuse_impossible() const {
        const std::string what = rule_.operation
                                     ? std::string(name_of(*rule_.operation))
                                     : fmt::format("any of the layer {}", name_of(rule_.layer));
        const auto nobody = [&](auto can) {
            return rule_.operation ? !can(*rule_.operation)
                                   : std::ranges::none_of(kOperations, [&](const auto& row) {
                                         return row.layer == rule_.layer && can(row.value);
                                     });
        };
        if ((rule_.uid || rule_.pid) &&
            nobody([](Operation one) { return has_ability(one, kHasCaller); })) {
            return fmt::format("{} has no caller: uid and pid are for requests of programs", what);
        }
        if (rule_.range && nobody([](Operation one) { return has_ability(one, kHasRange); })) {
            return fmt::format("{} has no range of bytes: it takes no offset", what);
        }
        if (nobody([&](Operation one) { return can_do(one, rule_.action); })) {
            return fmt::format("'{}' is not possible for {}", name_of(rule_.action), what);
        }
        if (rule_.error.value == EINTR && rule_.layer == Layer::disk) {
            return "EINTR: an operation on a disk that is interrupted is begun again, without end";
        }
        if (rule_.error.value == ENOSYS && rule_.layer == Layer::request) {
            return "ENOSYS: the kernel would never ask again";
        }
        return {};
    }

    Problem not_understood(std::string_view word) const {
        constexpr std::array kWords{std::string_view{"short"}, std::string_view{"torn"},
                                    std::string_view{"skip"},  std::string_view{"flip"},
                                    std::string_view{"stale"}, std::string_view{"enospc-after"},
                                    std::string_view{"delay"}, std::string_view{"name"},
                                    std::string_view{"path"},  std::string_view{"offset"},
                                    std::string_view{"nth"},   std::string_view{"after"},
                                    std::string_view{"count"}, std::string_view{"probability"},
                                    std::string_view{"seed"},  std::string_view{"uid"},
                                    std::string_view{"pid"},   std::string_view{"bad_alloc"}};
        const std::string_view key = word.substr(0, word.find('='));
        const bool known = std::ranges::find(kWords, key) != kWords.end();
        return fmt::format("{} is not understood{}", base::in_quotes(word),
                           known ? std::string() : proposal(key, kWords));
    }

    FaultRule rule_;
    base::Errno error_{};
    std::vector<std::string> seen_; ///< keys
};

} // namespace

std::expected<std::vector<Change>, BadLine> parse_changes(std::string_view text) {
    std::vector<Change> changes;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto newline = text.find('\n');
        const std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        const auto words = base::words_of(line);
        if (!words) {
            return std::unexpected(BadLine{number, words.error()});
        }
        if (words->empty()) {
            continue;
        }
        if (words->front() == "clear") {
            if (words->size() > 1) {
                return std::unexpected(BadLine{number, "'clear' must be alone on its line"});
            }
            changes.emplace_back();
            continue;
        }
        auto rule = RuleReader().read(*words);
        if (!rule) {
            return std::unexpected(BadLine{number, rule.error()});
        }
        changes.push_back({*std::move(rule)});
    }
    return changes;
}

} // namespace partialfs::faults
