// Pages of the kernel's cache that the daemon has asked for (FUSE_NOTIFY_RETRIEVE).
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

/// The kernel answers by a request of its own, which any request thread may get. Thread-safe.
class Retrieves {
  public:
    /// `pool` gets back the memory that the pages come in.
    explicit Retrieves(file::MemoryPool& pool) : pool_(pool) {}

    /// The pages as they are now; none if the kernel has none of them cached, or has forgotten the
    /// inode. Waits for the answer, so not on a request thread. ENODEV: the session has ended;
    /// ENOMEM.
    base::Result<file::RetrievedPages> fetch(fuse_session* session, model::InodeId inode,
                                             file::PageRange pages);
    /// On a request thread: the answer, with the cookie of the request. Throws nothing: for want of
    /// memory it is the fetch that fails.
    void arrived(void* cookie, const fuse_bufvec& data);
    /// The session answers nothing any more: who waits, now or later, gets ENODEV.
    void disconnect();

  private:
    /// One that waits, named by its address in the request.
    struct Waiting {
        std::optional<base::Result<file::RetrievedPages>> reply;
    };
    /// The pages of a reply, in the memory that it came in.
    base::Result<file::RetrievedPages> take_over(const fuse_bufvec& data);

    file::MemoryPool& pool_;
    base::Mutex mutex_; ///< guards those that wait themselves, too; a leaf
    base::CondVar changed_;
    std::set<Waiting*> waiting_ GUARDED_BY(mutex_);
    bool disconnected_ GUARDED_BY(mutex_) = false;
};

} // namespace partialfs::fuse
