#include "fusefs/file/page_hashes.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <vector>

namespace partialfs::file {

using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

std::uint64_t hash_of(std::span<const std::byte> bytes) {
    if (bytes.size() == model::kPageSize) {
        return XXH3_64bits(bytes.data(), bytes.size());
    }
    std::array<std::byte, model::kPageSize> page{};
    std::ranges::copy(bytes.first(std::min<std::size_t>(bytes.size(), page.size())), page.begin());
    return XXH3_64bits(page.data(), page.size());
}

} // namespace

void PageHashes::set(ByteOffset offset, std::span<const std::byte> bytes) {
    if (!wanted_) {
        return;
    }
    for (std::size_t at = 0; at < bytes.size(); at += model::kPageSize) {
        hashes_[page_of(offset + ByteCount{at})] =
            hash_of(bytes.subspan(at, std::min<std::size_t>(model::kPageSize, bytes.size() - at)));
    }
}

void PageHashes::written(ByteOffset offset, std::span<const std::byte> bytes) {
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    if (!wanted_ || range.empty()) {
        return;
    }
    for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
        if (intersect(range, range_of(page)) == range_of(page)) {
            set(start_of(page), bytes.subspan((start_of(page) - offset).value, model::kPageSize));
        } else {
            hashes_[page].reset();
        }
    }
}

void PageHashes::erase(ByteRange range) {
    if (range.empty()) {
        return;
    }
    std::erase_if(hashes_, [&](const auto& hash) {
        return range.first_page() <= hash.first && hash.first <= range.last_page();
    });
}

bool PageHashes::match(PageIndex page, std::span<const std::byte> bytes) const {
    return hashes_.at(page) == hash_of(bytes);
}

PageSet PageHashes::pages() const {
    std::vector<PageIndex> sorted;
    sorted.reserve(hashes_.size());
    for (const auto& [page, hash] : hashes_) {
        sorted.push_back(page);
    }
    std::ranges::sort(sorted);
    PageSet set;
    for (const PageIndex page : sorted) {
        set.append({page, page});
    }
    return set;
}

} // namespace partialfs::file
