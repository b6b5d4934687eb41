#include "fusefs/file/ledger_book.hpp"

#include "fusefs/trace/recorder.hpp"

namespace partialfs::file {

using model::ByteRange;
using model::CommitId;
using model::InodeId;
using model::Nanoseconds;

void LedgerBook::commit_began(CommitId commit, Nanoseconds now) {
    const base::Lock lock(mutex_);
    if (commit <= last_commit_) {
        return; // a rename has begun this commit before
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

void LedgerBook::record(InodeId inode, model::Loss loss, std::span<const ByteRange> lost) {
    loss.lost_at = trace::now();
    base::Lock lock(mutex_);
    loss.cleaned_at = time_of(loss.cleaned_by);
    std::string path;
    if (!ledger_.has_path(inode)) {
        lock.unlock();
        path = path_of(inode);
        lock.lock();
    }
    ledger_.record(inode, path, loss, lost);
}

void LedgerBook::passed_over(InodeId inode, CommitId cleaned_by, std::span<const ByteRange> lost) {
    record(inode, {.cleaned_by = cleaned_by}, lost);
}

void LedgerBook::refused(InodeId inode, ByteRange lost, int error) {
    record(inode, {.kind = model::LossKind::refused, .error = error}, {&lost, 1});
}

void LedgerBook::left_out(InodeId inode, std::span<const ByteRange> lost, int error) {
    record(inode, {.kind = model::LossKind::fault, .error = error}, lost);
}

void LedgerBook::left_out_size(InodeId inode, model::LostSize size) {
    const model::Loss loss{.kind = model::LossKind::fault, .lost_at = trace::now()};
    const std::string path = path_of(inode);
    const base::Lock lock(mutex_);
    ledger_.record_size(inode, path, loss, size);
}

void LedgerBook::cut(InodeId inode, std::string_view path, std::span<const ByteRange> lost) {
    const model::Loss loss{.kind = model::LossKind::cut, .lost_at = trace::now()};
    const base::Lock lock(mutex_);
    ledger_.record(inode, path, loss, lost);
}

void LedgerBook::cut_size(InodeId inode, std::string_view path, model::LostSize size) {
    const model::Loss loss{.kind = model::LossKind::cut, .lost_at = trace::now()};
    const base::Lock lock(mutex_);
    ledger_.record_size(inode, path, loss, size);
}

void LedgerBook::heal(InodeId inode, ByteRange range) {
    const Nanoseconds now = trace::now();
    const base::Lock lock(mutex_);
    ledger_.heal(inode, range, now);
}

void LedgerBook::drop(InodeId inode, ByteRange range) {
    const base::Lock lock(mutex_);
    ledger_.drop(inode, range);
}

void LedgerBook::truncate(InodeId inode, model::ByteOffset size) {
    const base::Lock lock(mutex_);
    ledger_.truncate(inode, size);
}

void LedgerBook::forget(InodeId inode) {
    const base::Lock lock(mutex_);
    ledger_.forget(inode);
}

void LedgerBook::settle(InodeId inode, std::string_view path) {
    const base::Lock lock(mutex_);
    ledger_.settle(inode, path);
}

bool LedgerBook::has_open(InodeId inode) const {
    const base::Lock lock(mutex_);
    return ledger_.has_open(inode);
}

bool LedgerBook::has_open(InodeId inode, ByteRange range) const {
    const base::Lock lock(mutex_);
    return ledger_.has_open(inode, range);
}

model::Ledger::Counts LedgerBook::counts() const {
    const base::Lock lock(mutex_);
    return ledger_.counts();
}

std::vector<model::LostStore> LedgerBook::read(model::LedgerPosition from, std::uint64_t last,
                                               std::size_t most) const {
    const base::Lock lock(mutex_);
    return ledger_.read(from, last, most);
}

} // namespace partialfs::file
