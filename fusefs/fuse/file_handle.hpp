// An open file description of the mount.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/file/error_sequence.hpp"
#include "fusefs/fuse/inode.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/open_handles.hpp"

#include <sys/types.h>

#include <memory>
#include <utility>

namespace partialfs::fuse {

/// Thread-safe but for `counted`, which is set before anybody else knows the handle.
struct Handle final : OpenHandle {
    Handle(Mount& its_mount, InodePtr its_inode, int its_flags)
        : mount(its_mount), inode(std::move(its_inode)), flags(its_flags) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() override;

    Mount& mount;
    const InodePtr inode;
    const int flags;
    /// A program's, which the file counts; else the daemon's own way to the page cache.
    bool counted = false;
    base::Mutex mutex;                                        ///< taken before the file's mutex
    file::ErrorSequence::Position told GUARDED_BY(mutex) = 0; ///< of writeback errors

    [[nodiscard]] bool is_dead() const override { return inode->is_dead(); }
    [[nodiscard]] file::FileData& data() const { return *inode->data(); }
    /// The writeback error that this description is to be told of now, or 0.
    int check_error(file::FileData::ErrorAt at) {
        const base::Lock lock(mutex);
        return data().check_error(told, at);
    }
};

using HandlePtr = std::shared_ptr<Handle>;

/// The journal looks after the file from now on. Throws std::bad_alloc.
void join(Mount& mount, const InodePtr& inode);

} // namespace partialfs::fuse
