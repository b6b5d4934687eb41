// One file of a partialfs mount: what the kernel has of it, and what the daemon has.
#pragma once

#include "fusefs/model/file_blocks.hpp"
#include "tools/vmmodel/predict/contents.hpp"
#include "tools/vmmodel/predict/predictor.hpp"

#include <cstdint>
#include <map>
#include <set>

namespace vmmodel {

struct FuseFile {
    FuseFile(partialfs::model::ByteOffset size, partialfs::model::BlockSize block_size)
        : contents(size), blocks(block_size) {}

    /// The kernel's page.
    struct Page {
        bool cached = false;
        bool uptodate = false; ///< a write(2) of part of a page alone does not make it so
        bool dirty = false;    ///< PG_dirty
        Mappings present = 0;
        Mappings writable = 0;
        BlockStory story;
    };

    Contents contents;
    std::map<partialfs::model::PageIndex, Page> pages;

    // The daemon's part.
    partialfs::model::FileBlocks blocks;
    partialfs::model::ByteOffset backing_size;
    bool sparse = false;                           ///< the backing file may have holes
    std::set<partialfs::model::PageIndex> backed;  ///< pages that the backing file has data of
    std::set<partialfs::model::PageIndex> partial; ///< whose first read does not mean eviction
    bool mtime_held = false;                       ///< until the data is on disk
    InodeDirty inode_dirty = InodeDirty::yes;      ///< it has just been created
};

} // namespace vmmodel
