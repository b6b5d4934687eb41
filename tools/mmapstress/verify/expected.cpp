#include "tools/mmapstress/verify/expected.hpp"

#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/pattern.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace mmapstress {

namespace {

// Versions: 0 is zeros; with the top bit clear, the pattern of operation (version - 1); with the
// top bit set, the special version of that number.
constexpr Version kZeros{0};
constexpr std::uint32_t kSpecial = 0x80000000U;

constexpr ByteOffset kNoEnd{std::numeric_limits<std::int64_t>::max()};

/// Bytes of a std::map node beside its value.
constexpr std::size_t kMovedOverhead = 32;

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

Version Expected::version_of(FileIndex file, OpId id, ByteOffset offset, const Content& content) {
    if (content.kind == ContentKind::pattern && id.value < kSpecial - 1) {
        return Version{static_cast<std::uint32_t>(id.value + 1)};
    }
    specials_.push_back({id, offset, content, file});
    return Version{kSpecial | static_cast<std::uint32_t>(specials_.size() - 1)};
}

void Expected::write(FileIndex file, ByteRange range, OpId id, ByteOffset offset,
                     const Content& content) {
    files_[file.value].map.assign(range, version_of(file, id, offset, content));
}

Version Expected::moved(Version version, FileIndex from, FileIndex to, std::uint64_t shift) {
    if (version == kZeros) {
        return version;
    }
    Special special{OpId{version.value - 1U}, ByteOffset{0}, {}, from, shift, version};
    if ((version.value & kSpecial) != 0) {
        const Special& before = specials_[version.value & ~kSpecial];
        special = before;
        special.shift = before.shift + shift;
        special.first = before.first == kZeros ? version : before.first;
    }
    if (special.shift == 0 && special.file == to) {
        return special.first; // back where it was
    }
    const auto number = static_cast<std::uint32_t>(specials_.size());
    const auto [known, added] = moved_.try_emplace({special.file, special.first, special.shift},
                                                   Version{kSpecial | number});
    if (added) {
        specials_.push_back(std::move(special));
    }
    return known->second;
}

void Expected::move(VersionMap File::* which, const Op& op, const Move& move) {
    std::vector<std::pair<ByteRange, Version>> pieces;
    (files_[move.source.value].*which).visit(move.bytes, [&](ByteRange piece, Version version) {
        pieces.emplace_back(piece, version);
    });
    VersionMap& to = files_[op.file.value].*which;
    const std::uint64_t shift = move.to.value - move.bytes.begin.value;
    for (const auto& [piece, version] : pieces) {
        const ByteRange there{ByteOffset{piece.begin.value + shift},
                              ByteOffset{piece.end.value + shift}};
        to.assign(there, moved(version, move.source, op.file, shift));
    }
    const ByteRange changed = changed_bytes(op, files_[op.file.value].size);
    const ByteRange moved_to{move.to, move.to + move.bytes.size()};
    // The gap before the moved bytes, and the end that a collapse leaves, become zeros. The gap
    // before a copy past the end is zeros already; bytes that were stored there may appear now.
    if (!traits_of(op.kind).has_source) {
        to.assign({changed.begin, std::max(changed.begin, moved_to.begin)}, kZeros);
    }
    to.assign({std::min(moved_to.end, changed.end), changed.end}, kZeros);
}

void Expected::move(const Op& op) {
    const Move bytes = move_of(op, files_[op.file.value].size);
    move(&File::map, op, bytes);
    move(&File::past_eof, op, bytes);
}

void Expected::apply(const Op& op) {
    if (!traits_of(op.kind).has_file) {
        return;
    }
    File& file = files_[op.file.value];
    const ByteRange changed = changed_bytes(op, file.size);
    const ByteOffset end{file.size.value};
    if (moves_bytes(op)) {
        move(op);
    } else if (takes_bytes_away(op)) {
        file.map.assign(changed, kZeros);
        const ByteCount after = size_after(op, file.size);
        if (after < file.size) {
            file.past_eof.assign({changed.begin, kNoEnd}, kZeros); // zeroed with the last page
        } else if (after == file.size) {
            file.past_eof.assign(changed, kZeros);
        } // else bytes stored past the end may appear now
    } else if (traits_of(op.kind).has_content) {
        const bool appends = op.kind == OpKind::append;
        const Version version = version_of(op.file, op.id, appends ? end : op.offset, op.content);
        // A gap between the file's end and the written bytes is zeros already.
        const ByteRange written = appends ? changed : intersect(changed, op.range());
        file.map.assign(written, version);
        file.past_eof.assign(written, kZeros);
        if (traits_of(op.kind).has_map && op.range().end > end) {
            file.past_eof.assign({std::max(op.offset, end), op.range().end}, version);
        }
    }
    file.size = size_after(op, file.size);
}

Version Expected::version_of(const Op& op) {
    return traits_of(op.kind).has_content ? version_of(op.file, op.id, op.offset, op.content)
                                          : kZeros;
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
        fill_content(out, special.content, seed_, special.file, special.id, special.offset,
                     ByteOffset{offset.value - special.shift});
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
                // Pieces end at multiples of their size, so they never cut a run inside a page.
                const std::uint64_t border = (range.begin.value / kPiece + 1) * kPiece;
                const ByteRange piece{range.begin, std::min(range.end, ByteOffset{border})};
                compare_piece(piece, version);
                range.begin = piece.end;
            }
        });
}

void Expected::stored_past_eof(FileIndex file, ByteOffset offset, std::span<const std::byte> found,
                               const Sink& sink) const {
    std::vector<std::byte> stored;
    files_[file.value].past_eof.visit(
        {offset, offset + ByteCount{found.size()}}, [&](ByteRange piece, Version version) {
            if (version == kZeros) {
                return;
            }
            const std::size_t first = (piece.begin - offset).value;
            stored.resize(piece.size().value);
            fill_version(file, version, piece.begin, stored);
            for (std::size_t i = 0; i < stored.size(); ++i) {
                const std::size_t begin = i;
                while (i < stored.size() && stored[i] == found[first + i]) {
                    ++i;
                }
                if (i != begin) {
                    sink({piece.begin + ByteCount{begin}, piece.begin + ByteCount{i}},
                         writer_of(version));
                }
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
    bytes += moved_.size() * (sizeof(decltype(moved_)::value_type) + kMovedOverhead);
    for (const File& file : files_) {
        bytes += file.map.memory() + file.past_eof.memory();
    }
    return bytes;
}

} // namespace mmapstress
