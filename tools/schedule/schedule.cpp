#include "tools/schedule/schedule.hpp"

#include "tools/schedule/op_effect.hpp"

#include <algorithm>
#include <limits>

namespace mmapstress {

namespace {

/// Offsets are loff_t.
constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();

bool needs_mapping(const OpTraits& traits) {
    return traits.has_map && traits.has_offset && !traits.range_optional;
}

} // namespace

std::string ScheduleError::message() const {
    return line == 0 ? reason : "line " + std::to_string(line) + ": " + reason;
}

OpChecker::OpChecker(const Header& header) : workers_(header.workers()) {
    for (const FileSpec& file : header.files) {
        sizes_.push_back(file.size);
        starts_.push_back(file.start);
    }
}

std::optional<std::string> OpChecker::check_place(const Op& op) {
    const OpTraits& traits = traits_of(op.kind);
    if (op.file.value >= sizes_.size()) {
        return "there is no file " + std::to_string(op.file.value);
    }
    if (op.map.value >= kMapsPerFile) {
        return "a file has the mappings 0 and 1, not " + std::to_string(op.map.value);
    }
    if (op.offset.value > kMaxOffset || op.length.value > kMaxOffset - op.offset.value) {
        return "the range reaches past the largest file offset";
    }
    if (traits.has_length && !traits.range_optional && op.length.value == 0 &&
        op.kind != OpKind::truncate) {
        return "an empty range";
    }
    ByteCount& size = sizes_[op.file.value];
    const std::uint64_t end = op.offset.value + op.length.value;
    const std::uint64_t mapped = (size.value + kPageSize - 1) / kPageSize * kPageSize;
    if (needs_mapping(traits) && std::max(end, op.offset.value + 1) > mapped) {
        return "the range ends at " + std::to_string(end) + ", past the last page of file " +
               std::to_string(op.file.value) + ", whose size is " + std::to_string(size.value) +
               " then";
    }
    if (traits.range_optional && end > size.value) {
        return "the range ends past the end of file " + std::to_string(op.file.value) +
               ", whose size is " + std::to_string(size.value) + " then";
    }
    if (op.kind == OpKind::append && op.length.value > kMaxOffset - size.value) {
        return "the file would grow past the largest file offset";
    }
    if (auto reason = check_shape(op)) {
        return reason;
    }
    size = size_after(op, size);
    return std::nullopt;
}

std::optional<std::string> OpChecker::check_shape(const Op& op) const {
    const OpTraits& traits = traits_of(op.kind);
    const std::uint64_t size = sizes_[op.file.value].value;
    const std::uint64_t end = op.range().end.value;
    if (op.offset.value % traits.unit != 0 || op.length.value % traits.unit != 0 ||
        op.from.value % traits.unit != 0) {
        return "offset and length must be multiples of " + std::to_string(traits.unit);
    }
    if (op.kind == OpKind::past_eof_store && op.offset.value < size) {
        return "it begins at " + std::to_string(op.offset.value) + ", inside file " +
               std::to_string(op.file.value) + ", whose size is " + std::to_string(size) + " then";
    }
    if (op.kind == OpKind::collapse && end >= size) {
        return "the range must end before the end of file " + std::to_string(op.file.value) +
               ", whose size is " + std::to_string(size) + " then";
    }
    if (op.kind == OpKind::insert &&
        (op.offset.value >= size || op.length.value > kMaxOffset - size)) {
        return "it must begin inside file " + std::to_string(op.file.value) + ", whose size is " +
               std::to_string(size) + " then";
    }
    if (!traits.has_source) {
        return std::nullopt;
    }
    if (op.source.value >= sizes_.size()) {
        return "there is no file " + std::to_string(op.source.value);
    }
    const std::uint64_t available = sizes_[op.source.value].value;
    if (op.from.value > available || op.length.value > available - op.from.value) {
        return "what is to be copied ends past the end of file " + std::to_string(op.source.value) +
               ", whose size is " + std::to_string(available) + " then";
    }
    if (op.kind == OpKind::clone_file && (op.from.value != 0 || op.length.value != available)) {
        return "all of file " + std::to_string(op.source.value) + " is " +
               std::to_string(available) + " bytes then";
    }
    if (op.kind == OpKind::clone_file && op.length.value < size &&
        op.length.value % kPageSize != 0) {
        return "file " + std::to_string(op.source.value) + " ends inside a page, where file " +
               std::to_string(op.file.value) + " goes on";
    }
    if (op.source == op.file && !intersect(op.range(), op.source_range()).empty()) {
        return "the two ranges overlap";
    }
    return std::nullopt;
}

std::optional<std::string> OpChecker::check(const Op& op) {
    if (op.id <= last_) {
        return "operation ids must ascend, from 1: " + std::to_string(op.id.value) + " after " +
               std::to_string(last_.value);
    }
    last_ = op.id;
    if (op.by.value >= workers_) {
        return "there is no worker " + std::to_string(op.by.value);
    }
    if (op.kind != OpKind::start_write) {
        started_ = true;
    } else if (started_) {
        return "start-write after other operations";
    } else if (op.file.value < starts_.size() && starts_[op.file.value] != Start::partial_fsync) {
        return "start-write of a file that does not start as partial+fsync";
    }
    if (op.content.kind == ContentKind::data && op.content.data.size() != op.length.value) {
        return "data= has " + std::to_string(op.content.data.size()) + " bytes, not " +
               std::to_string(op.length.value);
    }
    return traits_of(op.kind).has_file ? check_place(op) : std::nullopt;
}

std::optional<ScheduleError> check_schedule(const Schedule& schedule) {
    OpChecker checker(schedule.header);
    for (const std::vector<Op>* ops : {&schedule.header.start_writes, &schedule.ops}) {
        for (const Op& op : *ops) {
            if (auto reason = checker.check(op)) {
                return ScheduleError{0, "operation " + std::to_string(op.id.value) + " (" +
                                            std::string(traits_of(op.kind).name) + "): " + *reason};
            }
        }
    }
    return std::nullopt;
}

} // namespace mmapstress
