#include "fusefs/kernel/inode_table.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace partialfs::kernel {
namespace {

struct KeyHash {
    std::size_t operator()(const BackingKey& key) const noexcept {
        return std::hash<std::uint64_t>{}(key.number * 0x9E3779B97F4A7C15U ^ key.device);
    }
};

} // namespace

struct InodeTable::State {
    explicit State(journal::Context& its_context) : context(its_context) {}

    journal::Context& context;
    /// Guards all below and Inode::nlookup. A leaf: no other lock is taken inside it, and no
    /// shared_ptr to an inode that could be the last is let go inside it, as the deleter takes it.
    mutable std::shared_mutex mutex;
    std::unordered_map<model::InodeId, std::shared_ptr<Inode>> by_id;
    struct Living {
        const Inode* address; ///< tells the deleter whether the entry is still its own
        std::weak_ptr<Inode> inode;
    };
    std::unordered_map<BackingKey, Living, KeyHash> by_key;
    model::InodeId last_id{0};

    /// A new inode, entered under its key. Call with the mutex held.
    static std::shared_ptr<Inode> make(const std::shared_ptr<State>& self, backing::Object object) {
        ++self->last_id;
        const auto bury = [self](const Inode* dead) {
            {
                const std::unique_lock lock(self->mutex);
                const auto entry = self->by_key.find(dead->key());
                if (entry != self->by_key.end() && entry->second.address == dead) {
                    self->by_key.erase(entry);
                }
            }
            delete dead;
        };
        std::shared_ptr<Inode> inode(
            new Inode(self->last_id, std::move(object.fd), object.status, self->context), bury);
        self->by_key.insert_or_assign(inode->key(), Living{inode.get(), inode});
        return inode;
    }
};

InodeTable::InodeTable(journal::Context& context) : state_(std::make_shared<State>(context)) {}

InodeTable::~InodeTable() {
    // Let go outside the lock, which the deleters take.
    decltype(state_->by_id) inodes;
    const std::unique_lock lock(state_->mutex);
    inodes.swap(state_->by_id);
}

std::shared_ptr<Inode> InodeTable::add_root(backing::Object root) {
    const std::unique_lock lock(state_->mutex);
    auto inode = State::make(state_, std::move(root));
    inode->nlookup = 1;
    state_->by_id.emplace(inode->id(), inode);
    return inode;
}

std::shared_ptr<Inode> InodeTable::root() const {
    return find(model::InodeId{1});
}

std::shared_ptr<Inode> InodeTable::find(model::InodeId id) const {
    const std::shared_lock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    return entry == state_->by_id.end() ? nullptr : entry->second;
}

std::shared_ptr<Inode> InodeTable::find(BackingKey key) const {
    const std::shared_lock lock(state_->mutex);
    const auto entry = state_->by_key.find(key);
    return entry == state_->by_key.end() ? nullptr : entry->second.inode.lock();
}

std::shared_ptr<Inode> InodeTable::remember(backing::Object object) {
    const std::unique_lock lock(state_->mutex);
    std::shared_ptr<Inode> inode;
    const auto entry = state_->by_key.find({object.status.st_dev, object.status.st_ino});
    if (entry != state_->by_key.end()) {
        inode = entry->second.inode.lock();
    }
    if (!inode) {
        inode = State::make(state_, std::move(object));
    }
    if (inode->nlookup++ == 0) {
        state_->by_id.emplace(inode->id(), inode);
    }
    return inode;
}

void InodeTable::forget(model::InodeId id, std::uint64_t count) {
    std::shared_ptr<Inode> last; // let go after the lock
    const std::unique_lock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    if (entry == state_->by_id.end() || id == model::InodeId{1}) {
        return;
    }
    Inode& inode = *entry->second;
    inode.nlookup -= std::min(count, inode.nlookup);
    if (inode.nlookup == 0) {
        last = std::move(entry->second);
        state_->by_id.erase(entry);
    }
}

std::size_t InodeTable::known() const {
    const std::shared_lock lock(state_->mutex);
    return state_->by_id.size();
}

} // namespace partialfs::kernel
