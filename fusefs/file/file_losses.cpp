#include "fusefs/file/file_losses.hpp"

#include "fusefs/file/ledger_book.hpp"
#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/model/ledger.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace partialfs::file {

using base::Result;
using model::BlockInPage;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

bool FileLosses::still_any() {
    any_ = any_ && context_.ledger.has_open(inode_);
    return any_;
}

bool FileLosses::any_in(ByteRange range) const {
    return any_ && context_.ledger.has_open(inode_, range);
}

void FileLosses::pages_read(ByteRange range) {
    if (!any_ || range.empty()) {
        return;
    }
    for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
        if (any_in(range_of(page))) {
            const base::Lock lock(mutex_);
            reread_.insert(page);
        }
    }
}

void FileLosses::note(const PassedOver& passed, ByteOffset begin,
                      std::span<const std::byte> bytes) {
    const ByteRange here =
        intersect(range_of(passed.page), {begin, begin + ByteCount{bytes.size()}});
    const std::span<const std::byte> in_memory =
        bytes.subspan((here.begin - begin).value, here.size().value);
    std::array<std::byte, model::kPageSize> disk{};
    const std::span<std::byte> on_disk = std::span(disk).first(in_memory.size());
    const Result<void> compared = file_.read_image(here.begin, on_disk);
    if (!compared) {
        // Bytes that cannot be compared count as lost: the ledger may list too much, never too
        // little.
        spdlog::warn("{}: page {} was passed over, but its bytes on disk cannot be read: {}; the "
                     "ledger has all of them as lost",
                     context_.ledger.path_of(inode_), passed.page.value,
                     std::strerror(compared.error().value));
        context_.trace.record({.inode = inode_,
                               .page_or_offset = passed.page.value,
                               .error = compared.error().value,
                               .kind = trace::Kind::unverified,
                               .skipped = passed.blocks});
    } else if (std::memcmp(on_disk.data(), in_memory.data(), on_disk.size()) == 0) {
        return;
    }
    for (std::uint8_t i = 0; i < context_.settings.block_size.per_page(); ++i) {
        const BlockInPage in_page{i};
        const ByteRange block =
            intersect(here, context_.settings.block_size.range_of(passed.page, in_page));
        if (!passed.blocks.contains(in_page) || block.empty()) {
            continue;
        }
        const std::size_t at = (block.begin - here.begin).value;
        const std::vector<ByteRange> lost =
            compared ? model::differing_ranges(in_memory.subspan(at, block.size().value),
                                               on_disk.subspan(at, block.size().value), block.begin)
                     : std::vector{block};
        if (lost.empty()) {
            continue;
        }
        is_in_memory(passed.page);
        any_ = true;
        context_.ledger.passed_over(inode_, passed.cleaned_by[i], lost);
        for (const ByteRange& range : lost) {
            context_.trace.record({.inode = inode_,
                                   .page_or_offset = range.begin.value,
                                   .length = range.size().value,
                                   .commit = passed.cleaned_by[i],
                                   .kind = trace::Kind::lost});
        }
    }
}

void FileLosses::refused(ByteRange range, int error) {
    if (range.empty()) {
        return;
    }
    for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
        is_in_memory(page);
    }
    any_ = true;
    context_.ledger.refused(inode_, range, error);
    context_.trace.record({.inode = inode_,
                           .page_or_offset = range.begin.value,
                           .length = range.size().value,
                           .error = error,
                           .kind = trace::Kind::lost});
}

void FileLosses::refused_for_good(ByteOffset begin, std::span<const std::byte> bytes, int error) {
    std::array<std::byte, model::kPageSize> disk{};
    for (const PageIndex page : model::pages_of({begin, begin + ByteCount{bytes.size()}})) {
        const ByteRange here = intersect(range_of(page), {begin, begin + ByteCount{bytes.size()}});
        const std::span<std::byte> on_disk = std::span(disk).first(here.size().value);
        const auto in_memory = bytes.subspan((here.begin - begin).value, here.size().value);
        if (!file_.read_image(here.begin, on_disk)) {
            refused(here, error); // as note(): too much rather than too little
            continue;
        }
        for (const ByteRange& lost : model::differing_ranges(in_memory, on_disk, here.begin)) {
            refused(lost, error);
        }
    }
}

