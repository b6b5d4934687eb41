#include "fusefs/journal/ledger_book.hpp"

#include "fusefs/trace/recorder.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iterator>
#include <map>

namespace partialfs::journal {

using model::BlockIndex;
using model::ByteRange;
using model::CommitId;
using model::InodeId;
using model::Nanoseconds;

void LedgerBook::commit_began(CommitId commit, Nanoseconds now) {
    const std::scoped_lock lock(mutex_);
    if (commit <= last_commit_) {
        return; // renames have begun it before
    }
    last_commit_ = commit;
    commit_times_.push_back(now);
    if (commit_times_.size() > kCommitTimesKept) {
        commit_times_.pop_front();
    }
}

Nanoseconds LedgerBook::time_of(CommitId commit) const {
    const std::uint64_t age = last_commit_.value - commit.value;
    if (commit.value == 0 || commit > last_commit_ || age >= commit_times_.size()) {
        return Nanoseconds{0};
    }
    return commit_times_[commit_times_.size() - 1 - age];
}

std::string LedgerBook::path_of(InodeId inode) const {
    return path_of_ ? path_of_(inode) : std::string{};
}

void LedgerBook::record(InodeId inode, model::PageIndex page, model::BlockInPage in_page,
                        BlockIndex block, CommitId cleaned_by, const std::vector<ByteRange>& lost) {
    model::LostStore loss;
    loss.inode = inode;
    loss.page = page;
    loss.block = in_page;
    loss.cleaned_by = cleaned_by;
    loss.lost_at = trace::now();
    if (!lost.empty()) {
        loss.path = path_of(inode);
    }
    const std::scoped_lock lock(mutex_);
    loss.cleaned_at = time_of(cleaned_by);
    ledger_.record(loss, block, lost);
}

void LedgerBook::heal(InodeId inode, ByteRange range, model::BlockSize block_size) {
    const Nanoseconds now = trace::now();
    const std::scoped_lock lock(mutex_);
    ledger_.heal(inode, range, block_size, now);
}

void LedgerBook::drop(InodeId inode, ByteRange range, model::BlockSize block_size) {
    const std::scoped_lock lock(mutex_);
    ledger_.drop(inode, range, block_size);
}

void LedgerBook::truncate(InodeId inode, model::ByteOffset size) {
    const std::scoped_lock lock(mutex_);
    ledger_.truncate(inode, size);
}

void LedgerBook::forget(InodeId inode) {
    const std::scoped_lock lock(mutex_);
    ledger_.forget(inode);
}

bool LedgerBook::has_open(InodeId inode) const {
    const std::scoped_lock lock(mutex_);
    return ledger_.has_open(inode);
}

bool LedgerBook::has_open(InodeId inode, ByteRange range, model::BlockSize block_size) const {
    const std::scoped_lock lock(mutex_);
    return ledger_.has_open(inode, range, block_size);
}

model::Ledger::Counts LedgerBook::counts() const {
    const std::scoped_lock lock(mutex_);
    return ledger_.counts();
}

std::string LedgerBook::lines() const {
    std::vector<model::LostStore> entries;
    {
        const std::scoped_lock lock(mutex_);
        entries = ledger_.entries();
    }
    std::map<InodeId, std::string> paths;
    std::string text;
    for (const model::LostStore& entry : entries) {
        auto path = paths.find(entry.inode);
        if (path == paths.end()) {
            std::string now = path_of(entry.inode);
            path = paths.emplace(entry.inode, std::move(now)).first;
        }
        const bool renamed = !entry.healed_at && !path->second.empty();
        const auto quoted = nlohmann::json(renamed ? path->second : entry.path)
                                .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        const std::string healed =
            entry.healed_at ? fmt::format("{}", entry.healed_at->value) : "null";
        fmt::format_to(
            std::back_inserter(text),
            R"({{"number":{},"path":{},"inode":{},"page":{},"block":{},"offset":{},"length":{},)"
            R"("cleaned_by":{},"cleaned_at":{},"lost_at":{},"healed_at":{}}})"
            "\n",
            entry.number, quoted, entry.inode.value, entry.page.value, entry.block.value,
            entry.bytes.begin.value, entry.bytes.size().value, entry.cleaned_by.value,
            entry.cleaned_at.value, entry.lost_at.value, healed);
    }
    return text;
}

} // namespace partialfs::journal
