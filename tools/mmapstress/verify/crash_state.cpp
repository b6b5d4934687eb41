#include "tools/mmapstress/verify/crash_state.hpp"

#include "tools/schedule/durability.hpp"
#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/op_walker.hpp"
#include "tools/schedule/pattern.hpp"

#include <algorithm>
#include <limits>

namespace mmapstress {

namespace {

constexpr std::uint64_t kStretch = 65536;

/// Of File::unknown.
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

/// Which operations were certainly carried out before `op` was begun: those below the result.
OpId begun_after(const Op& op, const Header& header, const RunProgress& progress) {
    if (header.workers() == 1) {
        return op.id;
    }
    // Several workers: only where all had come together is their order known.
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

CrashState::CrashState(const OpSourceFactory& factory, const RunProgress& progress)
    : files_(factory()->header().files.size()), synced_(emptied(factory()->header())) {
    find_bounds(factory, progress);
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
            take_size(*op, size);
            files_[op->file.value].unknown.assign(changed, kUnknown);
        } else if (takes_bytes_away(*op)) {
            take(*op, changed, size);
        } else if (traits_of(op->kind).has_content) {
            take(*op, intersect(changed, op->range()), size); // without the gap before it
            if (traits_of(op->kind).has_map && end < op->range().end) {
                // If the file has grown since, these bytes may have appeared.
                excuse(*op, {std::max(op->offset, end), op->range().end});
            }
        }
    }
}

void CrashState::find_bounds(const OpSourceFactory& factory, const RunProgress& progress) {
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
    // A mapping that is not of all of the file is synced for its own part only.
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
        const Durable durable = durable_after(*op, header.commit_by);
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

void CrashState::excuse(const Op& op, ByteRange range) {
    File& file = files_[op.file.value];
    const auto index = static_cast<std::uint32_t>(file.later.size());
    file.later.push_back({range, op.id, op.offset, !traits_of(op.kind).has_content, op.content});
    for (std::uint64_t at = range.begin.value / kStretch; at * kStretch < range.end.value; ++at) {
        file.at[at].push_back(index);
    }
}

void CrashState::take(const Op& op, ByteRange range, ByteCount size) {
    take_size(op, size);
    if (range.empty()) {
        return;
    }
    File& file = files_[op.file.value];
    file.further.visit(range, [&](ByteRange part, Version further) {
        if (op.id < std::max(file.bound, bounds_[further.value])) {
            synced_.put(op, part);
            file.unknown.assign(part, kKnown);
            return;
        }
        excuse(op, part);
    });
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
            bytes.assign(part.size().value, std::byte{0});
            if (!later.zeros) {
                fill_content(bytes, later.content, synced_.seed(), file, later.id, later.offset,
                             part.begin);
            }
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
