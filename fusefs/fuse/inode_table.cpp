#include "fusefs/fuse/inode_table.hpp"

#include "fusefs/base/mutex.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <optional>
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
    explicit State(Inode::MakeData its_make_data) : make_data(std::move(its_make_data)) {}

    const Inode::MakeData make_data;
    std::optional<FileNumbers> numbers; ///< from add_root() on
    /// Guards Inode::nlookup, too. Only the mutex of `numbers` is taken while it is held. No
    /// shared_ptr that could be an inode's last is destroyed while it is held, as the deleter takes
    /// it.
    mutable base::SharedMutex mutex;
    /// The inodes that longest_unused() may return, in the order in which they came.
    std::list<model::InodeId> queue GUARDED_BY(mutex);
    struct Known {
        std::shared_ptr<Inode> inode;
        model::InodeId parent; ///< with `name`: where it was last looked up
        std::string name;
        std::optional<std::list<model::InodeId>::iterator> place{}; ///< in the queue
        bool used = false; ///< looked up again since it was queued
    };
    std::unordered_map<model::InodeId, Known> by_id GUARDED_BY(mutex);
    struct Living {
        const Inode* address; ///< tells the deleter whether the entry is still its own
        std::weak_ptr<Inode> inode;
    };
    std::unordered_map<BackingKey, Living, KeyHash> by_key GUARDED_BY(mutex);
    model::InodeId last_id GUARDED_BY(mutex){0};

    std::size_t limit GUARDED_BY(mutex) = SIZE_MAX / 4;
    /// How many lived when reclaim_ended() was called.
    std::size_t in_use GUARDED_BY(mutex) = 0;
    std::function<void()> limit_reached; ///< set before the first inode is added
    mutable std::condition_variable_any fewer;
    mutable std::size_t waiting GUARDED_BY(mutex) = 0; ///< for `fewer`
    [[nodiscard]] std::size_t living() const REQUIRES_SHARED(mutex) { return by_key.size(); }
    [[nodiscard]] bool much() const REQUIRES_SHARED(mutex) {
        return living() >= std::max(limit, in_use + limit / 16);
    }
    [[nodiscard]] bool crowded() const REQUIRES_SHARED(mutex) {
        return living() > std::max(limit, in_use) + limit / 4;
    }
    /// Waits until at most `most` inodes live, or without `most` until the table is not crowded; at
    /// most for `patience`. Returns whether that has come true.
    bool wait_for(std::chrono::milliseconds patience, std::optional<std::size_t> most) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        base::WriteLock lock(mutex);
        ++waiting;
        bool in_time = true;
        bool enough = false;
        while (!(enough = most ? living() <= *most : !crowded()) && in_time) {
            in_time = fewer.wait_until(lock, deadline) == std::cv_status::no_timeout;
        }
        --waiting;
        return enough;
    }

    /// A new inode, entered under its key.
    static std::shared_ptr<Inode> make(const std::shared_ptr<State>& self, backing::Object object)
        REQUIRES(self->mutex) {
        ++self->last_id;
        const auto bury = [self](const Inode* dead) {
            // If not findable, make() has thrown, and still holds the mutex.
            if (dead->findable) {
                const base::WriteLock lock(self->mutex);
                const auto entry = self->by_key.find(dead->key());
                if (entry != self->by_key.end() && entry->second.address == dead) {
                    self->by_key.erase(entry);
                    if (self->waiting != 0) {
                        self->fewer.notify_all();
                    }
                }
            }
            delete dead;
        };
        const BackingKey key{object.status.st_dev, object.status.st_ino};
        std::shared_ptr<Inode> inode(new Inode(self->last_id, std::move(object.fd), object.status,
                                               self->numbers->number_of(key), self->make_data),
                                     bury);
        self->by_key.insert_or_assign(inode->key(), Living{inode.get(), inode});
        inode->findable = true;
        return inode;
    }
};

InodeTable::InodeTable(Inode::MakeData make_data)
    : state_(std::make_shared<State>(std::move(make_data))) {}

InodeTable::~InodeTable() {
    // Destroyed after the lock is released, as the deleters take it.
    decltype(state_->by_id) inodes;
    const base::WriteLock lock(state_->mutex);
    inodes.swap(state_->by_id);
}

std::shared_ptr<Inode> InodeTable::add_root(backing::Object root) {
    const base::WriteLock lock(state_->mutex);
    state_->numbers.emplace(root.status.st_dev);
    auto inode = State::make(state_, std::move(root));
    inode->nlookup = 1;
    state_->by_id[inode->id()].inode = inode;
    return inode;
}

std::shared_ptr<Inode> InodeTable::root() const {
    return find(model::InodeId{1});
}

std::shared_ptr<Inode> InodeTable::find(model::InodeId id) const {
    const base::ReadLock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    return entry == state_->by_id.end() ? nullptr : entry->second.inode;
}

std::shared_ptr<Inode> InodeTable::find(BackingKey key) const {
    const base::ReadLock lock(state_->mutex);
    const auto entry = state_->by_key.find(key);
    return entry == state_->by_key.end() ? nullptr : entry->second.inode.lock();
}

ino_t InodeTable::number_of(BackingKey key) const {
    return state_->numbers->number_of(key);
}

