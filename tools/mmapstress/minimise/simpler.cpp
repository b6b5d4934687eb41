#include "tools/mmapstress/minimise/simpler.hpp"

#include "tools/schedule/page_history.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace mmapstress {

void use_one_worker(Schedule& schedule) {
    schedule.header.threads = 1;
    schedule.header.processes = 1;
    for (Op& op : schedule.ops) {
        op.by = WorkerIndex{};
    }
}

void leave_out_unused_files(Schedule& schedule) {
    Header& header = schedule.header;
    std::vector<std::optional<FileIndex>> numbers(header.files.size());
    for (const Op& op : schedule.ops) {
        if (traits_of(op.kind).has_file) {
            numbers[op.file.value] = FileIndex{};
        }
        if (traits_of(op.kind).has_source) {
            numbers[op.source.value] = FileIndex{};
        }
    }
    std::vector<FileSpec> kept;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i]) {
            numbers[i] = FileIndex{static_cast<std::uint32_t>(kept.size())};
            kept.push_back(header.files[i]);
        }
    }
    if (kept.empty()) {
        return;
    }
    header.files = std::move(kept);
    std::erase_if(header.start_writes, [&](const Op& op) { return !numbers[op.file.value]; });
    for (std::vector<Op>* ops : {&header.start_writes, &schedule.ops}) {
        for (Op& op : *ops) {
            if (traits_of(op.kind).has_file) {
                op.file = *numbers[op.file.value];
            }
            if (traits_of(op.kind).has_source) {
                op.source = *numbers[op.source.value];
            }
        }
    }
}

void shrink_file(Schedule& schedule, FileIndex file) {
    std::uint64_t needed = 1;
    for (const std::vector<Op>* ops : {&schedule.header.start_writes, &schedule.ops}) {
        for (const Op& op : *ops) {
            const OpTraits& traits = traits_of(op.kind);
            if (traits.has_file && traits.has_offset && op.file == file) {
                needed = std::max(needed, op.range().end.value);
            }
            if (traits.has_source && op.source == file) {
                needed = std::max(needed, op.source_range().end.value);
            }
        }
    }
    ByteCount& size = schedule.header.files[file.value].size;
    size.value = std::min(size.value, (needed + kPageSize - 1) / kPageSize * kPageSize);
}

Op cut(const Op& op, ByteRange range) {
    Op part = op;
    part.offset = range.begin;
    part.length = range.size();
    if (traits_of(op.kind).has_source) {
        part.from = op.from + (range.begin - op.offset);
    }
    if (op.content.kind == ContentKind::data) {
        const auto first =
            op.content.data.begin() + static_cast<std::ptrdiff_t>((range.begin - op.offset).value);
        part.content.data.assign(first, first + static_cast<std::ptrdiff_t>(range.size().value));
    }
    return part;
}

Schedule with_ops(const Schedule& schedule, std::span<const std::size_t> kept) {
    Schedule part{schedule.header, {}};
    for (const std::size_t index : kept) {
        part.ops.push_back(schedule.ops[index]);
    }
    return part;
}

std::vector<std::size_t> past_of(const Schedule& schedule, FileIndex file, PageIndex page) {
    std::set<OpId> wanted;
    for (const HistoryEntry& entry : page_history(
             schedule, file, page, schedule.ops.empty() ? OpId{0} : schedule.ops.back().id)) {
        wanted.insert(entry.op.id);
        wanted.insert(entry.last);
    }
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
        const Op& op = schedule.ops[i];
        const bool sizes = op.kind == OpKind::truncate || op.kind == OpKind::append ||
                           op.kind == OpKind::collapse || op.kind == OpKind::insert;
        if (wanted.contains(op.id) || (sizes && op.file == file)) {
            kept.push_back(i);
        }
    }
    return kept;
}

} // namespace mmapstress
