// The text format of a schedule: printing and parsing.
#include "tools/mmapstress/schedule/schedule.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace mmapstress {

namespace {

using Error = std::unexpected<std::string>;

constexpr std::string_view kMagic = "mmapstress-schedule";
constexpr std::string_view kVersion = "1";
/// More files than anybody's descriptor limit allows are surely a damaged schedule.
constexpr std::uint64_t kMaxFiles = 65536;

std::string quoted(std::string_view word) {
    constexpr std::size_t kShown = 40;
    std::string shown;
    for (const char c : word.substr(0, kShown)) {
        shown += (c >= ' ' && c <= '~') ? c : '?';
    }
    return "'" + shown + (word.size() > kShown ? "...'" : "'");
}

std::expected<std::uint64_t, std::string> number(std::string_view word, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error == std::errc::invalid_argument || end != word.data() + word.size()) {
        return Error("not a number: " + quoted(word));
    }
    if (error != std::errc{} || value > max) {
        return Error("the number is too large: " + quoted(word) + " (at most " +
                     std::to_string(max) + ")");
    }
    return value;
}

/// The words of one line, taken from the front.
class Words {
  public:
    explicit Words(std::string_view line) : rest_(line) { skip_blanks(); }

    [[nodiscard]] bool done() const { return rest_.empty(); }
    std::string_view next() {
        const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
        rest_.remove_prefix(word.size());
        skip_blanks();
        return word;
    }

  private:
    void skip_blanks() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
    }
    std::string_view rest_;
};

struct Setting {
    std::string_view key;
    std::string_view value;
};

std::expected<Setting, std::string> setting(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
        return Error("not of the form name=value: " + quoted(word));
    }
    return Setting{word.substr(0, equals), word.substr(equals + 1)};
}

std::expected<std::vector<std::byte>, std::string> bytes_of_hex(std::string_view hex) {
    if (hex.size() % 2 != 0) {
        return Error("data= has an odd number of digits");
    }
    std::vector<std::byte> bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        unsigned value = 0;
        const char* const end = hex.data() + i + 2;
        if (std::from_chars(hex.data() + i, end, value, 16).ptr != end) {
            return Error("not hexadecimal: " + quoted(hex.substr(i, 2)));
        }
        bytes.push_back(static_cast<std::byte>(value));
    }
    return bytes;
}

std::expected<void, std::string> set_content(Content& content, const Setting& item) {
    if (content.kind != ContentKind::pattern) {
        return Error("content given twice");
    }
    if (item.key == "fill") {
        const auto value = number(item.value, 255);
        if (!value) {
            return Error(value.error());
        }
        content.kind = ContentKind::fill;
        content.fill = static_cast<std::byte>(*value);
        return {};
    }
    auto data = bytes_of_hex(item.value);
    if (!data) {
        return Error(data.error());
    }
    content.kind = ContentKind::data;
    content.data = std::move(*data);
    return {};
}

/// Reads the settings of an operation's line, each at most once, and tells which are missing.
class OpReader {
  public:
    explicit OpReader(Op& op) : op_(op), traits_(traits_of(op.kind)) {}

    std::expected<void, std::string> take(const Setting& item) {
        if (std::ranges::find(seen_, item.key) != seen_.end()) {
            return Error("given twice: " + quoted(item.key));
        }
        seen_.push_back(item.key);
        if ((item.key == "fill" || item.key == "data") && traits_.has_content) {
            return set_content(op_.content, item);
        }
        if (item.key == "commits" && (op_.kind == OpKind::fsync || op_.kind == OpKind::fdatasync ||
                                      op_.kind == OpKind::msync)) {
            if (item.value != "yes" && item.value != "no") {
                return Error("commits= is yes or no, not " + quoted(item.value));
            }
            op_.commits = item.value == "yes";
            return {};
        }
        return take_number(item);
    }

