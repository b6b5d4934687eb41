#include "tools/mmapstress/verify/expected.hpp"

#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/pattern.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace mmapstress {

namespace {

// Versions: 0 is zeros; with the top bit clear, the pattern of operation (version - 1); with the
// top bit set, the special version of that number.
constexpr Version kZeros{0};
constexpr std::uint32_t kSpecial = 0x80000000U;

/// Bytes made and compared at once; they stay in the fastest cache.
constexpr std::size_t kPiece = 8192;

} // namespace

Expected::Expected(const Header& header) : seed_(header.seed), files_(header.files.size()) {
    for (std::uint32_t i = 0; i < header.files.size(); ++i) {
        const FileSpec& spec = header.files[i];
        files_[i].size = spec.size;
        if (spec.start == Start::written || spec.start == Start::written_fsync) {
            write(FileIndex{i}, {ByteOffset{0}, ByteOffset{spec.size.value}}, OpId{0},
                  ByteOffset{0}, spec.content);
        }
    }
    for (const Op& op : header.start_writes) {
        apply(op);
    }
}

void Expected::write(FileIndex file, ByteRange range, OpId id, ByteOffset offset,
                     const Content& content) {
    Version version{static_cast<std::uint32_t>(id.value + 1)};
    if (content.kind != ContentKind::pattern || id.value >= kSpecial - 1) {
        version.value = kSpecial | static_cast<std::uint32_t>(specials_.size());
        specials_.push_back({id, offset, content});
    }
    files_[file.value].map.assign(range, version);
}

void Expected::apply(const Op& op) {
    const OpTraits& traits = traits_of(op.kind);
    if (!traits.has_file) {
        return;
    }
    File& file = files_[op.file.value];
    const ByteRange changed = changed_bytes(op, file.size);
    if (takes_bytes_away(op)) {
        file.map.assign(changed, kZeros);
    } else if (op.kind == OpKind::append) {
        write(op.file, changed, op.id, changed.begin, op.content);
    } else if (!changed.empty()) {
        // A gap between the file's end and what is written is zeros already.
        const ByteRange written = intersect(changed, op.range());
        write(op.file, written, op.id, op.offset, op.content);
    }
    file.size = size_after(op, file.size);
}

void Expected::put(const Op& op, ByteRange part) {
    if (traits_of(op.kind).has_content) {
        write(op.file, part, op.id, op.offset, op.content);
    } else {
        files_[op.file.value].map.assign(part, kZeros);
    }
}

Writer Expected::writer_of(Version version) const {
    if (version == kZeros) {
        return {OpId{0}, true};
    }
    if ((version.value & kSpecial) != 0) {
        return {specials_[version.value & ~kSpecial].id, false};
    }
    return {OpId{version.value - 1U}, false};
}

void Expected::fill_version(FileIndex file, Version version, ByteOffset offset,
                            std::span<std::byte> out) const {
    if (version == kZeros) {
        std::ranges::fill(out, std::byte{0});
    } else if ((version.value & kSpecial) != 0) {
        const Special& special = specials_[version.value & ~kSpecial];
        fill_content(out, special.content, seed_, file, special.id, special.offset, offset);
    } else {
        fill_pattern(out, seed_, file, OpId{version.value - 1U}, offset);
    }
}

void Expected::fill(FileIndex file, ByteOffset offset, std::span<std::byte> out) const {
    files_[file.value].map.visit(
        {offset, offset + ByteCount{out.size()}}, [&](ByteRange piece, Version version) {
            fill_version(file, version, piece.begin,
                         out.subspan((piece.begin - offset).value, piece.size().value));
        });
}

void Expected::compare(FileIndex file, ByteOffset offset, std::span<const std::byte> found,
                       const Sink& sink) const {
    std::array<std::byte, kPiece> buffer; // NOLINT: filled before it is read
    const auto compare_piece = [&](ByteRange piece, Version version) {
        const std::span<const std::byte> have =
            found.subspan((piece.begin - offset).value, piece.size().value);
        const std::span<std::byte> want = std::span(buffer).first(have.size());
        fill_version(file, version, piece.begin, want);
        if (std::memcmp(want.data(), have.data(), have.size()) == 0) {
            return;
        }
        for (std::size_t i = 0; i < have.size(); ++i) {
            if (have[i] == want[i]) {
                continue;
            }
            const std::size_t first = i;
            while (i < have.size() && have[i] != want[i]) {
                ++i;
            }
            sink({piece.begin + ByteCount{first}, piece.begin + ByteCount{i}}, writer_of(version));
        }
    };
    files_[file.value].map.visit(
        {offset, offset + ByteCount{found.size()}}, [&](ByteRange range, Version version) {
            while (!range.empty()) {
                // Pieces end on multiples of their size, so that a run is cut there at most, and
                // never inside a page.
                const std::uint64_t border = (range.begin.value / kPiece + 1) * kPiece;
                const ByteRange piece{range.begin, std::min(range.end, ByteOffset{border})};
                compare_piece(piece, version);
                range.begin = piece.end;
            }
        });
}

void Expected::blame(FileIndex file, ByteRange range, const Sink& sink) const {
    files_[file.value].map.visit(
        range, [&](ByteRange piece, Version version) { sink(piece, writer_of(version)); });
}

ByteCount Expected::stored(FileIndex file) const {
    ByteCount bytes;
    blame(file, {ByteOffset{0}, ByteOffset{size(file).value}}, [&](ByteRange piece, Writer writer) {
        bytes.value += writer.id.value != 0 ? piece.size().value : 0;
    });
    return bytes;
}

std::size_t Expected::memory() const {
    std::size_t bytes = specials_.capacity() * sizeof(Special);
    for (const File& file : files_) {
        bytes += file.map.memory();
    }
    return bytes;
}

} // namespace mmapstress
