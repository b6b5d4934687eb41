#include "fusefs/file/power_loss.hpp"

#include "fusefs/file/ledger_book.hpp"
#include "fusefs/file/left_out.hpp"
#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/trace/recorder.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace partialfs::file {

using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

namespace {

/// Appends the ranges in which `bytes` differ from SOURCE; all of them if SOURCE cannot be read.
void add_differing(FileParts& file, ByteOffset offset, std::span<const std::byte> bytes,
                   std::vector<ByteRange>& lost) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    std::ranges::copy(not_on_disk(file, offset, {&part, 1}), std::back_inserter(lost));
}

/// Enters the bytes in ledger and trace, joined where they overlap.
void enter(FileParts& file, std::string_view path, std::vector<ByteRange> lost) {
    if (lost.empty()) {
        return;
    }
    file.cut_took = true;
    const std::vector<ByteRange> all = model::joined(std::move(lost));
    file.context.ledger.cut(file.id, path, all);
    for (const ByteRange& range : all) {
        file.context.trace.record({.inode = file.id,
                                   .page_or_offset = range.begin.value,
                                   .length = range.size().value,
                                   .kind = trace::Kind::cut_took});
    }
}

} // namespace

bool lose_memory(FileParts& file, std::string_view path, std::span<const ByteRange> from_disk) {
    std::vector<ByteRange> lost(from_disk.begin(), from_disk.end());
    std::vector<Piece> pieces;
    ByteOffset size;
    {
        const base::Lock disk(file.disk);
        const FileLock lock(file);
        file.held.collect(model::kAllBytes, pieces);
        size = file.state.size();
        file.lock_abandon();
    }
    bool resized = false;
    if (!file.nameless) {
        for (const Piece& piece : pieces) {
            add_differing(file, piece.at, piece.bytes, lost);
        }
        enter(file, path, std::move(lost));
        const auto status = file.backing.status();
        const ByteOffset on_disk = status ? model::offset_of(status->st_size) : size;
        if (on_disk != size) {
            file.cut_took = true;
            resized = true;
            file.context.ledger.cut_size(file.id, path, {.was = size, .is = on_disk});
            file.context.trace.record({.inode = file.id,
                                       .page_or_offset = size.value,
                                       .length = on_disk.value,
                                       .kind = trace::Kind::cut_resized});
        }
    }
    file.losses.settle(path);
    file.backing.close();
    return resized;
}

void lose_pages(FileParts& file, ByteOffset offset, std::span<const std::byte> bytes) {
    if (file.nameless) {
        return;
    }
    std::vector<ByteRange> lost;
    add_differing(file, offset, bytes, lost);
    enter(file, file.context.ledger.path_of(file.id), std::move(lost));
}

} // namespace partialfs::file