    /// Nothing, or what the line should have had.
    [[nodiscard]] std::expected<void, std::string> complete() const {
        const bool truncates = op_.kind == OpKind::truncate;
        if (traits_.has_file && !has("file")) {
            return Error("file= is missing");
        }
        if (op_.kind == OpKind::pause && !has("us")) {
            return Error("us= is missing");
        }
        if (truncates && !has("size")) {
            return Error("size= is missing");
        }
        if (traits_.has_offset && !has("off") && !(traits_.range_optional && !has("len"))) {
            return Error("off= is missing");
        }
        if (traits_.has_length && !truncates && !has("len") &&
            !(traits_.range_optional && !has("off"))) {
            return Error("len= is missing");
        }
        return {};
    }

  private:
    [[nodiscard]] bool has(std::string_view key) const {
        return std::ranges::find(seen_, key) != seen_.end();
    }

    std::expected<void, std::string> take_number(const Setting& item) {
        const auto value = number(item.value, std::numeric_limits<std::uint64_t>::max());
        if (!value) {
            return Error(value.error());
        }
        const auto narrow = [&](auto& field,
                                std::uint64_t max) -> std::expected<void, std::string> {
            if (*value > max) {
                return Error("the number is too large: " + quoted(item.value));
            }
            field.value = static_cast<decltype(field.value)>(*value);
            return {};
        };
        if (item.key == "file" && traits_.has_file) {
            return narrow(op_.file, std::numeric_limits<std::uint32_t>::max());
        }
        if (item.key == "map" && traits_.has_map) {
            return narrow(op_.map, kMapsPerFile - 1);
        }
        if (item.key == "by") {
            return narrow(op_.by, std::numeric_limits<std::uint16_t>::max());
        }
        if (item.key == "off" && traits_.has_offset) {
            op_.offset.value = *value;
        } else if (item.key == (op_.kind == OpKind::truncate ? "size" : "len") &&
                   traits_.has_length) {
            op_.length.value = *value;
        } else if (item.key == "us" && op_.kind == OpKind::pause) {
            op_.pause = *value;
        } else {
            return Error(std::string(traits_.name) + " has no " + quoted(item.key));
        }
        return {};
    }

    Op& op_;
    const OpTraits& traits_;
    std::vector<std::string_view> seen_;
};

std::expected<Op, std::string> parse_op(std::string_view first, Words words) {
    const auto id = number(first, std::numeric_limits<std::uint64_t>::max());
    if (!id) {
        return Error("neither a header keyword nor an operation's number: " + quoted(first));
    }
    const std::string_view name = words.next();
    const auto kind = kind_named(name);
    if (!kind) {
        return Error("no such operation: " + quoted(name));
    }
    Op op;
    op.id.value = *id;
    op.kind = *kind;
    OpReader reader(op);
    while (!words.done()) {
        const auto item = setting(words.next());
        if (!item) {
            return Error(item.error());
        }
        if (const auto taken = reader.take(*item); !taken) {
            return Error(taken.error());
        }
    }
    if (const auto complete = reader.complete(); !complete) {
        return Error(complete.error());
    }
    return op;
}

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
        const auto item = setting(words.next());
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
            const auto start = start_named(item->value);
            if (!start) {
                return Error("no such start: " + quoted(item->value));
            }
            file.start = *start;
        } else if (item->key == "fill") {
            if (const auto set = set_content(file.content, *item); !set) {
                return set;
            }
        } else {
            return Error("file has no " + quoted(item->key));
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
        const auto item = setting(words.next());
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
            return Error("workers has no " + quoted(item->key));
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
    if (keyword != "seed" && keyword != "workload" && keyword != "block" &&
        keyword != "commit-by" && keyword != "end") {
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
    } else if (keyword == "block") {
        const auto block = number(value, kPageSize);
        if (!block || !partialfs::model::BlockSize::from_bytes(*block)) {
            return Error("not a block size (512, 1024, 2048, 4096): " + quoted(value));
        }
        header.block_size = static_cast<std::uint32_t>(*block);
    } else if (keyword == "commit-by") {
        const auto by = commit_by_named(value);
        if (!by) {
            return Error("no such way to commit: " + quoted(value));
        }
        header.commit_by = *by;
    } else {
        const auto end = end_named(value);
        if (!end) {
            return Error("no such end: " + quoted(value));
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
        auto op = parse_op(first, words);
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
        if (first != kMagic) {
            return Error("not a schedule: the first line should be 'mmapstress-schedule 1'");
        }
        const std::string_view version = words.next();
        if (version != kVersion) {
            return Error("schedule format " + quoted(version) + "; this program knows format 1");
        }
        magic_ = true;
        return {};
    }

    Schedule schedule_;
    bool magic_ = false;
    std::optional<OpChecker> checker_; ///< from the first operation on
};

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    (void)error; // twenty digits hold any 64-bit number
    out.append(digits.data(), end);
}

