#include "tools/mmapstress/verify/collector.hpp"

#include <algorithm>

namespace mmapstress {

std::span<const std::byte> Finding::found() const {
    if (!page) {
        return {};
    }
    return std::span(*page).subspan(range.begin.value % kPageSize, range.size().value);
}

FoundPage Collector::page_at(FileIndex file, PageIndex page, ByteOffset at,
                             std::span<const std::byte> chunk) {
    const std::tuple key{file, page, stage_, chunk.data()};
    if (last_page_ && key == last_key_) {
        return last_page_;
    }
    if (pages_ == kPagesKept) {
        return nullptr;
    }
    // A check operation may have read only a part of the page: the rest is not known, and stays
    // zero.
    const ByteRange whole = partialfs::model::range_of(page);
    const ByteRange have = intersect(whole, {at, at + ByteCount{chunk.size()}});
    auto bytes = std::make_shared<std::vector<std::byte>>(have.end.value - whole.begin.value);
    std::ranges::copy(chunk.subspan((have.begin - at).value, have.size().value),
                      bytes->begin() +
                          static_cast<std::ptrdiff_t>((have.begin - whole.begin).value));
    last_page_ = std::move(bytes);
    last_key_ = key;
    ++pages_;
    return last_page_;
}

void Collector::add(Finding finding) {
    const auto stage = static_cast<std::size_t>(stage_);
    const std::uint64_t length = finding.range.size().value;
    finding.stages = static_cast<std::uint8_t>(1U << stage);
    bytes_[stage] += length;
    ++ranges_[stage];
    const Key key{finding.file, finding.range.begin, finding.range.end};
    const auto [first, last] = findings_.equal_range(key);
    for (auto known = first; known != last; ++known) {
        Finding& other = known->second;
        if (other.writer == finding.writer && other.kind == finding.kind &&
            std::ranges::equal(other.found(), finding.found())) {
            other.stages |= finding.stages;
            return;
        }
    }
    if (findings_.size() == kFindingsKept) {
        ++not_kept_;
        return;
    }
    findings_.emplace(key, std::move(finding));
}

void Collector::wrong(FileIndex file, ByteRange range, Writer writer, ByteOffset at,
                      std::span<const std::byte> chunk) {
    while (!range.empty()) {
        const PageIndex page = range.first_page();
        const ByteRange part = intersect(range, partialfs::model::range_of(page));
        add({file, part, 0, writer, DamageKind::foreign, page_at(file, page, at, chunk), {}});
        range.begin = part.end;
    }
}

void Collector::without_bytes(FileIndex file, ByteRange range, Writer writer, DamageKind kind) {
    while (!range.empty()) {
        const ByteRange part = intersect(range, partialfs::model::range_of(range.first_page()));
        add({file, part, 0, writer, kind, nullptr, {}});
        range.begin = part.end;
    }
}

void Collector::past_eof(FileIndex file, ByteRange range, Writer writer, OpId origin) {
    while (!range.empty()) {
        const ByteRange part = intersect(range, partialfs::model::range_of(range.first_page()));
        if (past_eof_is_damage_) {
            add({file, part, 0, writer, DamageKind::past_eof, nullptr, origin});
        } else if (past_eof_.size() < kFindingsKept) {
            past_eof_.emplace(Key{file, part.begin, part.end}, origin);
        }
        range.begin = part.end;
    }
}

std::vector<PastEof> Collector::past_eof() const {
    std::vector<PastEof> all;
    all.reserve(past_eof_.size());
    for (const auto& [key, origin] : past_eof_) {
        const auto& [file, begin, end] = key;
        all.push_back({file, {begin, end}, origin});
    }
    return all;
}

std::vector<Finding> Collector::take() {
    std::vector<Finding> all;
    all.reserve(findings_.size());
    for (auto& [key, finding] : findings_) {
        all.push_back(std::move(finding));
    }
    findings_.clear();
    last_page_ = nullptr;
    return all;
}

} // namespace mmapstress
