#include "fusefs/model/block_device.hpp"

namespace partialfs::model::block_device {

void read(PageState& page) {
    // Bits of a dirty page begin set: `dirty` has all of it then.
    page.has_block_bits = true;
}

void write(PageState& page, BlockMask touched, bool whole, BlockSize block_size) {
    if (!whole) {
        page.has_block_bits = true;
    }
    page.dirty |= page.has_block_bits ? touched : block_size.all();
    page.page_dirty = true;
}

void store(PageState& page, BlockSize block_size) {
    page.page_dirty = true;
    if (!page.has_block_bits) {
        page.dirty = block_size.all();
    }
}

WriteDecision writeback(PageState& page, BlockMask within_eof, BlockSize block_size) {
    const BlockMask set = page.has_block_bits ? page.dirty : block_size.all();
    page.has_block_bits = true;
    page.dirty = BlockMask{};
    page.page_dirty = false;
    page.told = false;
    return {set & within_eof, within_eof - set};
}

} // namespace partialfs::model::block_device
