#include "tools/mmapstress/report/report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace mmapstress {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kStates{"finished", "interrupted", "running"};
constexpr std::array<std::string_view, 3> kStageStates{"skipped", "checked", "failed"};
constexpr int kVersion = 1;

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

Json stage_json(Stage stage, const StageResult& result) {
    return {{"stage", name_of(stage)},
            {"state", kStageStates[static_cast<std::size_t>(result.state)]},
            {"reason", text_or_null(result.reason)},
            {"bytes", result.bytes},
            {"wrong", result.wrong},
            {"ranges", result.ranges},
            {"seconds", result.seconds}};
}

Json damage_json(const RunResult& result, const DamagedRange& range) {
    const bool has_origin = range.kind == DamageKind::stale || range.kind == DamageKind::misplaced;
    Json stages = Json::array();
    for (std::size_t i = 0; i < kStages; ++i) {
        if (range.in(static_cast<Stage>(i))) {
            stages.push_back(name_of(static_cast<Stage>(i)));
        }
    }
    Json json{{"file", range.file.value},
              {"path", range.file.value < result.files.size() ? result.files[range.file.value]
                                                              : std::string()},
              {"offset", range.range.begin.value},
              {"length", range.range.size().value},
              {"page", range.range.first_page().value},
              {"in_page", range.range.begin.value % kPageSize},
              {"aligned", alignment_of(range.range)},
              {"kind", name_of(range.kind)},
              {"stages", std::move(stages)},
              {"lost", range.lost.value},
              {"origin", has_origin ? Json(range.origin.value) : Json()}};
    if (range.kind == DamageKind::misplaced) {
        json["origin_file"] = range.origin_file.value;
        json["origin_offset"] = range.origin_offset.value;
    }
    Json ops = Json::array();
    for (const OpId id : range.ops) {
        ops.push_back(id.value);
    }
    json["operations"] = std::move(ops);
    return json;
}

Json operations_json(const RunResult& result) {
    Json kinds = Json::object();
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        if (result.ops_by_kind[i] != 0) {
            kinds[std::string(traits_of(static_cast<OpKind>(i)).name)] = result.ops_by_kind[i];
        }
    }
    return {{"done", result.ops},
            {"last", result.last_op.value},
            {"seconds", result.seconds},
            {"by_kind", std::move(kinds)}};
}

/// A report that is JSON but not ours. Thrown and caught in this file only.
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

