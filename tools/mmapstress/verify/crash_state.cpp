#include "tools/mmapstress/verify/crash_state.hpp"

#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/op_walker.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace mmapstress {

namespace {

constexpr std::uint64_t kStretch = 65536;

/// If bytes with more possible versions than this are moved, their new place becomes unknown.
constexpr std::size_t kMostMoved = 4096;

/// The values in File::unknown.
constexpr Version kKnown{0};
constexpr Version kUnknown{1};

/// The same files, all new and empty.
Header emptied(Header header) {
    for (FileSpec& file : header.files) {
        file.size = ByteCount{0};
        file.start = Start::sparse;
        file.content = {};
    }
    header.start_writes.clear();
    return header;
}

/// The operations with ids below the result were certainly carried out before `op` was begun.
OpId begun_after(const Op& op, const Header& header, const RunProgress& progress) {
    if (header.workers() == 1) {
        return op.id;
    }
    // Several workers: their order is known only at the moments at which all had met.
    const auto next = std::ranges::lower_bound(progress.done, op.id);
    return next == progress.done.begin() ? OpId{1} : OpId{std::prev(next)->value + 1};
}

/// The files' sizes as the walk begins.
std::vector<ByteCount> first_sizes(const OpWalker& walker) {
    std::vector<ByteCount> sizes(walker.header().files.size());
    for (std::uint32_t i = 0; i < sizes.size(); ++i) {
        sizes[i] = walker.size(FileIndex{i});
    }
    return sizes;
}

} // namespace

CrashState::CrashState(const OpSourceFactory& factory, const RunProgress& progress,
                       SyncReaches sync)
    : files_(factory()->header().files.size()), synced_(emptied(factory()->header())) {
    find_bounds(factory, progress, sync);
    OpWalker walker(factory());
    start(walker.header());
    std::vector<ByteCount> sizes = first_sizes(walker);
    for (const Op* op = walker.next(); op != nullptr && op->id <= progress.begun;
         op = walker.next()) {
        if (!traits_of(op->kind).has_file) {
            continue;
        }
        ByteCount& size = sizes[op->file.value];
        const ByteCount before = size;
        size = walker.size(op->file);
        const ByteRange changed = changed_bytes(*op, before);
        const ByteOffset end{before.value};
        if (moves_bytes(*op)) {
            take_move(*op, before, size);
        } else if (takes_bytes_away(*op)) {
            take(*op, changed, size);
        } else if (traits_of(op->kind).has_content) {
            take(*op, intersect(changed, op->range()), size); // without the gap before it
            if (traits_of(op->kind).has_map && end < op->range().end) {
                // If the file has grown since, these bytes may have appeared.
                excuse(op->file, {{std::max(op->offset, end), op->range().end},
                                  synced_.version_of(*op),
                                  /*past_eof=*/true});
            }
        }
    }
}

void CrashState::find_bounds(const OpSourceFactory& factory, const RunProgress& progress,
                             SyncReaches reaches) {
    OpWalker walker(factory());
    const Header& header = walker.header();
    for (std::uint32_t i = 0; i < files_.size(); ++i) {
        const Start how = header.files[i].start;
        if (how == Start::written_fsync || how == Start::partial_fsync) {
            files_[i].bound =
                OpId{header.start_writes.empty() ? 1 : header.start_writes.back().id.value + 1};
        }
    }
    const auto sync = [&](File& file, OpId bound) { file.bound = std::max(file.bound, bound); };
    // An msync of a mapping that does not cover all of the file syncs only a part of the file.
    std::vector<bool> mapped_in_pieces(files_.size());
    const std::vector<ByteCount> sizes = first_sizes(walker);
    const OpId last = progress.last_done();
    for (const Op* op = walker.next(); op != nullptr && op->id <= last; op = walker.next()) {
        const bool has_file = traits_of(op->kind).has_file;
        if (has_file) {
            const bool piece = op->kind == OpKind::map && op->length.value != 0;
            if (piece || walker.size(op->file) != sizes[op->file.value]) {
                mapped_in_pieces[op->file.value] = true;
            }
        }
        const Durable durable = durable_after(*op, header.commit_by, reaches);
        if (durable == Durable::nothing) {
            continue;
        }
        const OpId bound = begun_after(*op, header, progress);
        if (durable == Durable::file) {
            sync(files_[op->file.value], bound);
        } else if (durable == Durable::all_files) {
            std::ranges::for_each(files_, [&](File& file) { sync(file, bound); });
        } else if (op->length.value != 0 || !mapped_in_pieces[op->file.value]) {
            const ByteRange all{ByteOffset{0}, ByteOffset{walker.size(op->file).value}};
            bounds_.push_back(bound);
            files_[op->file.value].further.assign(
                whole_pages(op->length.value == 0 ? all : op->range()),
                Version{static_cast<std::uint32_t>(bounds_.size() - 1)});
        }
    }
    if (progress.ended) {
        std::ranges::for_each(files_, [&](File& file) { sync(file, OpId{last.value + 1}); });
    }
}

