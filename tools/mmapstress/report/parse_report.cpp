// Reads a report.
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/report/report_words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace mmapstress {

namespace {

using Json = nlohmann::ordered_json;

/// JSON that is not a report. Thrown and caught in this file only.
struct Malformed {
    std::string reason;
};

const Json& member(const Json& object, const char* key) {
    if (!object.is_object() || !object.contains(key)) {
        throw Malformed{std::string("no \"") + key + "\""};
    }
    return object.at(key);
}

std::uint64_t number(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (!value.is_number_unsigned()) {
        throw Malformed{std::string("\"") + key + "\" is not a number"};
    }
    return value.get<std::uint64_t>();
}

/// 0 if there is none, as in a report of the first 1.0.0.
std::uint64_t number_if_there(const Json& object, const char* key) {
    return object.is_object() && object.contains(key) ? number(object, key) : 0;
}

/// A number of a narrower type than JSON's.
template <typename Number>
Number narrow(const Json& object, const char* key) {
    const std::uint64_t value = number(object, key);
    if (value > std::numeric_limits<Number>::max()) {
        throw Malformed{std::string("\"") + key + "\" is too large: " + std::to_string(value)};
    }
    return static_cast<Number>(value);
}

bool is_null(const Json& object, const char* key) {
    return member(object, key).is_null();
}

/// Empty for null.
std::string text(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (!value.is_string() && !value.is_null()) {
        throw Malformed{std::string("\"") + key + "\" is not a string"};
    }
    return value.is_null() ? std::string() : value.get<std::string>();
}

bool truth(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (!value.is_boolean()) {
        throw Malformed{std::string("\"") + key + "\" is not true or false"};
    }
    return value.get<bool>();
}

double real(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (!value.is_number()) {
        throw Malformed{std::string("\"") + key + "\" is not a number"};
    }
    return value.get<double>();
}

const Json& list(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (!value.is_array()) {
        throw Malformed{std::string("\"") + key + "\" is not a list"};
    }
    return value;
}

std::uint64_t as_number(const Json& value, const char* of) {
    if (!value.is_number_unsigned()) {
        throw Malformed{std::string("\"") + of + "\" holds something that is not a number"};
    }
    return value.get<std::uint64_t>();
}

std::string as_text(const Json& value, const char* of) {
    if (!value.is_string()) {
        throw Malformed{std::string("\"") + of + "\" holds something that is not a string"};
    }
    return value.get<std::string>();
}

/// The value of an enumeration.
template <typename Enum>
Enum named(const std::string& name) {
    if (const auto value = from_name<Enum>(name)) {
        return *value;
    }
    throw Malformed{"no such word: '" + name + "'"};
}

OpId id_of_key(const std::string& key) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), value);
    if (error != std::errc{} || end != key.data() + key.size()) {
        throw Malformed{"not an operation's number: '" + key + "'"};
    }
    return OpId{value};
}

void read_stages(const Json& report, RunResult& result) {
    for (const Json& json : list(report, "stages")) {
        StageResult& stage =
            result.stages[static_cast<std::size_t>(named<Stage>(text(json, "stage")))];
        stage.state = named<StageResult::State>(text(json, "state"));
        stage.reason = text(json, "reason");
        stage.bytes = number(json, "bytes");
        stage.stored = number_if_there(json, "stored");
        stage.holes = number_if_there(json, "holes");
        stage.wrong = number(json, "wrong");
        stage.ranges = number(json, "ranges");
        stage.seconds = real(json, "seconds");
    }
}

DamagedRange read_damage(const Json& json) {
    DamagedRange range;
    range.file = FileIndex{narrow<std::uint32_t>(json, "file")};
    range.range.begin = ByteOffset{number(json, "offset")};
    range.range.end = range.range.begin + ByteCount{number(json, "length")};
    range.kind = named<DamageKind>(text(json, "kind"));
    for (const Json& stage : list(json, "stages")) {
        range.stages |= static_cast<std::uint8_t>(
            1U << static_cast<unsigned>(named<Stage>(as_text(stage, "stages"))));
    }
    range.lost = OpId{number(json, "lost")};
    if (!member(json, "origin").is_null()) {
        range.origin = OpId{number(json, "origin")};
    }
    if (range.kind == DamageKind::misplaced) {
        range.origin_file = FileIndex{narrow<std::uint32_t>(json, "origin_file")};
        range.origin_offset = ByteOffset{number(json, "origin_offset")};
    }
    for (const Json& op : list(json, "operations")) {
        range.ops.emplace_back(as_number(op, "operations"));
    }
    return range;
}