std::shared_ptr<Inode> InodeTable::remember(backing::Object object, model::InodeId parent,
                                            std::string_view name) {
    std::shared_ptr<Inode> inode;
    std::string its_name(name);
    bool many = false;
    {
        const base::WriteLock lock(state_->mutex);
        const auto entry = state_->by_key.find({object.status.st_dev, object.status.st_ino});
        if (entry != state_->by_key.end()) {
            inode = entry->second.inode.lock();
        }
        if (!inode) {
            inode = State::make(state_, std::move(object));
        }
        std::list<model::InodeId> place{inode->id()};
        State::Known& known = state_->by_id[inode->id()]; // nothing after this throws
        known.inode = inode;
        known.parent = parent;
        known.name = std::move(its_name);
        known.used = known.place.has_value();
        if (!known.place) {
            known.place = place.begin();
            state_->queue.splice(state_->queue.end(), place);
        }
        ++inode->nlookup;
        many = state_->much();
    }
    if (many) {
        state_->limit_reached();
    }
    return inode;
}

std::shared_ptr<Inode> InodeTable::remember_known(model::InodeId id) {
    const base::WriteLock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    if (entry == state_->by_id.end()) {
        return nullptr;
    }
    ++entry->second.inode->nlookup;
    return entry->second.inode;
}

void InodeTable::set_limit(std::size_t limit, std::function<void()> call) {
    const base::WriteLock lock(state_->mutex);
    state_->limit = limit;
    state_->limit_reached = std::move(call);
}

std::vector<InodeTable::Unused> InodeTable::longest_unused(std::size_t count, bool directories) {
    std::vector<Unused> unused;
    const base::WriteLock lock(state_->mutex);
    auto& queue = state_->queue;
    for (std::size_t left = queue.size(); left > 0 && unused.size() < count; --left) {
        const model::InodeId id = queue.front();
        State::Known& known = state_->by_id.at(id);
        const bool directory = known.inode->type() == S_IFDIR;
        // The table's own pointer is the only one: no handle, no journal, no request.
        const bool asked_for =
            !known.used && known.inode.use_count() == 1 && (directories || !directory);
        if (asked_for) {
            unused.push_back({id, known.parent, known.name});
        }
        known.used = false;
        if (asked_for && !directory) {
            queue.pop_front();
            known.place.reset();
        } else {
            queue.splice(queue.end(), queue, queue.begin());
        }
    }
    return unused;
}

void InodeTable::forget(model::InodeId id, std::uint64_t count) {
    std::shared_ptr<Inode> last; // destroyed after the lock is released
    const base::WriteLock lock(state_->mutex);
    const auto entry = state_->by_id.find(id);
    if (entry == state_->by_id.end() || id == model::InodeId{1}) {
        return;
    }
    Inode& inode = *entry->second.inode;
    inode.nlookup -= std::min(count, inode.nlookup);
    if (inode.nlookup == 0) {
        last = std::move(entry->second.inode);
        if (entry->second.place) {
            state_->queue.erase(*entry->second.place);
        }
        state_->by_id.erase(entry);
    }
}

std::vector<std::shared_ptr<Inode>> InodeTable::regular_files() const {
    std::vector<std::shared_ptr<Inode>> all; // none is destroyed while the lock is held
    {
        const base::ReadLock lock(state_->mutex);
        all.reserve(state_->by_key.size());
        for (const auto& [key, living] : state_->by_key) {
            if (auto inode = living.inode.lock()) {
                all.push_back(std::move(inode));
            }
        }
    }
    std::erase_if(all, [](const auto& inode) { return !inode->is_regular(); });
    return all;
}

std::vector<std::shared_ptr<Inode>> InodeTable::cut_off() {
    std::vector<std::shared_ptr<Inode>> files = regular_files();
    const base::WriteLock lock(state_->mutex);
    for (const auto& inode : files) {
        inode->data()->end_with_power();
        state_->by_key.erase(inode->key());
    }
    state_->fewer.notify_all();
    return files;
}

model::InodeId InodeTable::next_id() {
    const base::WriteLock lock(state_->mutex);
    return ++state_->last_id;
}

bool InodeTable::crowded() const {
    const base::ReadLock lock(state_->mutex);
    return state_->crowded();
}

void InodeTable::wait_if_crowded() {
    if (crowded()) {
        state_->wait_for(std::chrono::milliseconds(100), std::nullopt);
    }
}

bool InodeTable::wait_until_living(std::size_t most, std::chrono::milliseconds patience) {
    return state_->wait_for(patience, most);
}

bool InodeTable::make_room() {
    const std::size_t now = living();
    if (now == 0 || !state_->limit_reached) {
        return false;
    }
    // Asks more than once: what waits for a commit can be reclaimed only after it.
    for (int tries = 0; tries < 10; ++tries) {
        state_->limit_reached();
        if (wait_until_living(now - 1, std::chrono::milliseconds(200))) {
            return true;
        }
    }
    return false;
}

void InodeTable::reclaim_ended() {
    const base::WriteLock lock(state_->mutex);
    state_->in_use = state_->living();
    state_->fewer.notify_all();
}

std::size_t InodeTable::living() const {
    const base::ReadLock lock(state_->mutex);
    return state_->living();
}

std::size_t InodeTable::known() const {
    const base::ReadLock lock(state_->mutex);
    return state_->by_id.size();
}

} // namespace partialfs::fuse
