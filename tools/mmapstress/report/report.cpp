#include "tools/mmapstress/report/report.hpp"

#include "tools/mmapstress/report/report_words.hpp"
#include "tools/mmapstress/report/totals_json.hpp"
#include "tools/mmapstress/result/known_faults.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace mmapstress {

namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

Json stage_json(Stage stage, const StageResult& result) {
    return {{"stage", name_of(stage)},
            {"state", name_of(result.state)},
            {"reason", text_or_null(result.reason)},
            {"bytes", result.bytes},
            {"stored", result.stored},
            {"holes", result.holes},
            {"wrong", result.wrong},
            {"ranges", result.ranges},
            {"seconds", result.seconds}};
}

Json damage_json(const RunResult& result, const DamagedRange& range) {
    const bool has_origin = range.kind == DamageKind::stale ||
                            range.kind == DamageKind::misplaced ||
                            range.kind == DamageKind::past_eof;
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
    return {{"done", result.ops},
            {"last", result.last_op.value},
            {"seconds", result.seconds},
            {"by_kind", kinds_json(result.ops_by_kind)}};
}

/// Numbers that were not given are null.
template <typename Number>
Json or_null(const std::optional<Number>& number) {
    return number ? Json(*number) : Json();
}

Json settings_json(const std::optional<WorkloadSettings>& settings) {
    if (!settings) {
        return {};
    }
    return {{"seed", settings->seed},
            {"size", settings->size ? Json(settings->size->value) : Json()},
            {"files", or_null(settings->files)},
            {"ops", or_null(settings->ops)},
            {"threads", or_null(settings->threads)},
            {"processes", or_null(settings->processes)},
            {"commit_by", name_of(settings->commit_by)},
            {"memory", settings->memory.value}};
}

Json cut_short_json(const std::optional<CutShort>& cut) {
    if (!cut) {
        return {};
    }
    return {{"done", cut->done.value},
            {"begun", cut->begun.value},
            {"synced_bytes", cut->synced_bytes}};
}

Json shard_json(const std::optional<Shard>& shard) {
    if (!shard) {
        return {};
    }
    return {{"number", shard->number}, {"of", shard->of}, {"seed", shard->seed}};
}

Json commits_json(const Commits& commits) {
    return {{"done", commits.done}, {"empty", or_null(commits.empty)}};
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
    Json past_eof = Json::array();
    for (const PastEof& bytes : result.past_eof) {
        past_eof.push_back({{"file", bytes.file.value},
                            {"offset", bytes.range.begin.value},
                            {"length", bytes.range.size().value},
                            {"stored_by", bytes.stored_by.value}});
    }
    Json left_out = Json::array();
    for (const LeftOut& one : result.left_out) {
        left_out.push_back({{"operation", one.operation}, {"reason", one.reason}});
    }
    Json faults = Json::array();
    for (const KnownFault& fault : known_faults(result)) {
        faults.push_back({{"name", fault.name}, {"text", fault.text}});
    }
    const Json report{{"format", "mmapstress-report"},
                      {"version", kReportVersion},
                      {"made_by", kToolVersion},
                      {"verdict", name_of(result.verdict())},
                      {"hung", result.hung},
                      {"state", name_of(state)},
                      {"seed", result.header.seed},
                      {"workload", result.header.workload},
                      {"kernel", result.kernel},
                      {"filesystem", text_or_null(result.filesystem)},
                      {"partialfs", text_or_null(result.partialfs)},
                      {"disk", text_or_null(result.disk)},
                      {"directory", result.directory},
                      {"kept", result.kept},
                      {"synced", result.synced},
                      {"on_disk", result.on_disk},
                      {"files", std::move(files)},
                      {"memory", text_or_null(result.memory)},
                      {"rounds", result.rounds},
                      {"totals", totals_json(result.totals)},
                      {"known_faults", std::move(faults)},
                      {"damage_is_known", is_known_damage(result)},
                      {"operations", operations_json(result)},
                      {"left_out", std::move(left_out)},
                      {"commits", commits_json(result.commits)},
                      {"stages", std::move(stages)},
                      {"damage", std::move(damage)},
                      {"damage_not_kept", result.damage_not_kept},
                      {"past_eof", std::move(past_eof)},
                      {"named_operations", std::move(names)},
                      {"named_times", std::move(times)},
                      {"problems", std::move(problems)},
                      {"judgement", result.judgement},
                      {"cut_short", cut_short_json(result.cut_short)},
                      {"shard", shard_json(result.shard)},
                      {"settings", settings_json(result.settings)},
                      {"schedule", text_or_null(result.schedule)},
                      {"schedule_file", text_or_null(result.schedule_file)}};
    // Paths need not be UTF-8: other bytes are replaced, not refused.
    return report.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace mmapstress
