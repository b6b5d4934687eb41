#include "fusefs/fuse/inode_table.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace partialfs::fuse {
namespace {

struct KeyHash {
    std::size_t operator()(const BackingKey& key) const noexcept {
        return std::hash<std::uint64_t>{}(key.number * 0x9E3779B97F4A7C15U ^ key.device);
    }
};

} // namespace

struct InodeTable::State {
    explicit State(file::Context& its_context) : context(its_context) {}

    file::Context& context;
    /// Guards all below and Inode::nlookup. A leaf: no other lock is taken inside it, and no
    /// shared_ptr to an inode that could be the last is let go inside it, as the deleter takes it.
    mutable std::shared_mutex mutex;
    struct Known {
        std::shared_ptr<Inode> inode;
        model::InodeId parent; ///< with `name`: where it was last looked up
        std::string name;
        bool queued = false;
        bool used = false; ///< looked up again since it was queued
    };
    std::unordered_map<model::InodeId, Known> by_id;
    /// Everything that is queued, in the order in which it came; and some that is forgotten by now.
    std::deque<model::InodeId> queue;
    std::size_t limit = SIZE_MAX / 2;
    std::function<void()> limit_reached;
    std::condition_variable_any less_crowded;
    [[nodiscard]] bool crowded() const { return by_id.size() > limit + limit / 4; }
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
            // If not, there was no memory for it, and the mutex is held just now.
            if (dead->findable) {
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
        inode->findable = true;
        return inode;
    }
};

InodeTable::InodeTable(file::Context& context) : state_(std::make_shared<State>(context)) {}

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
    state_->by_id[inode->id()].inode = inode;
    return inode;
}

std::shared_ptr<Inode> InodeTable::root() const {
    return find(model::InodeId{1});
}

std::shared_ptr<Inode> InodeTable::find(model::InodeId id) const {
    const std::shared_lock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    return entry == state_->by_id.end() ? nullptr : entry->second.inode;
}

std::shared_ptr<Inode> InodeTable::find(BackingKey key) const {
    const std::shared_lock lock(state_->mutex);
    const auto entry = state_->by_key.find(key);
    return entry == state_->by_key.end() ? nullptr : entry->second.inode.lock();
}

std::shared_ptr<Inode> InodeTable::remember(backing::Object object, model::InodeId parent,
                                            std::string_view name) {
    std::shared_ptr<Inode> inode;
    std::string its_name(name);
    bool many = false;
    {
        const std::unique_lock lock(state_->mutex);
        const auto entry = state_->by_key.find({object.status.st_dev, object.status.st_ino});
        if (entry != state_->by_key.end()) {
            inode = entry->second.inode.lock();
        }
        if (!inode) {
            inode = State::make(state_, std::move(object));
        }
        State::Known& known = state_->by_id[inode->id()];
        known.inode = inode;
        known.parent = parent;
        known.name = std::move(its_name);
        known.used = known.queued;
        if (!known.queued) {
            state_->queue.push_back(inode->id());
            known.queued = true;
        }
        ++inode->nlookup; // last of all: what throws has told the kernel of nothing
        many = state_->by_id.size() >= state_->limit;
    }
    if (many) {
        state_->limit_reached();
    }
    return inode;
}

std::shared_ptr<Inode> InodeTable::remember_known(model::InodeId id) {
    const std::unique_lock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    if (entry == state_->by_id.end()) {
        return nullptr;
    }
    ++entry->second.inode->nlookup;
    return entry->second.inode;
}

void InodeTable::set_limit(std::size_t limit, std::function<void()> call) {
    const std::unique_lock lock(state_->mutex);
    state_->limit = limit;
    state_->limit_reached = std::move(call);
}

std::vector<InodeTable::Unused> InodeTable::longest_unused(std::size_t count, bool directories) {
    std::vector<Unused> unused;
    const std::unique_lock lock(state_->mutex);
    for (std::size_t looked_at = state_->queue.size(); looked_at > 0 && unused.size() < count;
         --looked_at) {
        const model::InodeId id = state_->queue.front();
        state_->queue.pop_front();
        const auto entry = state_->by_id.find(id);
        if (entry == state_->by_id.end()) {
            continue;
        }
        State::Known& known = entry->second;
        const bool directory = known.inode->type() == S_IFDIR;
        // The table's own pointer is the only one: no handle, no journal, no request.
        const bool told =
            !known.used && known.inode.use_count() == 1 && (directories || !directory);
        if (told) {
            unused.push_back({id, known.parent, known.name});
        }
        known.used = false;
        known.queued = !told || directory;
        if (known.queued) {
            state_->queue.push_back(id);
        }
    }
    return unused;
}

void InodeTable::forget(model::InodeId id, std::uint64_t count) {
    std::shared_ptr<Inode> last; // let go after the lock
    const std::unique_lock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    if (entry == state_->by_id.end() || id == model::InodeId{1}) {
        return;
    }
    Inode& inode = *entry->second.inode;
    inode.nlookup -= std::min(count, inode.nlookup);
    if (inode.nlookup == 0) {
        const bool was_crowded = state_->crowded();
        last = std::move(entry->second.inode);
        state_->by_id.erase(entry);
        if (was_crowded && !state_->crowded()) {
            state_->less_crowded.notify_all();
        }
    }
}

bool InodeTable::crowded() const {
    const std::shared_lock lock(state_->mutex);
    return state_->crowded();
}

void InodeTable::wait_if_crowded() {
    constexpr std::chrono::milliseconds kAtMost{100};
    std::shared_lock lock(state_->mutex);
    if (state_->crowded()) {
        state_->less_crowded.wait_for(lock, kAtMost, [this] { return !state_->crowded(); });
    }
}

std::size_t InodeTable::known() const {
    const std::shared_lock lock(state_->mutex);
    return state_->by_id.size();
}

} // namespace partialfs::fuse
