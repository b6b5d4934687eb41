#include "fusefs/fuse/retrieves.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/session.hpp"

#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>

namespace partialfs::fuse {

using base::Result;
using file::RetrievedPages;
using model::ByteRange;

Result<RetrievedPages> Retrieves::fetch(fuse_session* session, model::InodeId inode,
                                        file::PageRange pages) {
    const ByteRange range = bytes_of(pages);
    Waiting waiting;
    {
        const base::Lock lock(mutex_);
        if (disconnected_) {
            return base::failed(ENODEV);
        }
        waiting_.insert(&waiting);
    }
    const int error = fuse_lowlevel_notify_retrieve(
        session, inode.value, range.size().value, static_cast<off_t>(range.begin.value), &waiting);
    base::Lock lock(mutex_);
    if (error == 0) {
        while (!waiting.reply && !disconnected_) {
            changed_.wait(lock);
        }
    }
    waiting_.erase(&waiting);
    if (waiting.reply) {
        return std::move(*waiting.reply);
    }
    if (error == -ENOENT) {
        return RetrievedPages{}; // the kernel has forgotten the inode, so no page is cached
    }
    return base::failed(error != 0 ? -error : ENODEV);
}

Result<RetrievedPages> Retrieves::take_over(const fuse_bufvec& data) {
    RetrievedPages pages;
    if (data.buf[0].size > 0) {
        auto* bytes = static_cast<std::byte*>(data.buf[0].mem);
        pages.bytes = {bytes, data.buf[0].size};
        pages.owner = std::shared_ptr<void>(Session::take_request_memory(), [this](void* memory) {
            if (memory != nullptr) {
                pool_.give_back(memory);
            }
        });
    }
    return pages;
}

void Retrieves::arrived(void* cookie, const fuse_bufvec& data) {
    Result<RetrievedPages> pages = base::without_exceptions([&] { return take_over(data); });
    const base::Lock lock(mutex_);
    const auto waiting = waiting_.find(static_cast<Waiting*>(cookie));
    if (waiting != waiting_.end()) {
        (*waiting)->reply = std::move(pages);
        changed_.notify_all();
    }
}

void Retrieves::disconnect() {
    const base::Lock lock(mutex_);
    disconnected_ = true;
    changed_.notify_all();
}

} // namespace partialfs::fuse
