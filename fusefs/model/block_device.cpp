#include "fusefs/model/block_device.hpp"

namespace partialfs::model::block_device {

namespace {

/// Whether some blocks can be dirty and others not. A page of one block never has an
/// iomap_folio_state: ifs_alloc() returns none.
bool tells_blocks_apart(const PageState& page, BlockSize block_size) {
    return page.has_block_bits && block_size.per_page() > 1;
}

} // namespace

void read(PageState& page) {
    // The new bits of a dirty page are set; `dirty` has every block then, as the page had no bits.
    page.has_block_bits = true;
}

void write(PageState& page, BlockMask touched, bool whole, BlockSize block_size) {
    if (!whole) {
        page.has_block_bits = true;
    }
    page.dirty |= tells_blocks_apart(page, block_size) ? touched : block_size.all();
    page.page_dirty = true;
}

void store(PageState& page, BlockSize block_size) {
    page.page_dirty = true;
    if (!tells_blocks_apart(page, block_size)) {
        page.dirty = block_size.all();
    }
}

WriteDecision writeback(PageState& page, BlockMask within_eof, BlockSize block_size) {
    const BlockMask set = tells_blocks_apart(page, block_size) ? page.dirty : block_size.all();
    page.has_block_bits = true;
    page.dirty = BlockMask{};
    page.page_dirty = false;
    page.told = false;
    return {set & within_eof, within_eof - set};
}

} // namespace partialfs::model::block_device
