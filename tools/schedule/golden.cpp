#include "tools/schedule/golden.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace mmapstress {

namespace {

using Json = nlohmann::json;
using Error = std::unexpected<std::string>;

struct Name {
    std::string_view golden;
    OpKind kind;
};

constexpr std::array kNames{
    Name{"store", OpKind::store},
    Name{"pwrite", OpKind::write},
    Name{"commit", OpKind::commit},
    Name{"sync_file_range", OpKind::sync_file_range},
    Name{"fsync", OpKind::fsync},
    Name{"fdatasync", OpKind::fdatasync},
    Name{"msync", OpKind::msync},
    Name{"fchmod", OpKind::fchmod},
    Name{"pread", OpKind::read_check},
    Name{"read_fault", OpKind::read_fault},
    Name{"remap", OpKind::remap},
    Name{"mprotect_ro_rw", OpKind::mprotect},
    Name{"madvise_dontneed", OpKind::madvise_dontneed},
    Name{"truncate", OpKind::truncate},
    Name{"append", OpKind::append},
    Name{"punch", OpKind::punch},
    Name{"mmap", OpKind::map},
    Name{"munmap", OpKind::unmap},
    Name{"fork_store", OpKind::fork_store},
    Name{"msync_async", OpKind::msync_async},
    Name{"sync", OpKind::sync},
    Name{"evict", OpKind::evict},
};

/// Reads fields of JSON objects; keeps the first failure.
class Fields {
  public:
    [[nodiscard]] bool failed() const { return !error_.empty(); }
    [[nodiscard]] const std::string& error() const { return error_; }
    void fail(std::string reason) {
        if (error_.empty()) {
            error_ = std::move(reason);
        }
    }

    std::uint64_t number(const Json& object, const char* key, std::uint64_t max) {
        const Json* value = find(object, key);
        if (value == nullptr) {
            return 0;
        }
        if (!value->is_number_unsigned() || value->get<std::uint64_t>() > max) {
            fail(std::string("\"") + key + "\" is not a number from 0 to " + std::to_string(max));
            return 0;
        }
        return value->get<std::uint64_t>();
    }
    std::string text(const Json& object, const char* key) {
        const Json* value = find(object, key);
        if (value == nullptr) {
            return {};
        }
        if (!value->is_string()) {
            fail(std::string("\"") + key + "\" is not a string");
            return {};
        }
        return value->get<std::string>();
    }
    const Json& array(const Json& object, const char* key) {
        static const Json empty = Json::array();
        const Json* value = find(object, key);
        if (value != nullptr && !value->is_array()) {
            fail(std::string("\"") + key + "\" is not a list");
        }
        return failed() ? empty : *value;
    }

