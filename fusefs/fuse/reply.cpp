#include "fusefs/fuse/reply.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"

#include <utility>

namespace partialfs::fuse {
namespace {

/// Sends each kind of answer. fuse_reply_*() return an error if the kernel did not accept it.
struct Send {
    fuse_req_t req;
    Mount& mount;

    void operator()(const Done& /*done*/) const { fuse_reply_err(req, 0); }
    void operator()(const Later& /*later*/) const {}
    void operator()(const Attributes& attributes) const {
        fuse_reply_attr(req, &attributes.status, attributes.timeout);
    }
    void operator()(const Entry& entry) const {
        if (fuse_reply_entry(req, &entry.parameters) != 0) {
            take_back(entry);
        }
        mount.inodes.wait_if_crowded();
    }
    void operator()(const NoEntry& /*none*/) const {
        fuse_entry_param none{};
        none.entry_timeout = mount.settings.entry_timeout; // the kernel may keep that, too
        fuse_reply_entry(req, &none);
    }
    void operator()(const Opened& opened) const {
        if (fuse_reply_open(req, opened.info) != 0) {
            mount.handles.take(opened.info->fh); // there will be no RELEASE
        }
    }
    void operator()(const Created& created) const {
        if (fuse_reply_create(req, &created.entry.parameters, created.info) != 0) {
            mount.handles.take(created.info->fh);
            take_back(created.entry);
        }
        mount.inodes.wait_if_crowded();
    }
    void operator()(const Bytes& bytes) const {
        fuse_reply_buf(req, bytes.bytes.data(), bytes.bytes.size());
    }
    void operator()(const Length& length) const { fuse_reply_xattr(req, length.bytes); }
    void operator()(const Written& written) const { fuse_reply_write(req, written.bytes); }
    void operator()(const LinkTarget& target) const {
        fuse_reply_readlink(req, target.path.c_str());
    }
    void operator()(const Space& space) const { fuse_reply_statfs(req, &space.status); }

    void take_back(const Entry& entry) const {
        if (entry.inode) {
            mount.inodes.forget(entry.inode->id(), 1);
        }
    }
};

} // namespace

bool is_own_look(fuse_req_t req) {
    return mount_of(req).page_cache.is_probing(fuse_req_ctx(req)->pid);
}

void answer(fuse_req_t req, const Answer& answer) {
    if (!answer) {
        fuse_reply_err(req, answer.error().value);
    } else if (!std::holds_alternative<Later>(*answer)) { // else the request may be gone already
        std::visit(Send{req, mount_of(req)}, *answer);
    }
}

void answer(fuse_req_t req, const base::Result<void>& result) {
    fuse_reply_err(req, result ? 0 : result.error().value);
}

void answer(fuse_req_t req, int error) {
    fuse_reply_err(req, error);
}

base::Result<Attributes> attributes_of(Mount& mount, const Inode& inode) {
    Attributes found{.status = {}, .timeout = mount.settings.attr_timeout};
    if (inode.data() != nullptr) {
        const auto shown = TRY(inode.data()->attributes(mount.page_cache));
        found = {.status = shown.status,
                 .timeout = shown.may_move ? 0.0 : found.timeout,
                 .wants_look = shown.wants_look};
    } else {
        found.status = TRY(backing::status_of(inode.fd()));
    }
    mount.context.clock.given_out(found.status);
    found.status.st_ino = inode.number();
    return found;
}

base::Result<Entry> entry_of(Mount& mount, InodePtr inode) {
    Entry entry;
    entry.parameters.ino = inode->id().value;
    entry.parameters.entry_timeout = mount.settings.entry_timeout;
    const auto attributes = attributes_of(mount, *inode);
    if (!attributes) {
        mount.inodes.forget(inode->id(), 1);
        return std::unexpected(attributes.error());
    }
    entry.parameters.attr = attributes->status;
    entry.parameters.attr_timeout = attributes->timeout;
    entry.inode = std::move(inode);
    return entry;
}

} // namespace partialfs::fuse