void read_kinds(const Json& json, std::array<std::uint64_t, kOpKinds>& counts) {
    for (const auto& [name, count] : json.items()) {
        const auto kind = kind_named(name);
        if (!kind) {
            throw Malformed{"no such operation: '" + name + "'"};
        }
        counts[static_cast<std::size_t>(*kind)] = as_number(count, "by_kind");
    }
}

void read_operations(const Json& report, RunResult& result) {
    const Json& operations = member(report, "operations");
    result.ops = number(operations, "done");
    result.last_op = OpId{number(operations, "last")};
    result.seconds = real(operations, "seconds");
    read_kinds(member(operations, "by_kind"), result.ops_by_kind);
    if (report.contains("commits")) { // not in a report of the first 1.0.0
        const Json& commits = member(report, "commits");
        result.commits.done = number(commits, "done");
        if (!is_null(commits, "empty")) {
            result.commits.empty = number(commits, "empty");
        }
    }
    for (const auto& [id, line] : member(report, "named_operations").items()) {
        result.named_ops[id_of_key(id)] = as_text(line, "named_operations");
    }
    for (const auto& [id, time] : member(report, "named_times").items()) {
        result.named_times[id_of_key(id)].value = as_number(time, "named_times");
    }
}

std::optional<WorkloadSettings> read_settings(const Json& report) {
    const Json& json = member(report, "settings");
    if (json.is_null()) {
        return std::nullopt;
    }
    WorkloadSettings settings;
    settings.seed = number(json, "seed");
    if (!is_null(json, "size")) {
        settings.size = ByteCount{number(json, "size")};
    }
    if (!is_null(json, "files")) {
        settings.files = narrow<std::uint32_t>(json, "files");
    }
    if (!is_null(json, "ops")) {
        settings.ops = number(json, "ops");
    }
    if (!is_null(json, "threads")) {
        settings.threads = narrow<std::uint16_t>(json, "threads");
    }
    if (!is_null(json, "processes")) {
        settings.processes = narrow<std::uint16_t>(json, "processes");
    }
    const std::string by = text(json, "commit_by");
    const auto commit_by = from_name<CommitBy>(by);
    if (!commit_by) {
        throw Malformed{"no such word: '" + by + "'"};
    }
    settings.commit_by = *commit_by;
    settings.memory = ByteCount{number(json, "memory")};
    return settings;
}

std::optional<CutShort> read_cut_short(const Json& report) {
    const Json& json = member(report, "cut_short");
    if (json.is_null()) {
        return std::nullopt;
    }
    return CutShort{OpId{number(json, "done")}, OpId{number(json, "begun")},
                    number(json, "synced_bytes")};
}

/// Not in a report of the first 1.0.0.
std::optional<Shard> read_shard(const Json& report) {
    if (!report.contains("shard") || is_null(report, "shard")) {
        return std::nullopt;
    }
    const Json& json = report.at("shard");
    const Shard shard{narrow<std::uint32_t>(json, "number"), narrow<std::uint32_t>(json, "of"),
                      number(json, "seed")};
    if (shard.number == 0 || shard.number > shard.of) {
        throw Malformed{"there is no shard " + std::to_string(shard.number) + " of " +
                        std::to_string(shard.of)};
    }
    return shard;
}