  private:
    const Json* find(const Json& object, const char* key) {
        if (!object.is_object()) {
            fail("not a JSON object");
            return nullptr;
        }
        const auto found = object.find(key);
        if (found == object.end()) {
            fail(std::string("no \"") + key + "\"");
            return nullptr;
        }
        return &*found;
    }
    std::string error_;
};

constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kMaxFiles = 65536;

Content filled(std::uint64_t value) {
    Content content;
    content.kind = ContentKind::fill;
    content.fill = static_cast<std::byte>(value);
    return content;
}

/// An operation without its id.
Op read_op(Fields& fields, const Json& object, OpKind kind) {
    const OpTraits& traits = traits_of(kind);
    Op op;
    op.kind = kind;
    if (traits.has_file) {
        op.file = FileIndex{static_cast<std::uint32_t>(fields.number(object, "file", kMaxFiles))};
    }
    if (traits.has_map && object.contains("map")) {
        op.map = MapIndex{static_cast<std::uint8_t>(fields.number(object, "map", 1))};
    }
    if (traits.has_offset && (!traits.range_optional || object.contains("off"))) {
        op.offset = ByteOffset{fields.number(object, "off", kMaxOffset)};
    }
    if (traits.has_length && (!traits.range_optional || object.contains("len"))) {
        const char* key = kind == OpKind::truncate ? "size" : "len";
        op.length = ByteCount{fields.number(object, key, kMaxOffset)};
    }
    if (traits.has_content) {
        op.content = filled(fields.number(object, "v", 255));
    }
    if (const auto commits = object.find("commits"); commits != object.end()) {
        if (!commits->is_boolean()) {
            fields.fail("\"commits\" is not true or false");
        } else {
            op.commits = commits->get<bool>();
        }
    }
    return op;
}

void read_ops(Fields& fields, const Json& line, Schedule& schedule) {
    std::uint64_t id = 0;
    if (line.contains("start_writes")) {
        for (const Json& object : fields.array(line, "start_writes")) {
            Op op = read_op(fields, object, OpKind::start_write);
            op.id = OpId{++id};
            schedule.header.start_writes.push_back(std::move(op));
        }
    }
    for (const Json& object : fields.array(line, "ops")) {
        const std::string name = fields.text(object, "op");
        const auto* known = std::ranges::find(kNames, name, &Name::golden);
        if (known == kNames.end()) {
            fields.fail("no such operation: '" + name + "'");
        }
        if (fields.failed()) {
            return;
        }
        Op op = read_op(fields, object, known->kind);
        op.id = OpId{++id};
        schedule.ops.push_back(std::move(op));
    }
}

void read_header(Fields& fields, const Json& line, Header& header) {
    const std::uint64_t block = fields.number(line, "block", kPageSize);
    if (!partialfs::model::BlockSize::from_bytes(block)) {
        fields.fail("\"block\" is not a block size");
    }
    header.block_size = static_cast<std::uint32_t>(block);
    header.workload = "golden";
    FileSpec file;
    file.size = ByteCount{fields.number(line, "size", kMaxOffset)};
    const std::string start = fields.text(line, "start");
    const std::string end = fields.text(line, "end");
    const std::uint64_t files = fields.number(line, "files", kMaxFiles);
    if (fields.failed()) {
        return;
    }
    if (files == 0) {
        fields.fail("no files");
    } else if (const auto known = from_name<Start>(start); !known) {
        fields.fail("no such start: '" + start + "'");
    } else if (const auto known_end = from_name<End>(end); !known_end) {
        fields.fail("no such end: '" + end + "'");
    } else {
        file.start = *known;
        header.end = *known_end;
        if (file.start == Start::written || file.start == Start::written_fsync) {
            file.content = filled(255);
        }
        header.files.assign(files, file);
    }
}

void read_damage(Fields& fields, const Json& line, GoldenSchedule& golden) {
    for (const Json& range : fields.array(line, "damage")) {
        const auto is_number = [](const Json& value) { return value.is_number_unsigned(); };
        if (!range.is_array() || range.size() != 3 || !std::ranges::all_of(range, is_number)) {
            fields.fail("\"damage\" has something that is not [file, offset, length]");
            return;
        }
        const ByteOffset begin{range[1].get<std::uint64_t>()};
        golden.damage.push_back({FileIndex{range[0].get<std::uint32_t>()},
                                 {begin, begin + ByteCount{range[2].get<std::uint64_t>()}}});
    }
}

} // namespace

std::expected<GoldenSchedule, std::string> parse_golden(std::string_view text) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_discarded()) {
        return Error("not JSON");
    }
    Fields fields;
    GoldenSchedule golden;
    golden.id = fields.text(line, "id");
    golden.kernel = fields.text(line, "kernel");
    if (!fields.failed()) {
        read_header(fields, line, golden.schedule.header);
    }
    if (!fields.failed()) {
        read_ops(fields, line, golden.schedule);
    }
    if (!fields.failed()) {
        read_damage(fields, line, golden);
    }
    if (fields.failed()) {
        return Error(fields.error());
    }
    if (const auto error = check_schedule(golden.schedule)) {
        return Error(error->message());
    }
    return golden;
}

std::expected<std::vector<GoldenSchedule>, ScheduleError> parse_golden_file(std::string_view text) {
    std::vector<GoldenSchedule> all;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
            continue;
        }
        auto golden = parse_golden(line);
        if (!golden) {
            return std::unexpected(ScheduleError{number, golden.error()});
        }
        all.push_back(std::move(*golden));
    }
    return all;
}

} // namespace mmapstress
