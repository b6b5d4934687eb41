#include "tools/vmmodel/predict/predict.hpp"

#include "tools/schedule/pattern.hpp"

#include <algorithm>
#include <array>

namespace vmmodel {

using mmapstress::Op;
using mmapstress::OpKind;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;
using partialfs::model::kPageSize;

namespace {

/// The mapping of a forked child, which lives for one operation only.
constexpr MapNumber kChild{kMaxMappings - 1};

/// Whether the model knows the operation: those of 2006. A schedule with another one is refused.
bool is_modelled(OpKind kind) {
    constexpr std::array kModelled{OpKind::start_write,
                                   OpKind::store,
                                   OpKind::write,
                                   OpKind::append,
                                   OpKind::truncate,
                                   OpKind::punch,
                                   OpKind::msync,
                                   OpKind::msync_async,
                                   OpKind::fsync,
                                   OpKind::fdatasync,
                                   OpKind::commit,
                                   OpKind::sync_file_range,
                                   OpKind::sync,
                                   OpKind::map,
                                   OpKind::unmap,
                                   OpKind::remap,
                                   OpKind::fork_store,
                                   OpKind::evict,
                                   OpKind::read_check,
                                   OpKind::live_check,
                                   OpKind::direct_read_check,
                                   OpKind::pause,
                                   OpKind::fchmod,
                                   OpKind::read_fault,
                                   OpKind::mprotect,
                                   OpKind::madvise_dontneed};
    return std::ranges::find(kModelled, kind) != kModelled.end();
}

/// Operations that a block device cannot do: its size is fixed, and it has no holes.
bool changes_size(OpKind kind) {
    return kind == OpKind::truncate || kind == OpKind::append || kind == OpKind::punch;
}

std::string name_and_number(const Op& op) {
    return std::string(traits_of(op.kind).name) + ", which is number " +
           std::to_string(op.id.value) + " of the schedule";
}

/// Rounded out to whole pages.
ByteRange in_pages(ByteRange range) {
    return {ByteOffset{range.begin.value / kPageSize * kPageSize},
            ByteOffset{(range.end.value + kPageSize - 1) / kPageSize * kPageSize}};
}

} // namespace

ScheduleRunner::ScheduleRunner(const mmapstress::Schedule& schedule, Predictor& predictor)
    : schedule_(schedule), predictor_(predictor) {}

std::optional<std::string> ScheduleRunner::refusal() const {
    const std::uint32_t most = kChild.value / mmapstress::kMapsPerFile;
    if (schedule_.header.processes > most) {
        return "the schedule has " + std::to_string(schedule_.header.processes) +
               " processes; the model knows at most " + std::to_string(most);
    }
    const auto unknown = std::ranges::find_if_not(schedule_.ops, is_modelled, &Op::kind);
    if (unknown != schedule_.ops.end()) {
        return "the model does not know the operation " + name_and_number(*unknown);
    }
    if (predictor_.sizes_are_fixed()) {
        const auto impossible = std::ranges::find_if(schedule_.ops, [&](const Op& op) {
            return changes_size(op.kind) ||
                   (op.kind == OpKind::write &&
                    op.range().end >
                        ByteOffset{schedule_.header.files.at(op.file.value).size.value});
        });
        if (impossible != schedule_.ops.end()) {
            return "the size of a block device does not change: it has no operation " +
                   name_and_number(*impossible);
        }
    }
    return std::nullopt;
}

void ScheduleRunner::start() {
    using mmapstress::Start;
    const mmapstress::Header& header = schedule_.header;
    const auto maps = std::size_t{header.processes} * mmapstress::kMapsPerFile;
    for (std::uint32_t i = 0; i < header.files.size(); ++i) {
        const mmapstress::FileSpec& spec = header.files[i];
        const bool written = spec.start == Start::written || spec.start == Start::written_fsync;
        const bool device = predictor_.sizes_are_fixed();
        const FileNumber file =
            predictor_.create(ByteOffset{written && !device ? 0 : spec.size.value});
        files_.push_back({file, std::vector<ByteRange>(maps)});
        predictor_.begin(OpNumber{0});
        if ((written || device) && spec.size.value > 0) {
            // A device cannot be made sparse: it is written over with zeros.
            std::vector<std::byte> bytes(spec.size.value);
            if (written) {
                fill_content(bytes, spec.content, header.seed, mmapstress::FileIndex{i},
                             mmapstress::OpId{0}, ByteOffset{0}, ByteOffset{0});
            }
            predictor_.write(file, ByteOffset{0}, bytes);
        }
        for (const Op& op : header.start_writes) {
            if (op.file.value == i) {
                predictor_.begin(number_of(op));
                predictor_.write(file, op.offset, bytes_of(op, op.offset));
            }
        }
        if (spec.start == Start::written_fsync || spec.start == Start::partial_fsync) {
            predictor_.touch_inode(file);
            predictor_.fsync(file, std::nullopt);
        }
    }
    if (header.workers() > 1) {
        predictor_.note_doubt("the schedule has " + std::to_string(header.workers()) +
                              " workers: their operations may overlap; taken one after another");
    }
}

MapNumber ScheduleRunner::map_of(const Op& op) const {
    const unsigned process = op.by.value / schedule_.header.threads;
    return MapNumber{
        static_cast<std::uint8_t>((process * mmapstress::kMapsPerFile) + op.map.value)};
}

/// The operation's range; all of the file if offset and length are left out.
ByteRange ScheduleRunner::whole_or_range(const Op& op) const {
    if (op.length.value == 0) {
        return {ByteOffset{0}, predictor_.size(files_.at(op.file.value).number)};
    }
    return op.range();
}

std::vector<std::byte> ScheduleRunner::bytes_of(const Op& op, ByteOffset offset) const {
    std::vector<std::byte> bytes(op.length.value);
    fill_content(bytes, op.content, schedule_.header.seed, op.file, op.id, offset, offset);
    return bytes;
}

/// mmap() of the range, or of all of the file if it is empty.
void ScheduleRunner::make_map(File& file, MapNumber map, ByteRange range) {
    const ByteRange all{ByteOffset{0}, predictor_.size(file.number)};
    file.maps.at(map.value) = in_pages(range.empty() ? all : range);
}

void ScheduleRunner::drop_map(File& file, MapNumber map) {
    if (!file.maps.at(map.value).empty()) {
        predictor_.unmap(file.number, map);
        file.maps.at(map.value) = {};
    }
}

/// unmap and remap are followed by every process.
void ScheduleRunner::drop_map_everywhere(const Op& op, File& file) {
    for (std::uint8_t map = op.map.value; map < file.maps.size();
         map = static_cast<std::uint8_t>(map + mmapstress::kMapsPerFile)) {
        drop_map(file, MapNumber{map});
    }
}

void ScheduleRunner::drop_maps(File& file) {
    for (std::uint8_t map = 0; map < file.maps.size(); ++map) {
        drop_map(file, MapNumber{map});
    }
}

/// Makes a mapping of all of the file if there is none, or if the present one does not cover
/// `range`.
MapNumber ScheduleRunner::mapped(File& file, MapNumber map, ByteRange range) {
    const ByteRange covered = file.maps.at(map.value);
    if (covered.empty() || intersect(covered, range) != range) {
        drop_map(file, map);
        make_map(file, map, {});
    }
    return map;
}

/// The range that the mapping covers. If there is none, it is made first, of all of the file.
ByteRange ScheduleRunner::covered_by(File& file, MapNumber map) {
    if (file.maps.at(map.value).empty()) {
        make_map(file, map, {});
    }
    return file.maps.at(map.value);
}

void ScheduleRunner::fork_store(const Op& op, File& file) {
    mapped(file, map_of(op), op.range());
    predictor_.store(file.number, kChild, op.offset, bytes_of(op, op.offset));
    predictor_.child_exits(file.number, kChild);
}

void ScheduleRunner::drop_from_cache(File& file) {
    constexpr int kAttempts = 20;
    drop_maps(file);
    for (int i = 0; i < kAttempts && !predictor_.evict(file.number); ++i) {
        predictor_.fsync(file.number, std::nullopt);
    }
}

/// The operations that go through a mapping.
void ScheduleRunner::apply_mapped(const Op& op, File& file) {
    const MapNumber map = map_of(op);
    switch (op.kind) {
    case OpKind::store:
        predictor_.store(file.number, mapped(file, map, op.range()), op.offset,
                         bytes_of(op, op.offset));
        break;
    case OpKind::fork_store:
        fork_store(op, file);
        break;
    case OpKind::read_fault: {
        const ByteRange byte{op.offset, ByteOffset{op.offset.value + 1}};
        predictor_.read_fault(file.number, mapped(file, map, byte), byte);
        break;
    }
    case OpKind::live_check: {
        const ByteRange range = whole_or_range(op);
        if (!range.empty()) {
            predictor_.read_fault(file.number, mapped(file, map, range), range);
        }
        break;
    }
    case OpKind::msync:
    case OpKind::msync_async: {
        ByteRange range = in_pages(op.range());
        if (op.length.value != 0) {
            mapped(file, map, range);
        } else {
            range = covered_by(file, map);
        }
        if (op.kind == OpKind::msync) {
            predictor_.msync(file.number, map, range, op.commits);
        } else {
            predictor_.msync_async(file.number, map, range);
        }
        break;
    }
    case OpKind::madvise_dontneed:
        predictor_.drop_ptes(file.number, mapped(file, map, op.range()), op.range());
        break;
    case OpKind::map:
        if (file.maps.at(map.value).empty()) {
            make_map(file, map, op.range());
        }
        break;
    case OpKind::mprotect:
        covered_by(file, map);
        break;
    case OpKind::unmap:
        drop_map_everywhere(op, file);
        break;
    case OpKind::remap:
        drop_map_everywhere(op, file);
        make_map(file, map, {});
        break;
    default:
        break;
    }
}

/// On a block device, syncfs(2) syncs the filesystem that has the device's node (measured on 6.12).
void ScheduleRunner::syncfs() {
    if (!predictor_.sizes_are_fixed()) {
        predictor_.sync();
    }
}

void ScheduleRunner::apply(const Op& op) {
    predictor_.begin(number_of(op));
    if (traits_of(op.kind).has_map) {
        apply_mapped(op, file_of(op));
        return;
    }
    switch (op.kind) {
    case OpKind::start_write:
    case OpKind::write:
        predictor_.write(file_of(op).number, op.offset, bytes_of(op, op.offset));
        break;
    case OpKind::append: {
        const ByteOffset end = predictor_.size(file_of(op).number);
        predictor_.write(file_of(op).number, end, bytes_of(op, end));
        break;
    }
    case OpKind::truncate:
        predictor_.truncate(file_of(op).number, ByteOffset{op.length.value});
        break;
    case OpKind::punch:
        predictor_.punch(file_of(op).number, op.range());
        break;
    case OpKind::fsync:
    case OpKind::fdatasync:
        predictor_.fsync(file_of(op).number, op.commits);
        break;
    case OpKind::sync_file_range:
        predictor_.sync_file_range(file_of(op).number, op.range(), SyncRangeFlags{});
        break;
    case OpKind::commit:
        if (schedule_.header.commit_by == mmapstress::CommitBy::sibling) {
            predictor_.commit();
        } else if (schedule_.header.commit_by == mmapstress::CommitBy::sync) {
            predictor_.sync();
        } else {
            syncfs();
        }
        break;
    case OpKind::sync:
        syncfs();
        break;
    case OpKind::evict:
        predictor_.touch_inode(file_of(op).number);
        predictor_.fsync(file_of(op).number, std::nullopt);
        drop_from_cache(file_of(op));
        break;
    case OpKind::direct_read_check:
        predictor_.direct_read(file_of(op).number, whole_or_range(op));
        break;
    case OpKind::fchmod:
        predictor_.touch_inode(file_of(op).number);
        break;
    case OpKind::read_check:
        predictor_.cached_read(file_of(op).number, whole_or_range(op));
        break;
    case OpKind::pause:
    default:
        break; // changes nothing that matters to what reaches the disk
    }
}

void ScheduleRunner::end() {
    const mmapstress::Schedule& schedule = schedule_;
    predictor_.begin(OpNumber{schedule.ops.empty() ? 0 : schedule.ops.back().id.value + 1});
    for (File& file : files_) {
        predictor_.touch_inode(file.number);
        if (schedule.header.end == mmapstress::End::fsync_munmap_fsync) {
            predictor_.fsync(file.number, std::nullopt);
        }
        drop_maps(file);
        predictor_.fsync(file.number, std::nullopt);
    }
}

void ScheduleRunner::evict() {
    for (File& file : files_) {
        drop_from_cache(file);
    }
}

std::expected<Prediction, std::string> predict(const mmapstress::Schedule& schedule,
                                               Predictor& predictor) {
    ScheduleRunner runner(schedule, predictor);
    if (auto why = runner.refusal()) {
        return std::unexpected(*why);
    }
    runner.start();
    for (const Op& op : schedule.ops) {
        runner.apply(op);
    }
    runner.end();
    runner.evict();
    return Prediction{predictor.damage(), predictor.doubts()};
}

} // namespace vmmodel