Totals read_totals(const Json& report) {
    const Json& json = member(report, "totals");
    Totals totals;
    totals.rounds = number(json, "rounds");
    totals.ops = number(json, "operations");
    totals.seconds = real(json, "seconds");
    totals.past_eof = number(json, "past_eof");
    read_kinds(member(json, "by_kind"), totals.ops_by_kind);
    for (const Json& of : list(json, "workloads")) {
        totals.workloads.push_back(
            {text(of, "workload"), number(of, "rounds"), number(of, "operations")});
    }
    if (json.contains("known_faults")) { // not in a report of the first 1.0.0
        for (const Json& of : list(json, "known_faults")) {
            totals.known_faults.push_back(
                {text(of, "name"), number(of, "rounds"), text(of, "workload"), number(of, "seed")});
        }
    }
    for (const Json& of : list(json, "stages")) {
        totals.stages[static_cast<std::size_t>(named<Stage>(text(of, "stage")))] = {
            number(of, "bytes"), number(of, "stored"), number(of, "wrong"), real(of, "seconds")};
    }
    return totals;
}

Report read_report(const Json& json) {
    if (!json.is_object() || json.value("format", Json()) != "mmapstress-report") {
        throw Malformed{"not a report of mmapstress"};
    }
    if (number(json, "version") != kReportVersion) {
        throw Malformed{"version " + std::to_string(number(json, "version")) +
                        "; this program knows version 1"};
    }
    Report report;
    RunResult& result = report.result;
    report.state = named<ReportState>(text(json, "state"));
    result.header.seed = number(json, "seed");
    result.header.workload = text(json, "workload");
    result.kernel = text(json, "kernel");
    result.filesystem = text(json, "filesystem");
    result.partialfs = text(json, "partialfs");
    result.disk = text(json, "disk");
    result.directory = text(json, "directory");
    result.kept = truth(json, "kept");
    result.synced = truth(json, "synced");
    // Not in a report of the first 1.0.0.
    result.hung = json.contains("hung") && truth(json, "hung");
    result.on_disk = !json.contains("on_disk") || truth(json, "on_disk");
    if (json.contains("memory")) {
        result.memory = text(json, "memory");
    }
    for (const Json& file : list(json, "files")) {
        result.files.push_back(text(file, "path"));
        result.sizes.emplace_back(number(file, "size"));
    }
    result.rounds = number(json, "rounds");
    if (json.contains("totals")) {
        result.totals = read_totals(json);
    }
    if (json.contains("left_out")) {
        for (const Json& one : list(json, "left_out")) {
            result.left_out.push_back({text(one, "operation"), text(one, "reason")});
        }
    }
    read_operations(json, result);
    read_stages(json, result);
    for (const Json& damage : list(json, "damage")) {
        result.damage.push_back(read_damage(damage));
        if (result.damage.back().file.value >= result.files.size()) {
            throw Malformed{"damage of a file that is not listed"};
        }
    }
    result.damage_not_kept = number(json, "damage_not_kept");
    if (json.contains("past_eof")) {
        for (const Json& one : list(json, "past_eof")) {
            const ByteOffset begin{number(one, "offset")};
            result.past_eof.push_back({FileIndex{narrow<std::uint32_t>(one, "file")},
                                       {begin, begin + ByteCount{number(one, "length")}},
                                       OpId{number(one, "stored_by")}});
        }
    }
    for (const Json& problem : list(json, "problems")) {
        const bool has_op = !member(problem, "operation").is_null();
        result.problems.push_back(
            {text(problem, "message"), OpId{has_op ? number(problem, "operation") : 0}});
    }
    for (const Json& sentence : list(json, "judgement")) {
        result.judgement.push_back(as_text(sentence, "judgement"));
    }
    report.made_by = text(json, "made_by");
    result.cut_short = read_cut_short(json);
    result.shard = read_shard(json);
    result.settings = read_settings(json);
    result.schedule = text(json, "schedule");
    result.schedule_file = text(json, "schedule_file");
    result.interrupted = report.state == ReportState::interrupted;
    return report;
}

} // namespace

std::expected<Report, std::string> parse_report(std::string_view text) {
    try {
        return read_report(Json::parse(text));
    } catch (const Json::exception& error) {
        // "[json...] parse error at line 3, column 7: syntax error ...", or a number too large.
        const std::string_view what = error.what();
        const std::size_t line = what.find("line ");
        const std::size_t reason = std::min(what.find("] ") + 2, what.size());
        return std::unexpected("not JSON: " +
                               std::string(what.substr(line == what.npos ? reason : line)));
    } catch (const Malformed& malformed) {
        return std::unexpected(malformed.reason);
    }
}

} // namespace mmapstress