void append_setting(std::string& out, std::string_view key, std::uint64_t value) {
    out += ' ';
    out += key;
    out += '=';
    append_number(out, value);
}

void append_content(std::string& out, const Content& content) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    if (content.kind == ContentKind::fill) {
        append_setting(out, "fill", std::to_integer<std::uint64_t>(content.fill));
    } else if (content.kind == ContentKind::data) {
        out += " data=";
        for (const std::byte byte : content.data) {
            out += kDigits[std::to_integer<std::size_t>(byte >> 4)];
            out += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
        }
    }
}

} // namespace

void print_header(std::string& out, const Header& header) {
    out += kMagic;
    out += ' ';
    out += kVersion;
    out += "\nseed ";
    append_number(out, header.seed);
    out += '\n';
    if (!header.workload.empty()) {
        out += "workload " + header.workload + '\n';
    }
    if (header.block_size) {
        out += "block ";
        append_number(out, *header.block_size);
        out += '\n';
    }
    if (header.workers() != 1) {
        out += "workers";
        append_setting(out, "threads", header.threads);
        append_setting(out, "processes", header.processes);
        out += '\n';
    }
    out += "commit-by ";
    out += name_of(header.commit_by);
    out += "\nend ";
    out += name_of(header.end);
    out += '\n';
    for (std::size_t i = 0; i < header.files.size(); ++i) {
        const FileSpec& file = header.files[i];
        out += "file ";
        append_number(out, i);
        append_setting(out, "size", file.size.value);
        out += " start=";
        out += name_of(file.start);
        append_content(out, file.content);
        out += '\n';
    }
    for (const Op& op : header.start_writes) {
        print_op(out, op);
    }
}

void print_op(std::string& out, const Op& op) {
    const OpTraits& traits = traits_of(op.kind);
    append_number(out, op.id.value);
    out += ' ';
    out += traits.name;
    if (traits.has_file) {
        append_setting(out, "file", op.file.value);
    }
    if (op.map.value != 0) {
        append_setting(out, "map", op.map.value);
    }
    const bool whole = traits.range_optional && op.offset.value == 0 && op.length.value == 0;
    if (traits.has_offset && !whole) {
        append_setting(out, "off", op.offset.value);
    }
    if (traits.has_length && !whole) {
        append_setting(out, op.kind == OpKind::truncate ? "size" : "len", op.length.value);
    }
    if (op.kind == OpKind::pause) {
        append_setting(out, "us", op.pause);
    }
    if (op.by.value != 0) {
        append_setting(out, "by", op.by.value);
    }
    if (op.commits) {
        out += *op.commits ? " commits=yes" : " commits=no";
    }
    append_content(out, op.content);
    out += '\n';
}

std::string print_schedule(const Schedule& schedule) {
    std::string out;
    print_header(out, schedule.header);
    for (const Op& op : schedule.ops) {
        print_op(out, op);
    }
    return out;
}

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
