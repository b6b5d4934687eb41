// Fetches pages from the kernel's cache (FUSE_NOTIFY_RETRIEVE).
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/model/types.hpp"

#include <optional>
#include <set>

namespace partialfs::fuse {

/// The kernel answers with a request, which any request thread may receive. Thread-safe.
class Retrieves {
  public:
    /// `pool` gets back the memory that the pages come in.
    explicit Retrieves(file::MemoryPool& pool) : pool_(pool) {}

    /// The pages as they are now, up to the first that is not cached; empty if the kernel has
    /// forgotten the inode. Waits for the answer, so it must not be called on a request thread.
    /// ENODEV: the session has ended; ENOMEM.
    base::Result<file::RetrievedPages> fetch(fuse_session* session, model::InodeId inode,
                                             file::PageRange pages);
    /// Called on a request thread with the answer, and the cookie of the fetch. Does not throw: for
    /// want of memory the fetch fails.
    void arrived(void* cookie, const fuse_bufvec& data);
    /// The session answers nothing any more: present and later fetches get ENODEV.
    void disconnect();

  private:
    /// A fetch that waits; its address is the cookie.
    struct Waiting {
        std::optional<base::Result<file::RetrievedPages>> reply;
    };
    /// The pages of a reply, in the memory that it came in.
    base::Result<file::RetrievedPages> take_over(const fuse_bufvec& data);

    file::MemoryPool& pool_;
    base::Mutex mutex_; ///< guards the Waiting objects, too; a leaf
    base::CondVar changed_;
    std::set<Waiting*> waiting_ GUARDED_BY(mutex_);
    bool disconnected_ GUARDED_BY(mutex_) = false;
};

} // namespace partialfs::fuse