/// The value of an enumeration whose names are `count` in number.
template <typename Enum, typename NameOf>
Enum named(const std::string& name, std::size_t count, NameOf name_of_value) {
    for (std::size_t i = 0; i < count; ++i) {
        if (name_of_value(static_cast<Enum>(i)) == name) {
            return static_cast<Enum>(i);
        }
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

Stage stage_named(const std::string& name) {
    return named<Stage>(name, kStages, [](Stage stage) { return name_of(stage); });
}

void read_stages(const Json& report, RunResult& result) {
    for (const Json& json : list(report, "stages")) {
        StageResult& stage =
            result.stages[static_cast<std::size_t>(stage_named(text(json, "stage")))];
        stage.state = named<StageResult::State>(
            text(json, "state"), kStageStates.size(),
            [](StageResult::State state) { return kStageStates[static_cast<std::size_t>(state)]; });
        stage.reason = text(json, "reason");
        stage.bytes = number(json, "bytes");
        stage.wrong = number(json, "wrong");
        stage.ranges = number(json, "ranges");
        stage.seconds = real(json, "seconds");
    }
}

DamagedRange read_damage(const Json& json) {
    DamagedRange range;
    range.file = FileIndex{static_cast<std::uint32_t>(number(json, "file"))};
    range.range.begin = ByteOffset{number(json, "offset")};
    range.range.end = range.range.begin + ByteCount{number(json, "length")};
    range.kind = named<DamageKind>(text(json, "kind"), kDamageKinds,
                                   [](DamageKind kind) { return name_of(kind); });
    for (const Json& stage : list(json, "stages")) {
        range.stages |= static_cast<std::uint8_t>(
            1U << static_cast<unsigned>(stage_named(as_text(stage, "stages"))));
    }
    range.lost = OpId{number(json, "lost")};
    if (!member(json, "origin").is_null()) {
        range.origin = OpId{number(json, "origin")};
    }
    if (range.kind == DamageKind::misplaced) {
        range.origin_file = FileIndex{static_cast<std::uint32_t>(number(json, "origin_file"))};
        range.origin_offset = ByteOffset{number(json, "origin_offset")};
    }
    for (const Json& op : list(json, "operations")) {
        range.ops.emplace_back(as_number(op, "operations"));
    }
    return range;
}

void read_operations(const Json& report, RunResult& result) {
    const Json& operations = member(report, "operations");
    result.ops = number(operations, "done");
    result.last_op = OpId{number(operations, "last")};
    result.seconds = real(operations, "seconds");
    for (const auto& [name, count] : member(operations, "by_kind").items()) {
        const auto kind = kind_named(name);
        if (!kind) {
            throw Malformed{"no such operation: '" + name + "'"};
        }
        result.ops_by_kind[static_cast<std::size_t>(*kind)] = as_number(count, "by_kind");
    }
    for (const auto& [id, line] : member(report, "named_operations").items()) {
        result.named_ops[id_of_key(id)] = as_text(line, "named_operations");
    }
    for (const auto& [id, time] : member(report, "named_times").items()) {
        result.named_times[id_of_key(id)].value = as_number(time, "named_times");
    }
}

Report read_report(const Json& json) {
    if (!json.is_object() || json.value("format", Json()) != "mmapstress-report") {
        throw Malformed{"not a report of mmapstress"};
    }
    if (number(json, "version") != kVersion) {
        throw Malformed{"version " + std::to_string(number(json, "version")) +
                        "; this program knows version 1"};
    }
    Report report;
    RunResult& result = report.result;
    report.state = named<ReportState>(text(json, "state"), kStates.size(), [](ReportState state) {
        return kStates[static_cast<std::size_t>(state)];
    });
    result.header.seed = number(json, "seed");
    result.header.workload = text(json, "workload");
    result.kernel = text(json, "kernel");
    result.filesystem = text(json, "filesystem");
    result.partialfs = text(json, "partialfs");
    result.disk = text(json, "disk");
    result.directory = text(json, "directory");
    result.kept = truth(json, "kept");
    for (const Json& file : list(json, "files")) {
        result.files.push_back(text(file, "path"));
        result.sizes.emplace_back(number(file, "size"));
    }
    result.rounds = number(json, "rounds");
    read_operations(json, result);
    read_stages(json, result);
    for (const Json& damage : list(json, "damage")) {
        result.damage.push_back(read_damage(damage));
        if (result.damage.back().file.value >= result.files.size()) {
            throw Malformed{"damage of a file that is not listed"};
        }
    }
    result.damage_not_kept = number(json, "damage_not_kept");
    for (const Json& problem : list(json, "problems")) {
        const bool has_op = !member(problem, "operation").is_null();
        result.problems.push_back(
            {text(problem, "message"), OpId{has_op ? number(problem, "operation") : 0}});
    }
    for (const Json& sentence : list(json, "judgement")) {
        result.judgement.push_back(as_text(sentence, "judgement"));
    }
    result.schedule = text(json, "schedule");
    result.schedule_file = text(json, "schedule_file");
    result.interrupted = report.state == ReportState::interrupted;
    return report;
}

} // namespace

std::string report_json(const RunResult& result, ReportState state) {
    Json files = Json::array();
    for (std::size_t i = 0; i < result.files.size(); ++i) {
        files.push_back({{"path", result.files[i]}, {"size", result.sizes[i].value}});
    }
    Json stages = Json::array();
    for (std::size_t i = 0; i < kStages; ++i) {
        stages.push_back(stage_json(static_cast<Stage>(i), result.stages[i]));
    }
    Json damage = Json::array();
    for (const DamagedRange& range : result.damage) {
        damage.push_back(damage_json(result, range));
    }
    Json names = Json::object();
    for (const auto& [id, line] : result.named_ops) {
        names[std::to_string(id.value)] = line;
    }
    Json times = Json::object();
    for (const auto& [id, time] : result.named_times) {
        times[std::to_string(id.value)] = time.value;
    }
    Json problems = Json::array();
    for (const Problem& problem : result.problems) {
        problems.push_back(
            {{"message", problem.message},
             {"operation", problem.op.value == 0 ? Json() : Json(problem.op.value)}});
    }
    const Json report{{"format", "mmapstress-report"},
                      {"version", kVersion},
                      {"verdict", name_of(result.verdict())},
                      {"state", kStates[static_cast<std::size_t>(state)]},
                      {"seed", result.header.seed},
                      {"workload", result.header.workload},
                      {"kernel", result.kernel},
                      {"filesystem", text_or_null(result.filesystem)},
                      {"partialfs", text_or_null(result.partialfs)},
                      {"disk", text_or_null(result.disk)},
                      {"directory", result.directory},
                      {"kept", result.kept},
                      {"files", std::move(files)},
                      {"rounds", result.rounds},
                      {"operations", operations_json(result)},
                      {"stages", std::move(stages)},
                      {"damage", std::move(damage)},
                      {"damage_not_kept", result.damage_not_kept},
                      {"named_operations", std::move(names)},
                      {"named_times", std::move(times)},
                      {"problems", std::move(problems)},
                      {"judgement", result.judgement},
                      {"schedule", text_or_null(result.schedule)},
                      {"schedule_file", text_or_null(result.schedule_file)}};
    // Paths need not be UTF-8; what is not is replaced rather than refused.
    return report.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::expected<Report, std::string> parse_report(std::string_view text) {
    try {
        return read_report(Json::parse(text));
    } catch (const Json::parse_error& error) {
        // "...] parse error at line 3, column 7: syntax error ..."
        const std::string_view what = error.what();
        const std::size_t at = what.find("line ");
        return std::unexpected("not JSON: " + std::string(what.substr(at == what.npos ? 0 : at)));
    } catch (const Malformed& malformed) {
        return std::unexpected(malformed.reason);
    }
}

} // namespace mmapstress
