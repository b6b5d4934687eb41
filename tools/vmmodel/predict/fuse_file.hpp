// One file of a partialfs mount: the kernel's part of its state, and the daemon's.
#pragma once

#include "fusefs/model/file_state.hpp"
#include "tools/vmmodel/predict/contents.hpp"
#include "tools/vmmodel/predict/predictor.hpp"

#include <map>
#include <set>

namespace vmmodel {

struct FuseFile {
    FuseFile(partialfs::model::ByteOffset size, partialfs::model::BlockSize block_size)
        : contents(size), state(block_size, size, /*sparse=*/size.value != 0) {
        state.attributes_changed(); // it has just been created
    }

    /// The kernel's page.
    struct Page {
        bool cached = false;
        bool uptodate = false; ///< a write(2) of a part of the page does not set it
        bool dirty = false;    ///< PG_dirty
        Mappings present = 0;
        Mappings writable = 0;
        BlockStory story;
    };

    Contents contents;
    std::map<partialfs::model::PageIndex, Page> pages;

    // The daemon's part.
    partialfs::model::FileState state;
    std::set<partialfs::model::PageIndex> backed; ///< pages that the backing file has data of
    bool mtime_held = false;                      ///< until the data is on disk
};

} // namespace vmmodel