void CrashState::start(const Header& header) {
    for (std::uint32_t i = 0; i < files_.size(); ++i) {
        const FileSpec& spec = header.files[i];
        Op op;
        op.file = FileIndex{i};
        op.length = spec.size;
        if (spec.start == Start::written || spec.start == Start::written_fsync) {
            op.kind = OpKind::write;
            op.content = spec.content;
            take(op, op.range(), spec.size);
        } else {
            op.kind = OpKind::truncate;
            take(op, {}, spec.size);
        }
    }
    std::vector<ByteCount> sizes(header.files.size());
    std::ranges::transform(header.files, sizes.begin(), &FileSpec::size);
    for (const Op& op : header.start_writes) {
        ByteCount& size = sizes[op.file.value];
        size.value = std::max(size.value, op.range().end.value);
        take(op, op.range(), size);
    }
}

void CrashState::take_size(const Op& op, ByteCount size) {
    File& file = files_[op.file.value];
    if (op.id < file.bound) {
        synced_.set_size(op.file, size);
        file.smallest = file.largest = size;
    } else {
        file.smallest = std::min(file.smallest, size);
        file.largest = std::max(file.largest, size);
    }
}

void CrashState::excuse(FileIndex file, const Later& later) {
    File& of = files_[file.value];
    const auto index = static_cast<std::uint32_t>(of.later.size());
    of.later.push_back(later);
    const ByteRange range = later.range;
    for (std::uint64_t at = range.begin.value / kStretch; at * kStretch < range.end.value; ++at) {
        of.at[at].push_back(index);
    }
}

template <typename Visit>
void CrashState::visit_bounds(const Op& op, ByteRange range, Visit visit) const {
    const File& file = files_[op.file.value];
    file.further.visit(range, [&](ByteRange part, Version further) {
        visit(part, op.id < std::max(file.bound, bounds_[further.value]));
    });
}

void CrashState::take(const Op& op, ByteRange range, ByteCount size) {
    take_size(op, size);
    if (range.empty()) {
        return;
    }
    const Version version = synced_.version_of(op);
    visit_bounds(op, range, [&](ByteRange part, bool synced) {
        if (synced) {
            synced_.put(op.file, part, version);
            files_[op.file.value].unknown.assign(part, kKnown);
        } else {
            excuse(op.file, {part, version});
        }
    });
}

std::vector<CrashState::Later> CrashState::all_of(FileIndex file, ByteRange range) const {
    std::vector<Later> all;
    synced_.visit(file, range,
                  [&](ByteRange piece, Version version) { all.push_back({piece, version}); });
    const File& of = files_[file.value];
    // A range that touches several stretches has its index in each; it is needed once.
    std::set<std::uint32_t> indexes;
    for (std::uint64_t at = range.begin.value / kStretch; at * kStretch < range.end.value; ++at) {
        if (const auto here = of.at.find(at); here != of.at.end()) {
            indexes.insert(here->second.begin(), here->second.end());
        }
    }
    for (const std::uint32_t index : indexes) {
        const Later& later = of.later[index];
        if (const ByteRange part = intersect(later.range, range); !part.empty()) {
            all.push_back({part, later.version, later.past_eof});
        }
    }
    return all;
}

