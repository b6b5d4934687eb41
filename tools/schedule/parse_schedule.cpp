// The text format of a schedule: parsing.
#include "fusefs/base/try.hpp"
#include "tools/schedule/parse_op.hpp"
#include "tools/schedule/schedule.hpp"
#include "tools/schedule/text_words.hpp"

#include <algorithm>
#include <limits>

namespace mmapstress {

namespace {

using text::Error;
using text::in_quotes;
using text::number;
using text::Words;

/// A schedule with more files than this is certainly damaged: no descriptor limit allows them.
constexpr std::uint64_t kMaxFiles = 65536;

std::expected<void, std::string> parse_file(Header& header, Words& words) {
    const auto index = number(words.next(), kMaxFiles - 1);
    if (!index) {
        return Error(index.error());
    }
    if (*index != header.files.size()) {
        return Error("file " + std::to_string(*index) + " where file " +
                     std::to_string(header.files.size()) + " should come");
    }
    FileSpec file;
    bool has_size = false;
    while (!words.done()) {
        const auto item = text::setting(words.next());
        if (!item) {
            return Error(item.error());
        }
        if (item->key == "size") {
            const auto size = number(item->value, std::numeric_limits<std::int64_t>::max());
            if (!size) {
                return Error(size.error());
            }
            file.size.value = *size;
            has_size = true;
        } else if (item->key == "start") {
            const auto start = from_name<Start>(item->value);
            if (!start) {
                return Error("no such start: " + in_quotes(item->value));
            }
            file.start = *start;
        } else if (item->key == "fill") {
            TRY(text::set_content(file.content, *item));
        } else {
            return Error("file has no " + in_quotes(item->key));
        }
    }
    if (!has_size) {
        return Error("size= is missing");
    }
    header.files.push_back(std::move(file));
    return {};
}

std::expected<void, std::string> parse_workers(Header& header, Words& words) {
    while (!words.done()) {
        const auto item = text::setting(words.next());
        if (!item) {
            return Error(item.error());
        }
        const auto count = number(item->value, 1024);
        if (!count) {
            return Error(count.error());
        }
        if (*count == 0) {
            return Error("no workers at all");
        }
        if (item->key != "threads" && item->key != "processes") {
            return Error("workers has no " + in_quotes(item->key));
        }
        (item->key == "threads" ? header.threads : header.processes) =
            static_cast<std::uint16_t>(*count);
    }
    return {};
}

/// Whether `keyword` is one of the header; parses it if so.
std::expected<bool, std::string> parse_header_line(Header& header, std::string_view keyword,
                                                   Words& words) {
    const auto done =
        [](std::expected<void, std::string> result) -> std::expected<bool, std::string> {
        if (!result) {
            return Error(result.error());
        }
        return true;
    };
    if (keyword == "file") {
        return done(parse_file(header, words));
    }
    if (keyword == "workers") {
        return done(parse_workers(header, words));
    }
    if (keyword != "seed" && keyword != "workload" && keyword != "block" && keyword != "contract" &&
        keyword != "policy" && keyword != "commit-by" && keyword != "end") {
        return false;
    }
    const std::string_view value = words.next();
    if (value.empty() || !words.done()) {
        return Error(std::string(keyword) + " takes one word");
    }
    if (keyword == "seed") {
        const auto seed = number(value, std::numeric_limits<std::uint64_t>::max());
        if (!seed) {
            return Error(seed.error());
        }
        header.seed = *seed;
    } else if (keyword == "workload") {
        header.workload = value;
    } else if (keyword == "contract") {
        header.contract = value;
    } else if (keyword == "policy") {
        header.policy = value;
    } else if (keyword == "block") {
        const auto block = number(value, kPageSize);
        if (!block || !partialfs::model::BlockSize::from_bytes(*block)) {
            return Error("not a block size (512, 1024, 2048, 4096): " + in_quotes(value));
        }
        header.block_size = static_cast<std::uint32_t>(*block);
    } else if (keyword == "commit-by") {
        const auto by = from_name<CommitBy>(value);
        if (!by) {
            return Error("no such way to commit: " + in_quotes(value));
        }
        header.commit_by = *by;
    } else {
        const auto end = from_name<End>(value);
        if (!end) {
            return Error("no such end: " + in_quotes(value));
        }
        header.end = *end;
    }
    return true;
}

class Parser {
  public:
    std::expected<void, std::string> line(std::string_view text) {
        Words words(text);
        if (words.done() || text.front() == '#') {
            return {};
        }
        const std::string_view first = words.next();
        if (!magic_) {
            return take_magic(first, words);
        }
        if (!checker_) {
            const auto taken = parse_header_line(schedule_.header, first, words);
            if (!taken) {
                return Error(taken.error());
            }
            if (*taken) {
                return {};
            }
            if (schedule_.header.files.empty()) {
                return Error("no file before the first operation");
            }
            checker_.emplace(schedule_.header);
        }
        auto op = text::parse_op(first, words);
        if (!op) {
            return Error(op.error());
        }
        if (auto reason = checker_->check(*op)) {
            return Error(*reason);
        }
        (op->kind == OpKind::start_write ? schedule_.header.start_writes : schedule_.ops)
            .push_back(std::move(*op));
        return {};
    }

    std::expected<Schedule, std::string> finish() {
        if (!magic_) {
            return Error("not a schedule: the first line should be 'mmapstress-schedule 1'");
        }
        if (schedule_.header.files.empty()) {
            return Error("the schedule has no file");
        }
        return std::move(schedule_);
    }

  private:
    std::expected<void, std::string> take_magic(std::string_view first, Words& words) {
        if (first != text::kMagic) {
            return Error("not a schedule: the first line should be 'mmapstress-schedule 1'");
        }
        const std::string_view version = words.next();
        if (version != text::kVersion) {
            return Error("schedule format " + in_quotes(version) + "; this program knows format 1");
        }
        magic_ = true;
        return {};
    }

    Schedule schedule_;
    bool magic_ = false;
    std::optional<OpChecker> checker_; ///< from the first operation on
};

} // namespace

std::expected<Schedule, ScheduleError> parse_schedule(std::string_view text) {
    Parser parser;
    std::size_t line = 0;
    while (!text.empty()) {
        ++line;
        const std::size_t length = std::min(text.find('\n'), text.size());
        if (const auto parsed = parser.line(text.substr(0, length)); !parsed) {
            return std::unexpected(ScheduleError{line, parsed.error()});
        }
        text.remove_prefix(std::min(length + 1, text.size()));
    }
    auto schedule = parser.finish();
    if (!schedule) {
        return std::unexpected(ScheduleError{line, schedule.error()});
    }
    return std::move(*schedule);
}

} // namespace mmapstress
