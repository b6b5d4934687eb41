#include "tools/vmmodel/page_rule.hpp"

#include "fusefs/model/block_device.hpp"

namespace vmmodel::page_rule {

namespace model = partialfs::model;
namespace block_device = model::block_device;
using model::BlockMask;
using model::BlockSize;
using model::PageState;

void read(const FilesystemRules& filesystem, PageState& page) {
    if (filesystem.is_block_device) {
        block_device::read(page);
    }
}

bool write(const FilesystemRules& filesystem, PageState& page, BlockMask touched, bool whole,
           BlockSize block_size) {
    if (!filesystem.is_block_device) {
        return explicit_write(page, touched);
    }
    block_device::write(page, touched, whole, block_size);
    return false;
}

void set_dirty(const FilesystemRules& filesystem, PageState& page, BlockSize block_size) {
    if (filesystem.is_block_device) {
        block_device::store(page, block_size);
    } else {
        set_page_dirty(page, block_size);
    }
}

model::WriteDecision write_back(const FilesystemRules& filesystem, PageState& page,
                                BlockMask within_eof, BlockSize block_size) {
    if (!filesystem.is_block_device) {
        return writepage(page, within_eof);
    }
    const bool dirty_again = page.page_dirty;
    const model::WriteDecision decision = block_device::writeback(page, within_eof, block_size);
    page.page_dirty = dirty_again;
    return decision;
}

void clear_dirty_for_io(const EraRules& era, const FilesystemRules& filesystem, PageState& page,
                        bool pte_was_dirty, BlockSize block_size) {
    if (era.tells_filesystem && pte_was_dirty) {
        set_dirty(filesystem, page, block_size);
    }
    clear_page_dirty_for_io(page, model::Contract::linux_2_6_19, /*pte_was_dirty=*/false,
                            block_size);
}

} // namespace vmmodel::page_rule