void CrashState::take_move(const Op& op, ByteCount before, ByteCount after) {
    const Move move = move_of(op, before);
    const ByteRange changed = changed_bytes(op, before);
    const ByteRange moved_to{move.to, move.to + move.bytes.size()};
    const std::uint64_t shift = move.to.value - move.bytes.begin.value;
    const auto there = [&](ByteRange range) {
        return ByteRange{ByteOffset{range.begin.value + shift},
                         ByteOffset{range.end.value + shift}};
    };
    std::vector<Later> all = all_of(move.source, move.bytes);
    for (Later& one : all) {
        one.range = there(one.range);
        one.version = synced_.moved(one.version, move.source, op.file, shift);
    }
    std::vector<ByteRange> unknown;
    files_[move.source.value].unknown.visit(move.bytes, [&](ByteRange part, Version version) {
        if (version == kUnknown) {
            unknown.push_back(there(part));
        }
    });
    // The gap that an insert opens, and the end that a collapse leaves. The gap before a copy past
    // the end is zeros already.
    if (op.kind == OpKind::insert) {
        take(op, {changed.begin, moved_to.begin}, after);
    } else if (op.kind == OpKind::collapse) {
        take(op, {moved_to.end, changed.end}, after);
    } else {
        take_size(op, after);
    }
    File& file = files_[op.file.value];
    visit_bounds(op, moved_to, [&](ByteRange part, bool synced) {
        if (synced) {
            file.unknown.assign(part, kKnown);
        }
        if (!synced && all.size() > kMostMoved) {
            file.unknown.assign(part, kUnknown);
            return;
        }
        for (const Later& one : all) {
            const ByteRange here = intersect(one.range, part);
            if (here.empty()) {
                continue;
            }
            if (synced && !one.past_eof) {
                synced_.put(op.file, here, one.version);
            } else {
                excuse(op.file, {here, one.version, one.past_eof});
            }
        }
    });
    for (const ByteRange& range : unknown) {
        file.unknown.assign(range, kUnknown);
    }
}

std::uint64_t CrashState::synced_bytes() const {
    std::uint64_t bytes = 0;
    for (const File& file : files_) {
        if (file.bound.value != 0) {
            bytes += file.smallest.value;
            continue;
        }
        file.further.visit({ByteOffset{0}, ByteOffset{file.largest.value}},
                           [&](ByteRange part, Version further) {
                               bytes += further.value == 0 ? 0 : part.size().value;
                           });
    }
    return bytes;
}

void CrashState::settle(FileIndex file, ByteCount found) {
    const File& of = files_[file.value];
    synced_.set_size(file, std::clamp(found, of.smallest, of.largest));
}

void CrashState::refuse(FileIndex file, ByteRange range, std::span<const std::byte> found,
                        const std::function<void(ByteRange)>& sink) const {
    const File& of = files_[file.value];
    std::vector<bool> refused(found.size(), true);
    of.unknown.visit(range, [&](ByteRange part, Version version) {
        if (version == kUnknown) {
            std::fill_n(refused.begin() +
                            static_cast<std::ptrdiff_t>((part.begin - range.begin).value),
                        part.size().value, false);
        }
    });
    std::vector<std::byte> bytes;
    for (std::uint64_t at = range.begin.value / kStretch; at * kStretch < range.end.value; ++at) {
        const auto here = of.at.find(at);
        if (here == of.at.end()) {
            continue;
        }
        for (const std::uint32_t index : here->second) {
            const Later& later = of.later[index];
            const ByteRange part = intersect(later.range, range);
            if (part.empty()) {
                continue;
            }
            bytes.resize(part.size().value);
            synced_.fill_version(file, later.version, part.begin, bytes);
            const std::uint64_t first = (part.begin - range.begin).value;
            for (std::size_t i = 0; i < bytes.size(); ++i) {
                if (bytes[i] == found[first + i]) {
                    refused[first + i] = false;
                }
            }
        }
    }
    for (std::size_t i = 0; i < refused.size(); ++i) {
        const std::size_t first = i;
        while (i < refused.size() && refused[i]) {
            ++i;
        }
        if (i != first) {
            sink({range.begin + ByteCount{first}, range.begin + ByteCount{i}});
        }
    }
}

} // namespace mmapstress
