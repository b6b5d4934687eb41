#include "fusefs/model/file_blocks.hpp"

#include "fusefs/model/block_device.hpp"

#include <bit>

namespace partialfs::model {

namespace {

constexpr std::uint64_t kChunkPages = FileBlocks::kChunkPages;

std::uint64_t chunk_of(PageIndex index) {
    return index.value / kChunkPages;
}
std::size_t slot_of(PageIndex index) {
    return static_cast<std::size_t>(index.value % kChunkPages);
}
std::uint64_t bit_of(PageIndex index) {
    return std::uint64_t{1} << slot_of(index);
}

} // namespace

const FileBlocks::Entry* FileBlocks::find(PageIndex index) const {
    const auto chunk = chunks_.find(chunk_of(index));
    if (chunk == chunks_.end() || (chunk->second->present & bit_of(index)) == 0) {
        return nullptr;
    }
    return &chunk->second->entries[slot_of(index)];
}

FileBlocks::Chunk& FileBlocks::chunk(std::uint64_t number) {
    auto found = chunks_.find(number);
    if (found == chunks_.end()) {
        found = chunks_.emplace(number, std::make_unique<Chunk>(block_size_)).first;
    }
    return *found->second;
}

FileBlocks::Entry& FileBlocks::entry(PageIndex index) {
    Chunk& chunk = this->chunk(chunk_of(index));
    Entry& entry = chunk.entries[slot_of(index)];
    if ((chunk.present & bit_of(index)) == 0) {
        chunk.present |= bit_of(index);
        ++entries_;
        entry = Entry{};
        entry.generation = ++last_generation_;
        set_cleaned_by(index, block_size_.all(), CommitId{0});
    }
    return entry;
}

void FileBlocks::set_cleaned_by(PageIndex index, BlockMask blocks, CommitId commit) {
    CommitId* of_page = &chunk(chunk_of(index)).cleaned_by[slot_of(index) * block_size_.per_page()];
    for (std::uint8_t i = 0; i < block_size_.per_page(); ++i) {
        if (blocks.contains(BlockInPage{i})) {
            of_page[i] = commit;
        }
    }
}

void FileBlocks::release_if_empty(PageIndex index) {
    const auto chunk = chunks_.find(chunk_of(index));
    if (chunk == chunks_.end() || (chunk->second->present & bit_of(index)) == 0) {
        return;
    }
    const PageState& state = chunk->second->entries[slot_of(index)].state;
    if (!state.idle() || !state.mapped.empty() || !state.allocated.empty()) {
        return;
    }
    chunk->second->present &= ~bit_of(index);
    --entries_;
    if (chunk->second->present == 0) {
        chunks_.erase(chunk);
    }
}

PageState FileBlocks::page(PageIndex index) const {
    const Entry* found = find(index);
    return found != nullptr ? found->state : PageState{};
}

std::optional<Generation> FileBlocks::generation(PageIndex index) const {
    const Entry* found = find(index);
    return found != nullptr ? std::optional{found->generation} : std::nullopt;
}

CommitId FileBlocks::cleaned_by(PageIndex index, BlockInPage block) const {
    const auto chunk = chunks_.find(chunk_of(index));
    if (chunk == chunks_.end() || (chunk->second->present & bit_of(index)) == 0) {
        return CommitId{0};
    }
    return chunk->second->cleaned_by[slot_of(index) * block_size_.per_page() + block.value];
}

void FileBlocks::set_allocated(PageIndex index, BlockMask allocated) {
    if (find(index) != nullptr || !allocated.empty()) {
        entry(index).state.allocated = allocated;
    }
}

void FileBlocks::reserve(ByteRange range) {
    for (std::uint64_t number = chunk_of(range.first_page());
         !range.empty() && number <= chunk_of(range.last_page()); ++number) {
        chunk(number);
    }
}

bool FileBlocks::explicit_write(ByteRange range, Contract contract) {
    if (range.empty()) {
        return false;
    }
    bool allocated = false;
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        PageState& state = entry(index).state;
        const BlockMask touched = block_size_.touched(index, range);
        if (contract == Contract::linux_6_12_blockdev) {
            const bool whole = intersect(range, range_of(index)) == range_of(index);
            block_device::write(state, touched, whole, block_size_);
        } else {
            allocated |= model::explicit_write(state, touched);
        }
    }
    return allocated;
}

