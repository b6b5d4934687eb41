// partialfs' part in FusePredictor: what the daemon does with the requests that reach it. All
// decisions are made by partialfs::model::FileState, as in the daemon itself.
//
// It has settings but no state: what the daemon knows about a file is in the FuseFile. Not
// thread-safe.
#pragma once

#include "tools/vmmodel/predict/fuse_file.hpp"

#include <span>
#include <vector>

namespace vmmodel {

class FuseDaemon {
  public:
    FuseDaemon(partialfs::model::Contract contract, partialfs::model::FlushPolicy policy,
               partialfs::model::BlockSize block_size)
        : contract_(contract), policy_(policy), block_size_(block_size) {}

    [[nodiscard]] partialfs::model::FlushPolicy policy() const { return policy_; }

    /// The page cache reads pages.
    void read(FuseFile& file, const std::vector<partialfs::model::PageIndex>& pages) const;
    /// write(2) of `range`; the bytes are in the page cache already.
    void write(FuseFile& file, partialfs::model::ByteRange range) const;
    /// FUSE_SETATTR with a size, before the page cache changes. Returns whether the backing file
    /// has got the new size at once.
    bool truncate(FuseFile& file, partialfs::model::ByteOffset size) const;
    /// FUSE_FALLOCATE; the file's dirty pages have been written back.
    void punch(FuseFile& file, partialfs::model::ByteRange range) const;
    /// The kernel writes a page back, under operation `op`.
    void writepage(FuseFile& file, partialfs::model::PageIndex index, FuseFile::Page& page,
                   OpNumber op) const;
    /// The filesystem's own writepage of blocks that only write(2) has touched.
    void write_back_unmapped(FuseFile& file) const;
    /// A journal commit of the whole mount, under operation `op`.
    void commit(std::span<FuseFile> files, OpNumber op) const;
    /// The backing file gets size and mtime, as far as the data has reached it.
    static void let_metadata_through(FuseFile& file);
    void touch_mtime(FuseFile& file) const;

  private:
    void flush(FuseFile& file, OpNumber op) const;
    void learn_allocation(FuseFile& file, partialfs::model::ByteRange range) const;
    void written(FuseFile& file, partialfs::model::PageIndex index,
                 partialfs::model::BlockMask blocks, bool whole_blocks) const;

    partialfs::model::Contract contract_;
    partialfs::model::FlushPolicy policy_;
    partialfs::model::BlockSize block_size_;
};

} // namespace vmmodel
