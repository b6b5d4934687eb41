#include "tools/mmapstress/verify/verifier.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/busy.hpp"
#include "tools/mmapstress/system/fault_guard.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/mmapstress/verify/holes.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>

namespace mmapstress {

namespace {

/// Bytes read at once: few enough to stay in the processor's cache until they are compared.
constexpr std::size_t kChunk = 256U << 10U;

} // namespace

Verifier::Verifier(const Expected& expected, Collector& collector,
                   std::function<void(const Progress&)> progress)
    : expected_(expected), collector_(collector), progress_(std::move(progress)), buffer_(kChunk) {
    told_.phase = Progress::Phase::verifying;
}

void Verifier::expect_stages(std::uint64_t stages) {
    for (std::uint32_t i = 0; i < expected_.files(); ++i) {
        told_.total += stages * expected_.size(FileIndex{i}).value;
    }
}

void Verifier::tell(std::uint64_t bytes) {
    stage_bytes_ += bytes;
    told_.bytes += bytes;
    if (progress_) {
        progress_(told_);
    }
}

void Verifier::compare_chunk(FileIndex file, ByteOffset at, std::span<const std::byte> chunk) {
    expected_.compare(file, at, chunk, [&](ByteRange range, Writer writer) {
        if (excused_ == nullptr) {
            sort_out(file, range, writer, at, chunk);
            return;
        }
        excused_->refuse(file, range, chunk.subspan((range.begin - at).value, range.size().value),
                         [&](ByteRange part) { collector_.wrong(file, part, writer, at, chunk); });
    });
    tell(chunk.size());
}

void Verifier::sort_out(FileIndex file, ByteRange range, Writer writer, ByteOffset at,
                        std::span<const std::byte> chunk) {
    const auto found = chunk.subspan((range.begin - at).value, range.size().value);
    const auto wrong = [&](ByteOffset end) {
        if (range.begin < end) {
            collector_.wrong(file, {range.begin, end}, writer, at, chunk);
        }
    };
    const ByteRange whole = range;
    expected_.stored_past_eof(file, whole.begin, found, [&](ByteRange part, Writer stored) {
        wrong(part.begin);
        collector_.past_eof(file, part, writer, stored.id);
        range.begin = part.end;
    });
    wrong(whole.end);
}

bool Verifier::is_unreadable(FileIndex file, int error) const {
    const bool medium = error == EIO || error == EUCLEAN || error == EBADMSG || error == ENODATA;
    return medium && expect_readable_ && (excused_ == nullptr || excused_->is_synced(file));
}

void Verifier::without_bytes(FileIndex file, ByteRange range, DamageKind kind) {
    expected_.blame(file, range, [&](ByteRange part, Writer writer) {
        collector_.without_bytes(file, part, writer, kind);
    });
    tell(range.size().value);
}

void Verifier::compare_gone(FileIndex file) {
    without_bytes(file, all(file), DamageKind::missing);
}

void Verifier::pass_over(std::uint64_t bytes) {
    stage_holes_ += bytes;
    tell(bytes);
}

Outcome<> Verifier::compare_fd(FileIndex file, int fd, ByteRange range, const std::string& path) {
    // Reads begin at a page boundary: O_DIRECT accepts no others.
    const ByteOffset wanted = range.begin;
    range.begin.value = range.begin.value / kPageSize * kPageSize;
    HoleFinder holes(expected_, file, fd, trust_holes_);
    ByteOffset page_by_page; // up to here, as reading a chunk failed: maybe not all of its pages do
    while (!range.empty()) {
        const ByteOffset next = holes.next_to_read(range);
        pass_over((next - range.begin).value);
        range.begin = next;
        if (range.empty()) {
            break;
        }
        const std::uint64_t step = range.begin < page_by_page ? kPageSize : kChunk;
        const std::uint64_t length = std::min<std::uint64_t>(step, range.size().value);
        const Busy busy(Activity::reading, file);
        const std::uint64_t aligned = (length + kPageSize - 1) / kPageSize * kPageSize;
        const auto got = read_bytes(fd, buffer_.bytes().first(aligned), range.begin, path);
        if (!got && !is_unreadable(file, got.error().error)) {
            return std::unexpected(got.error());
        }
        if (!got && step != kPageSize) {
            page_by_page = range.begin + ByteCount{length};
            continue;
        }
        const ByteRange part{std::max(wanted, range.begin), range.begin + ByteCount{length}};
        const std::size_t useful = got ? std::min<std::size_t>(*got, length) : 0;
        const std::size_t skip = (part.begin - range.begin).value;
        if (useful > skip) {
            compare_chunk(file, part.begin, buffer_.bytes().subspan(skip, useful - skip));
        }
        if (!got) {
            without_bytes(file, part, DamageKind::unreadable);
        } else if (useful < length) {
            without_bytes(file, {std::max(wanted, range.begin + ByteCount{useful}), range.end},
                          DamageKind::missing);
            return {};
        }
        range.begin.value += length;
    }
    return {};
}

Outcome<> Verifier::compare_mapping(FileIndex file, int fd, std::span<const std::byte> mapped,
                                    ByteOffset offset, const std::string& path) {
    HoleFinder holes(expected_, file, fd, trust_holes_);
    while (!mapped.empty()) {
        const ByteOffset next = holes.next_to_read({offset, offset + ByteCount{mapped.size()}});
        const std::uint64_t hole = (next - offset).value;
        pass_over(hole);
        offset = next;
        mapped = mapped.subspan(hole);
        const std::span<const std::byte> from = mapped.first(std::min(kChunk, mapped.size()));
        const std::span<std::byte> to = buffer_.bytes().first(from.size());
        const Busy busy(Activity::reading, file);
        // Copied first: comparing allocates memory, and so must not be cut short by a fault.
        if (!guarded([&] { std::ranges::copy(from, to.begin()); })) {
            return refused("SIGBUS: " + path + " at " + std::to_string(offset.value) +
                           " when its mapping was read");
        }
        compare_chunk(file, offset, to);
        mapped = mapped.subspan(from.size());
        offset.value += from.size();
    }
    return {};
}

Outcome<> Verifier::check_length(FileIndex file, int fd, const std::string& path) {
    struct stat found{};
    if (::fstat(fd, &found) != 0) {
        return failed("cannot get the size of " + path);
    }
    const ByteOffset want{expected_.size(file).value};
    const ByteOffset end{static_cast<std::uint64_t>(found.st_size)};
    // If the file is far too long, the first page is enough.
    const ByteOffset shown = std::min(end, start_of(PageIndex{page_of(want).value + 1}));
    if (shown <= want) {
        return {};
    }
    const std::span<std::byte> bytes = buffer_.bytes().first((shown - want).value);
    const auto got = TRY(read_bytes(fd, bytes, want, path));
    if (got != 0) {
        collector_.wrong(file, {want, want + ByteCount{got}}, Writer{OpId{0}, true}, want,
                         bytes.first(got));
    }
    return {};
}

void Verifier::stage(Stage stage, StageResult& result,
                     const std::function<Outcome<>(FileIndex)>& check) {
    const auto begin = std::chrono::steady_clock::now();
    collector_.begin(stage);
    stage_bytes_ = 0;
    stage_holes_ = 0;
    result.state = StageResult::State::checked;
    for (std::uint32_t i = 0; i < expected_.files(); ++i) {
        if (const auto checked = check(FileIndex{i}); !checked) {
            result.state = StageResult::State::failed;
            result.reason = checked.error().message();
            break;
        }
    }
    result.bytes = stage_bytes_;
    result.holes = stage_holes_;
    result.stored = 0;
    for (std::uint32_t i = 0; i < expected_.files(); ++i) {
        result.stored += expected_.stored(FileIndex{i}).value;
    }
    result.wrong = collector_.wrong_bytes(stage);
    result.ranges = collector_.ranges(stage);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace mmapstress