void FileBlocks::read(ByteRange range) {
    if (range.empty()) {
        return;
    }
    for (PageIndex index = range.first_page(); index <= range.last_page(); ++index) {
        block_device::read(entry(index).state);
    }
}

bool FileBlocks::learn_dirty(PageIndex index) {
    return model::learn_dirty(entry(index).state, block_size_);
}

BlockMask FileBlocks::flush(PageIndex index, FlushPolicy policy, ByteOffset size, CommitId commit) {
    Entry& flushed = entry(index);
    const BlockMask blocks = ordered_flush(flushed.state, policy, block_size_.within(index, size));
    set_cleaned_by(index, blocks, commit);
    if (policy == FlushPolicy::eager && !flushed.state.told && flushed.state.dirty.empty()) {
        // No mapping dirtied it, and this policy does not depend on which blocks are allocated.
        flushed.state = PageState{};
    }
    release_if_empty(index);
    return blocks;
}

void FileBlocks::flush_failed(PageIndex index, BlockMask blocks) {
    Entry& failed = entry(index);
    failed.state.dirty |= blocks;
    failed.state.ordered |= blocks;
    failed.state.page_dirty = true;
    set_cleaned_by(index, blocks, CommitId{0});
}

WriteDecision FileBlocks::finish_writepage(PageIndex index, Entry& written, Contract contract,
                                           ByteOffset size) {
    const BlockMask within = block_size_.within(index, size);
    const WriteDecision decision = contract == Contract::linux_6_12_blockdev
                                       ? block_device::writeback(written.state, within, block_size_)
                                       : model::writepage(written.state, within);
    written.generation = ++last_generation_;
    set_cleaned_by(index, block_size_.all(), CommitId{0});
    return decision;
}

WriteDecision FileBlocks::writepage(PageIndex index, Contract contract, ByteOffset size) {
    Entry& written = entry(index);
    if (contract == Contract::linux_6_12_blockdev) {
        block_device::store(written.state, block_size_);
    } else {
        model::learn_dirty(written.state, block_size_);
        clear_page_dirty_for_io(written.state, contract, /*pte_was_dirty=*/true, block_size_);
    }
    return finish_writepage(index, written, contract, size);
}

WriteDecision FileBlocks::writepage_unmapped(PageIndex index, Contract contract, ByteOffset size) {
    Entry& written = entry(index);
    if (contract != Contract::linux_6_12_blockdev) {
        clear_page_dirty_for_io(written.state, contract, /*pte_was_dirty=*/false, block_size_);
    }
    return finish_writepage(index, written, contract, size);
}

void FileBlocks::truncate(ByteOffset size, bool straddling_allocated) {
    const PageIndex last = page_of(size);
    const bool page_straddles = size.value % kPageSize != 0;
    const PageIndex first_dropped{page_straddles ? last.value + 1 : last.value};
    for (auto chunk = chunks_.lower_bound(chunk_of(first_dropped)); chunk != chunks_.end();) {
        std::uint64_t kept = 0;
        if (chunk->first == chunk_of(first_dropped)) {
            kept = bit_of(first_dropped) - 1;
        }
        const std::uint64_t dropped = chunk->second->present & ~kept;
        entries_ -= static_cast<std::size_t>(std::popcount(dropped));
        chunk->second->present &= kept;
        chunk = chunk->second->present == 0 ? chunks_.erase(chunk) : std::next(chunk);
    }
    if (!page_straddles) {
        return;
    }
    BlockMask straddling;
    if (straddling_allocated && size.value % block_size_.bytes() != 0) {
        straddling = block_size_.touched(last, {size, ByteOffset{size.value + 1}});
    }
    if (find(last) != nullptr || !straddling.empty()) {
        Entry& straddled = entry(last);
        truncate_inside(straddled.state, block_size_.within(last, size), straddling);
        straddled.generation = ++last_generation_;
        release_if_empty(last);
    }
}

