#include "fusefs/power/command.hpp"

#include "fusefs/base/quoted.hpp"
#include "fusefs/base/units.hpp"
#include "fusefs/base/words.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::power {
namespace {

using base::in_quotes;
using Problem = std::optional<std::string>; ///< what is wrong, if anything

constexpr std::array kVerbs{
    std::pair{std::string_view{"cut"}, Command::Verb::cut},
    std::pair{std::string_view{"cut-and-on"}, Command::Verb::cut_and_on},
    std::pair{std::string_view{"on"}, Command::Verb::on},
    std::pair{std::string_view{"disarm"}, Command::Verb::disarm},
};

std::string_view name_of_verb(Command::Verb verb) {
    for (const auto& [name, its_verb] : kVerbs) {
        if (its_verb == verb) {
            return name;
        }
    }
    return {};
}

Problem set_tear(Tear& tear, std::string_view value) {
    if (value == "all" || value == "none") {
        tear.kind = value == "all" ? Tear::Kind::all : Tear::Kind::none;
        return {};
    }
    if (value == "512" || value == "4096") {
        tear.kind = Tear::Kind::sectors;
        tear.sector = value == "512" ? 512 : 4096;
        return {};
    }
    return in_quotes("tear=" + std::string(value)) + " is none of all, none, 512 and 4096";
}

Problem set_moment(Trigger& trigger, std::string_view value) {
    const auto colon = value.find(':');
    const auto moment = base::from_name<Moment>(value.substr(0, colon));
    if (!moment) {
        return in_quotes(value.substr(0, colon)) + " is no moment: write at=MOMENT:N with " +
               base::all_names<Moment>();
    }
    const auto nth = colon == std::string_view::npos
                         ? std::nullopt
                         : base::parse_whole_number(value.substr(colon + 1));
    if (!nth || *nth == 0) {
        return in_quotes("at=" + std::string(value)) +
               ": write a number from 1 on, as at=" + std::string(name_of(*moment)) + ":1";
    }
    trigger.at = *moment;
    trigger.nth = *nth;
    return {};
}

/// Collects the words of a command.
struct Words {
    Tear tear{};
    Trigger trigger{};
    bool has_tear = false;
    bool has_seed = false;
    bool has_at = false;
    bool has_filter = false;         ///< of a trigger
    std::vector<std::string> seen{}; ///< keys

    Problem add(std::string_view word) {
        if (word == "keep-order") {
            tear.keep_order = true;
            return {};
        }
        const auto equals = word.find('=');
        const std::string_view key = word.substr(0, equals);
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view{} : word.substr(equals + 1);
        if (value.empty()) {
            return in_quotes(word) + " is not understood";
        }
        if (std::ranges::find(seen, key) != seen.end()) {
            return in_quotes(key) + " is given twice";
        }
        seen.emplace_back(key);
        if (key == "tear") {
            has_tear = true;
            return set_tear(tear, value);
        }
        if (key == "seed") {
            const auto seed = base::parse_whole_number(value);
            tear.seed = seed.value_or(0);
            has_seed = true;
            return seed ? Problem{}
                        : in_quotes("seed=" + std::string(value)) + " is not a whole number";
        }
        if (key == "at") {
            has_at = true;
            return set_moment(trigger, value);
        }
        if (key == "path") {
            has_filter = true;
            trigger.path = value.substr(std::min(value.find_first_not_of('/'), value.size()));
            return trigger.path.empty() ? Problem{in_quotes(word) + " names no file"} : Problem{};
        }
        if (key == "when") {
            has_filter = true;
            const auto when = base::from_name<When>(value);
            trigger.when = when.value_or(When::before);
            return when ? Problem{}
                        : in_quotes("when=" + std::string(value)) + " is neither before nor after";
        }
        return in_quotes(word) + " is not understood";
    }

    /// Checks for contradictions.
    [[nodiscard]] Problem check() const {
        if (has_filter && !has_at) {
            return "when= and path= belong to at=MOMENT:N";
        }
        const bool has_path = trigger.at != Moment::commit && trigger.at != Moment::op;
        if (trigger.at == Moment::op && trigger.when == When::after) {
            return "when=after goes with commit, fsync, writepage and rename: any other request is "
                   "answered at once";
        }
        if (has_at && !trigger.path.empty() && !has_path) {
            return "path= goes with fsync, writepage and rename: a " +
                   std::string(name_of(trigger.at)) + " has no path";
        }
        const bool torn = tear.kind == Tear::Kind::sectors || !has_tear;
        if (tear.keep_order && !torn) {
            return "keep-order goes with tear=512 or tear=4096";
        }
        if (has_seed && tear.kind != Tear::Kind::sectors && !tear.keep_order) {
            return "seed= goes with tear=512, tear=4096 or keep-order";
        }
        return {};
    }
};

} // namespace

std::expected<Command, std::string> parse_command(std::string_view text) {
    const std::string_view line = text.substr(0, text.find_last_not_of('\n') + 1);
    if (line.contains('\n')) {
        return std::unexpected("more than one line: write one command at a time");
    }
    const auto all = base::words_of(line);
    if (!all) {
        return std::unexpected(all.error());
    }
    if (all->empty()) {
        return std::unexpected("the command is empty: write cut, cut-and-on, on or disarm");
    }
    const std::string& word_of_verb = all->front();
    Command command;
    bool known = false;
    for (const auto& [name, verb] : kVerbs) {
        if (name == word_of_verb) {
            command.verb = verb;
            known = true;
        }
    }
    if (!known) {
        return std::unexpected(in_quotes(word_of_verb) +
                               " is none of cut, cut-and-on, on and disarm");
    }
    const bool cuts =
        command.verb == Command::Verb::cut || command.verb == Command::Verb::cut_and_on;
    Words words;
    for (const std::string& word : std::span(*all).subspan(1)) {
        if (!cuts) {
            return std::unexpected(in_quotes(word) + ": " +
                                   std::string(name_of_verb(command.verb)) +
                                   " takes nothing after it");
        }
        if (const Problem problem = words.add(word)) {
            return std::unexpected(*problem);
        }
    }
    if (const Problem problem = words.check()) {
        return std::unexpected(*problem);
    }
    if (words.tear.keep_order) {
        words.tear.kind = Tear::Kind::sectors;
    }
    command.tear = words.tear;
    if (words.has_at) {
        command.at = std::move(words.trigger);
    }
    return command;
}

std::string to_text(const Command& command) {
    std::string text(name_of_verb(command.verb));
    if (command.verb == Command::Verb::on || command.verb == Command::Verb::disarm) {
        return text;
    }
    const Tear& tear = command.tear;
    switch (tear.kind) {
    case Tear::Kind::all:
        text += " tear=all";
        break;
    case Tear::Kind::none:
        text += " tear=none";
        break;
    case Tear::Kind::sectors:
        text += " tear=" + std::to_string(tear.sector) + (tear.keep_order ? " keep-order" : "") +
                " seed=" + std::to_string(tear.seed);
        break;
    }
    if (command.at) {
        text += " at=" + std::string(name_of(command.at->at)) + ':' +
                std::to_string(command.at->nth) + " when=" + std::string(name_of(command.at->when));
        text += command.at->path.empty() ? "" : " path=" + base::word_for(command.at->path);
    }
    return text;
}

} // namespace partialfs::power