void FileLosses::left_out(std::span<const ByteRange> lost, int error, Held held) {
    if (lost.empty()) {
        return;
    }
    for (const ByteRange& range : lost) {
        for (const PageIndex page : pages_of(range)) {
            is_in_memory(page);
        }
    }
    any_ = true;
    if (held == Held::older) {
        const base::Lock lock(mutex_);
        older_held_.insert(older_held_.end(), lost.begin(), lost.end());
        older_held_ = model::joined(std::move(older_held_));
    }
    context_.ledger.left_out(inode_, lost, error);
    for (const ByteRange& range : lost) {
        context_.trace.record({.inode = inode_,
                               .page_or_offset = range.begin.value,
                               .length = range.size().value,
                               .error = error,
                               .kind = trace::Kind::lost});
    }
}

void FileLosses::left_out_size(model::LostSize size) {
    any_ = true;
    context_.ledger.left_out_size(inode_, size);
}

void FileLosses::replaced(ByteRange range) {
    if (any_) {
        const base::Lock lock(mutex_);
        older_held_ = model::without(older_held_, {&range, 1});
    }
}

void FileLosses::is_in_memory(PageIndex page) {
    if (!any_in(range_of(page))) {
        const base::Lock lock(mutex_);
        reread_.erase(page);
    }
}

std::vector<ByteRange> FileLosses::healed_by(ByteOffset begin, std::span<const iovec> parts) {
    std::vector<ByteRange> changed;
    if (!any_) {
        return changed;
    }
    std::array<std::byte, model::kPageSize> disk{};
    ByteOffset at = begin;
    for (const iovec& part : parts) {
        std::span<const std::byte> left{static_cast<const std::byte*>(part.iov_base), part.iov_len};
        while (!left.empty()) {
            const std::size_t size = std::min(left.size(), disk.size() - at.value % disk.size());
            const ByteRange here{at, at + ByteCount{size}};
            if (!was_reread(page_of(at))) {
                changed.push_back(here);
            } else if (any_in(here)) {
                const std::span<std::byte> old = std::span(disk).first(size);
                if (const Result<void> got = file_.read_image(at, old); !got) {
                    spdlog::warn("{}: page {} was written, but its bytes on disk cannot be read: "
                                 "{}; the ledger still has its lost bytes as lost",
                                 context_.ledger.path_of(inode_), page_of(at).value,
                                 std::strerror(got.error().value));
                } else {
                    std::ranges::copy(model::differing_ranges(left.first(size), old, at),
                                      std::back_inserter(changed));
                }
            }
            left = left.subspan(size);
            at = at + ByteCount{size};
        }
    }
    const base::Lock lock(mutex_);
    return older_held_.empty() ? changed : model::without(changed, older_held_);
}

void FileLosses::heal(std::span<const ByteRange> ranges) {
    for (const ByteRange& range : ranges) {
        context_.ledger.heal(inode_, range);
    }
}

void FileLosses::drop(ByteRange range) {
    if (any_) {
        context_.ledger.drop(inode_, range);
        replaced(range);
    }
}

void FileLosses::truncate(ByteOffset size) {
    if (any_) {
        context_.ledger.truncate(inode_, size);
        replaced({size, model::kBehindAll});
    }
}

void FileLosses::forget() {
    if (any_) {
        context_.ledger.forget(inode_);
        any_ = false;
    }
    const base::Lock lock(mutex_);
    reread_.clear();
    older_held_.clear();
}

void FileLosses::settle(std::string_view path) {
    any_ = false;
    context_.ledger.settle(inode_, path);
}

bool FileLosses::was_reread(PageIndex page) const {
    const base::Lock lock(mutex_);
    return reread_.contains(page);
}

} // namespace partialfs::file
