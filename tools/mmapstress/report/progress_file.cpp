#include "tools/mmapstress/report/progress_file.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace mmapstress {

namespace {

constexpr std::string_view kHead = "mmapstress-progress 1 ";
constexpr std::string_view kBegun = "begun ";
constexpr std::string_view kDone = "done ";
constexpr std::string_view kEnd = "end";

/// Removes a whole line from the front and returns it; nothing if there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
    const std::size_t length = text.find('\n');
    if (length == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(length + 1);
    return line;
}

/// The number after `word`, if that is what the line is.
std::optional<OpId> number_after(std::string_view word, std::string_view line) {
    if (!line.starts_with(word)) {
        return std::nullopt;
    }
    line.remove_prefix(word.size());
    OpId id;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), id.value);
    return error == std::errc{} && end == line.data() + line.size() ? std::optional(id)
                                                                    : std::nullopt;
}

} // namespace

std::string progress_path(const std::string& report) {
    return report + ".progress";
}

std::expected<RunProgress, std::string> parse_progress(std::string_view text,
                                                       std::string_view directory) {
    const auto head = take_line(text);
    if (!head || !head->starts_with(kHead)) {
        return std::unexpected("the first line should be '" + std::string(kHead) + "DIRECTORY'");
    }
    if (head->substr(kHead.size()) != directory) {
        return std::unexpected("it is of another run than the report, in " +
                               std::string(head->substr(kHead.size())));
    }
    RunProgress progress;
    while (const auto line = take_line(text)) {
        if (*line == kEnd) {
            progress.ended = true;
            progress.begun = progress.last_done();
            break;
        }
        if (const auto begun = number_after(kBegun, *line)) {
            progress.begun = std::max(progress.begun, *begun);
        } else if (const auto done = number_after(kDone, *line);
                   done && *done > progress.last_done() && *done <= progress.begun) {
            progress.done.push_back(*done);
        } else {
            break;
        }
    }
    return progress;
}

std::string progress_head(std::string_view directory) {
    return std::string(kHead) + std::string(directory) + '\n';
}
std::string begun_line(OpId id) {
    return std::string(kBegun) + std::to_string(id.value) + '\n';
}
std::string done_line(OpId id) {
    return std::string(kDone) + std::to_string(id.value) + '\n';
}
std::string end_line() {
    return std::string(kEnd) + '\n';
}

} // namespace mmapstress
