#include "tools/mmapstress/explain/words.hpp"

#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/schedule/op.hpp"

#include <algorithm>
#include <string_view>

namespace mmapstress {

namespace {

/// Quoted as one word of a shell.
std::string in_quotes(const std::string& text) {
    const auto is_plain = [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
               (letter >= 'A' && letter <= 'Z') ||
               std::string_view("/._-+=:,@%").find(letter) != std::string_view::npos;
    };
    if (!text.empty() && std::ranges::all_of(text, is_plain)) {
        return text;
    }
    std::string out = "'";
    for (const char letter : text) {
        out += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    }
    return out + "'";
}

} // namespace

std::string op_words(const RunResult& result, OpId op) {
    if (op.value == 0) {
        return "the file's start";
    }
    const auto text = result.named_ops.find(op);
    return "operation " +
           (text == result.named_ops.end() ? std::to_string(op.value) : text->second);
}

std::string lost_words(const RunResult& result, const DamagedRange& damage) {
    const auto text = result.named_ops.find(damage.lost);
    if (text == result.named_ops.end()) {
        return op_words(result, damage.lost);
    }
    // "17 truncate file=0 ..."
    const std::string_view line = text->second;
    const std::size_t name = line.find(' ') + 1;
    const auto kind = kind_named(line.substr(name, line.find(' ', name) - name));
    const bool makes_zeros = kind && !traits_of(*kind).has_content;
    return (makes_zeros ? "the zeros of " : "") + op_words(result, damage.lost) +
           (is_stored_by_kernel(line) ? ": returned by the kernel, then gone" : "");
}

std::string instead_words(const RunResult& result, const DamagedRange& damage) {
    switch (damage.kind) {
    case DamageKind::stale:
        return "what was there before, from " + op_words(result, damage.origin);
    case DamageKind::zeros:
        return "zeros";
    case DamageKind::misplaced:
        return "bytes that belong to file " + std::to_string(damage.origin_file.value) + " at " +
               std::to_string(damage.origin_offset.value) + ", from " +
               op_words(result, damage.origin);
    case DamageKind::foreign:
        return "bytes that no operation stored";
    case DamageKind::unclear:
        return "bytes that were never here, too few to find out where they come from";
    case DamageKind::missing:
        return "nothing: the file is too short, or gone";
    case DamageKind::unreadable:
        return "an error when they are read, although the file's sync had returned";
    case DamageKind::past_eof:
        return "what had been stored past the end of the file, before it grew, by " +
               op_words(result, damage.origin);
    }
    return {};
}

std::string replay_line(const RunResult& result, const std::string& report) {
    const std::size_t slash = result.directory.rfind('/');
    const std::string parent = slash == 0 ? "/" : result.directory.substr(0, slash);
    return "mmapstress replay " + in_quotes(parent) + " " + in_quotes(report);
}

} // namespace mmapstress
