#include "fusefs/model/file_state.hpp"

namespace partialfs::model {

void FileState::pages_read(ByteRange range, FlushPolicy policy, Contract contract) {
    if (range.empty()) {
        return;
    }
    if (contract == Contract::linux_6_12_blockdev) {
        blocks_.read(intersect(range, within_size()));
    }
    if (policy == FlushPolicy::ext3) {
        for (auto page = blocks_.next_entry(range.first_page()); page && *page <= range.last_page();
             page = blocks_.next_entry(PageIndex{page->value + 1})) {
            if (!partial_.contains(*page) && blocks_.page(*page).dirty.empty()) {
                blocks_.evict(*page);
            }
        }
    }
    partial_.erase(partial_.lower_bound(range.first_page()),
                   partial_.upper_bound(range.last_page()));
}

void FileState::pages_evicted() {
    for (auto page = blocks_.next_entry(PageIndex{0}); page;
         page = blocks_.next_entry(PageIndex{page->value + 1})) {
        if (blocks_.page(*page).dirty.empty()) {
            blocks_.evict(*page);
        }
    }
    partial_.clear();
}

void FileState::reserve(ByteRange range) {
    blocks_.reserve(range);
}

void FileState::write(ByteRange range, Contract contract) {
    if (range.empty()) {
        return;
    }
    for (const PageIndex page : {range.first_page(), range.last_page()}) {
        if (intersect(range, range_of(page)) != range_of(page) &&
            blocks_.page(page).mapped.empty()) {
            partial_.insert(page);
        }
    }
    if (blocks_.explicit_write(range, contract) || range.end > size_) {
        inode_dirty_ = InodeDirty::yes;
    }
    size_ = std::max(size_, range.end);
}

FileState::Writepage FileState::writepage(PageIndex page, Contract contract) {
    Writepage result{};
    for (const BlockInPage block : block_size().all()) {
        result.cleaned_by[block.value] = blocks_.cleaned_by(page, block);
    }
    const BlockMask allocated = blocks_.page(page).allocated;
    result.decision = blocks_.writepage(page, contract, size_);
    if (!(result.decision.written - allocated).empty()) {
        inode_dirty_ = InodeDirty::yes;
    }
    return result;
}

WriteDecision FileState::writepage_unmapped(PageIndex page, Contract contract) {
    const BlockMask allocated = blocks_.page(page).allocated;
    const WriteDecision decision = blocks_.writepage_unmapped(page, contract, size_);
    if (!(decision.written - allocated).empty()) {
        inode_dirty_ = InodeDirty::yes;
    }
    return decision;
}

FileState::Truncation FileState::plan_truncate(ByteOffset size, FlushPolicy policy) const {
    const bool shrinks = size < size_;
    return {.on_disk = shrinks ? backing_size_ >= size : size_ == backing_size_,
            .straddles =
                policy == FlushPolicy::ext3 && shrinks && size.value % block_size().bytes() != 0};
}

void FileState::truncate(ByteOffset size, Truncation plan) {
    if (plan.on_disk) {
        backing_size_ = size;
    }
    if (size < size_) {
        const BlockMask straddling =
            block_size().touched(page_of(size), {size, ByteOffset{size.value + 1}});
        const bool allocated =
            plan.straddles && !(blocks_.page(page_of(size)).allocated & straddling).empty();
        blocks_.truncate(size, allocated);
        const PageIndex first_gone{(size.value + kPageSize - 1) / kPageSize};
        partial_.erase(partial_.lower_bound(first_gone), partial_.end());
    } else if (size > size_) {
        sparse_ = true;
    }
    size_ = size;
    inode_dirty_ = InodeDirty::yes;
}

void FileState::punch(ByteRange range) {
    blocks_.punch(range);
    sparse_ = true;
    inode_dirty_ = InodeDirty::yes;
}

void FileState::grow(ByteOffset size) {
    inode_dirty_ = InodeDirty::yes;
    if (size <= size_) {
        return;
    }
    if (grows_on_disk()) {
        backing_size_ = size;
    }
    size_ = size;
    sparse_ = true;
}

std::optional<ByteOffset>
FileState::size_to_let_through(std::optional<ByteOffset> first_held) const {
    const ByteOffset covered = std::min(size_, first_held.value_or(size_));
    return covered > backing_size_ ? std::optional{covered} : std::nullopt;
}

void FileState::size_let_through(ByteOffset size) {
    backing_size_ = size;
    sparse_ = true;
}

void FileState::adopt(ByteOffset size, bool sparse) {
    size_ = backing_size_ = size;
    sparse_ = sparse;
}

void FileState::abandon() {
    blocks_ = FileBlocks(block_size());
    partial_.clear();
    backing_size_ = size_;
    inode_dirty_ = InodeDirty::no;
}

} // namespace partialfs::model