void FileBlocks::punch(ByteRange range) {
    const std::uint64_t block = block_size_.bytes();
    const ByteRange whole{ByteOffset{(range.begin.value + block - 1) / block * block},
                          ByteOffset{range.end.value / block * block}};
    if (range.empty()) {
        return;
    }
    for (auto index = next_entry(range.first_page()); index && *index <= range.last_page();
         index = next_entry(PageIndex{index->value + 1})) {
        Entry& punched = entry(*index);
        model::punch(punched.state, block_size_.touched(*index, whole));
        punched.generation = ++last_generation_;
        release_if_empty(*index);
    }
}

void FileBlocks::changed_behind_cache(ByteRange range) {
    if (range.empty()) {
        return;
    }
    for (auto index = next_entry(range.first_page()); index && *index <= range.last_page();
         index = next_entry(PageIndex{index->value + 1})) {
        entry(*index).generation = ++last_generation_;
    }
}

void FileBlocks::evict(PageIndex index) {
    if (find(index) != nullptr) {
        model::evict(entry(index).state);
        release_if_empty(index);
    }
}

void FileBlocks::forget_told(PageIndex index, BlockMask still_dirty) {
    if (find(index) != nullptr) {
        Entry& stale = entry(index);
        stale.state.told = false;
        stale.state.dirty &= still_dirty;
        stale.state.page_dirty = !stale.state.dirty.empty();
        stale.generation = ++last_generation_;
        release_if_empty(index);
    }
}

void FileBlocks::forget_idle() {
    for (auto chunk = chunks_.begin(); chunk != chunks_.end();) {
        for (std::size_t slot = 0; slot < kChunkPages; ++slot) {
            const std::uint64_t bit = std::uint64_t{1} << slot;
            if ((chunk->second->present & bit) != 0 && chunk->second->entries[slot].state.idle()) {
                chunk->second->present &= ~bit;
                --entries_;
            }
        }
        chunk = chunk->second->present == 0 ? chunks_.erase(chunk) : std::next(chunk);
    }
}

template <typename Predicate>
std::optional<PageIndex> FileBlocks::next(PageIndex from, Predicate wanted) const {
    for (auto chunk = chunks_.lower_bound(chunk_of(from)); chunk != chunks_.end(); ++chunk) {
        std::uint64_t present = chunk->second->present;
        if (chunk->first == chunk_of(from)) {
            present &= ~(bit_of(from) - 1);
        }
        for (; present != 0; present &= present - 1) {
            const auto slot = static_cast<std::uint64_t>(std::countr_zero(present));
            const PageIndex index{chunk->first * kChunkPages + slot};
            if (wanted(chunk->second->entries[slot].state, index)) {
                return index;
            }
        }
    }
    return std::nullopt;
}

std::optional<PageIndex> FileBlocks::next_flushable(PageIndex from, FlushPolicy policy,
                                                    ByteOffset size) const {
    return next(from, [&](const PageState& state, PageIndex index) {
        return !state.ordered.empty() ||
               !flushable(state, policy, block_size_.within(index, size)).empty();
    });
}

std::optional<PageIndex> FileBlocks::next_ordered(PageIndex from) const {
    return next(from, [](const PageState& state, PageIndex) { return !state.ordered.empty(); });
}

std::optional<PageIndex> FileBlocks::next_unmapped_dirty(PageIndex from) const {
    return next(from,
                [](const PageState& state, PageIndex) { return state.page_dirty && !state.told; });
}

std::optional<PageIndex> FileBlocks::next_entry(PageIndex from) const {
    return next(from, [](const PageState&, PageIndex) { return true; });
}

std::optional<PageIndex> FileBlocks::next_dirty(PageIndex from) const {
    return next(from, [](const PageState& state, PageIndex) { return !state.dirty.empty(); });
}

} // namespace partialfs::model
