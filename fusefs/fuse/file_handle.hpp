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

/// Thread-safe, except `counted`, which is set before any other thread knows the handle.
struct Handle final : OpenHandle {
    Handle(Mount& its_mount, InodePtr its_inode, int its_flags)
        : mount(its_mount), inode(std::move(its_inode)), flags(its_flags) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() override;

    Mount& mount;
    const InodePtr inode;
    const int flags;
    /// True for a program's handle, which the file counts; false for the daemon's own look.
    bool counted = false;
    base::Mutex mutex;                                        ///< taken before the file's mutex
    file::ErrorSequence::Position told GUARDED_BY(mutex) = 0; ///< in the writeback errors

    [[nodiscard]] bool is_dead() const override { return inode->is_dead(); }
    [[nodiscard]] file::FileData& data() const { return *inode->data(); }
    /// The writeback error to be reported to this description now, or 0.
    int check_error(file::FileData::ErrorAt at) {
        const base::Lock lock(mutex);
        return data().check_error(told, at);
    }
};

using HandlePtr = std::shared_ptr<Handle>;

/// Joins the file to the journal's running transaction. Throws std::bad_alloc.
void join(Mount& mount, const InodePtr& inode);

} // namespace partialfs::fuse
