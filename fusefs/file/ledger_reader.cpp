#include "fusefs/file/ledger_reader.hpp"

#include "fusefs/file/ledger_book.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <vector>

namespace partialfs::file {
namespace {

using model::InodeId;
using model::LostStore;

/// No line is shorter; so the size of a read limits the entries that it takes from the ledger.
constexpr std::size_t kShortestLine = 150;
/// Entries taken from the ledger under one lock.
constexpr std::size_t kMostAtOnce = 1024;

std::string in_quotes(const std::string& path) {
    return nlohmann::json(path).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// `path` is quoted already.
void append_line(std::string& text, const LostStore& entry, const std::string& path,
                 model::BlockSize block_size) {
    const model::PageIndex page = model::page_of(entry.bytes.begin);
    const std::uint64_t in_page = (entry.bytes.begin - start_of(page)).value;
    const auto number_or_null = [](bool is, std::uint64_t number) {
        return is ? fmt::format("{}", number) : std::string("null");
    };
    const std::string size = entry.size ? fmt::format(R"(,"size_was":{},"size_is":{})",
                                                      entry.size->was.value, entry.size->is.value)
                                        : std::string();
    fmt::format_to(
        std::back_inserter(text),
        R"({{"number":{},"kind":"{}","errno":{},"path":{},"inode":{},"page":{},"block":{},)"
        R"("offset":{},"length":{},"cleaned_by":{},"cleaned_at":{},"lost_at":{},"healed_at":{}{}}})"
        "\n",
        entry.number, name_of(entry.loss.kind),
        number_or_null(entry.loss.error != 0, static_cast<std::uint64_t>(entry.loss.error)), path,
        entry.inode.value, page.value, in_page / block_size.bytes(), entry.bytes.begin.value,
        entry.bytes.size().value, entry.loss.cleaned_by.value, entry.loss.cleaned_at.value,
        entry.loss.lost_at.value,
        number_or_null(entry.healed_at.has_value(),
                       entry.healed_at.value_or(model::Nanoseconds{}).value),
        size);
}

} // namespace

void LedgerReader::begin_anew() {
    text_.clear();
    text_offset_ = 0;
    next_ = {};
    last_ = book_.counts().recorded;
    begun_ = true;
    ended_ = false;
}

void LedgerReader::add_lines(std::size_t size) {
    const std::size_t most = std::clamp<std::size_t>(size / kShortestLine, 1, kMostAtOnce);
    const std::vector<LostStore> entries = book_.read(next_, last_, most);
    std::map<InodeId, std::string> paths;
    std::string lines;
    for (const LostStore& entry : entries) {
        // These keep the recorded path: the present one could be that of another file.
        if (entry.healed_at || entry.settled || entry.loss.kind == model::LossKind::cut) {
            append_line(lines, entry, in_quotes(entry.path), book_.block_size());
            continue;
        }
        auto path = paths.find(entry.inode);
        if (path == paths.end()) {
            path = paths.emplace(entry.inode, in_quotes(book_.path_of(entry.inode))).first;
        }
        append_line(lines, entry, path->second, book_.block_size());
    }
    const bool end = entries.size() < most;
    if (end) {
        const model::Ledger::Counts counts = book_.counts();
        if (counts.not_kept != 0) {
            fmt::format_to(std::back_inserter(lines),
                           R"({{"not_kept":{},"not_kept_bytes":{},"kept_at_most":{}}})"
                           "\n",
                           counts.not_kept, counts.not_kept_bytes, book_.open_kept());
        }
    }
    text_ += lines;
    ended_ = end;
    if (!entries.empty()) {
        next_ = model::LedgerPosition::after(entries.back());
    }
}

void LedgerReader::discard_before(std::uint64_t offset) {
    const std::uint64_t text_end = text_offset_ + text_.size();
    const std::uint64_t kept_from = std::clamp(offset, text_offset_, text_end);
    text_.erase(0, static_cast<std::size_t>(kept_from - text_offset_));
    text_offset_ = kept_from;
}

std::string LedgerReader::read(std::uint64_t offset, std::size_t size) {
    const base::Lock lock(mutex_);
    if (!begun_ || offset == 0 || offset < text_offset_) {
        begin_anew();
    }
    discard_before(offset);
    while (!ended_ && text_offset_ + text_.size() < offset + size) {
        add_lines(static_cast<std::size_t>(offset + size - text_offset_ - text_.size()));
        discard_before(offset);
    }
    if (offset > text_offset_) {
        return {}; // past the end
    }
    return text_.substr(0, size);
}

} // namespace partialfs::file
