#include "fusefs/startup/source_claim.hpp"

#include "fusefs/startup/mount_table.hpp"
#include "fusefs/startup/start_failure.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace partialfs::startup {
namespace {

using Clock = std::chrono::steady_clock;

/// How long it may take from the lock to the record of its owner.
constexpr std::chrono::seconds kPublished{1};
constexpr std::chrono::milliseconds kBetweenLooks{20};

MountFacts facts_of(const std::string& source, const std::string& mountpoint,
                    const std::vector<Ancestor>& above) {
    const auto id = id_of(AT_FDCWD, source.c_str());
    if (!id) {
        throw StartFailure(fmt::format("SOURCE '{}' cannot be examined: {}; name another directory",
                                       source, std::strerror(id.error().value)));
    }
    MountFacts facts;
    facts.pid = ::getpid();
    facts.source = source;
    facts.mountpoint = mountpoint;
    facts.source_id = *id;
    for (const Ancestor& directory : above) {
        facts.above.push_back(directory.id);
    }
    return facts;
}

double seconds(std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
}

bool contains(const std::vector<DirectoryId>& ids, const DirectoryId& id) {
    return std::ranges::find(ids, id) != ids.end();
}

bool overlap(const MountFacts& one, const MountFacts& other) {
    return one.source_id == other.source_id || contains(one.above, other.source_id) ||
           contains(other.above, one.source_id);
}

/// The users whose records are trusted even if no lock confirms them: root, this user, and SOURCE's
/// owner.
std::vector<uid_t> trusted_for(const std::string& source) {
    std::vector<uid_t> users{0, ::geteuid()};
    struct stat status{};
    if (::stat(source.c_str(), &status) == 0) {
        users.push_back(status.st_uid);
    }
    return users;
}

/// A living daemon whose SOURCE is `mine`, or lies inside or above it.
std::optional<FoundRecord> find_holder(const MountFacts& mine, const std::string& own_record,
                                       const SourceClaim::Settings& settings,
                                       const std::vector<uid_t>& trusted) {
    for (FoundRecord& record : find_records(settings.records, trusted)) {
        if (record.alive && record.name != own_record && overlap(mine, record.facts)) {
            return std::move(record);
        }
    }
    return std::nullopt;
}

bool mount_is_gone(const MountFacts& holder) {
    const std::vector<MountTableEntry> table = mount_table();
    return holder.mount &&
           std::ranges::find(table, *holder.mount, &MountTableEntry::identity) == table.end();
}

/// "SOURCE '/disk' is in use: process 12": the begin of a message, before what the process does.
std::string beginning(const MountFacts& mine, const MountFacts& holder) {
    if (mine.source_id == holder.source_id) {
        return fmt::format("SOURCE '{}' is in use: process {}", mine.source, holder.pid);
    }
    const bool inside = contains(mine.above, holder.source_id);
    return fmt::format("SOURCE '{}' {} '{}', which is in use: process {}", mine.source,
                       inside ? "lies inside" : "contains", holder.source, holder.pid);
}

[[noreturn]] void refuse_mounted(const MountFacts& mine, const MountFacts& holder) {
    throw StartFailure(
        fmt::format("{} has mounted it at '{}'; unmount that first with 'umount {}', "
                    "or choose another SOURCE",
                    beginning(mine, holder), holder.mountpoint, holder.mountpoint));
}

[[noreturn]] void refuse_committing(const MountFacts& mine, const MountFacts& holder,
                                    std::chrono::milliseconds patience) {
    throw StartFailure(fmt::format(
        "{}, whose mount at '{}' is gone, has not finished its last commit within {:g} s; "
        "its log says why, and 'partialfs --wait {}' waits for it",
        beginning(mine, holder), holder.mountpoint, seconds(patience), holder.source));
}

[[noreturn]] void refuse_locked(const MountFacts& mine, const LockConflict& conflict) {
    const auto pid = holder_of_lock(conflict.id);
    throw StartFailure(fmt::format(
        "SOURCE '{}' is in use: {} has locked '{}' and left no record of a mount; end it, or "
        "choose "
        "another SOURCE",
        mine.source,
        pid ? fmt::format("process {}", *pid)
            : std::string("a process that cannot be seen from here, perhaps in a container,"),
        conflict.path));
}

} // namespace

SourceClaim::SourceClaim(const std::string& source, const std::string& mountpoint,
                         const Settings& settings) {
    const std::vector<Ancestor> above = ancestors_of(source);
    const MountFacts mine = facts_of(source, mountpoint, above);
    const std::vector<uid_t> trusted = trusted_for(source);
    const Clock::time_point begin = Clock::now();
    bool said = false;
    for (;; std::this_thread::sleep_for(kBetweenLooks)) {
        auto lock = SourceLock::take(source, above);
        // If the lock is taken, there is a daemon, so the record of any user is accepted.
        const auto holder = find_holder(mine, "", settings, lock ? trusted : std::vector<uid_t>{});
        if (lock && !holder) {
            lock_ = std::move(*lock);
            break;
        }
        if (!holder) {
            if (Clock::now() - begin > kPublished) {
                refuse_locked(mine, lock.error());
            }
        } else if (!mount_is_gone(holder->facts)) {
            refuse_mounted(mine, holder->facts);
        } else if (Clock::now() - begin > settings.patience) {
            refuse_committing(mine, holder->facts, settings.patience);
        } else if (!std::exchange(said, true)) {
            settings.say(
                fmt::format("waiting at most {:g} s for the last commit of process {} to '{}'",
                            seconds(settings.patience), holder->facts.pid, holder->facts.source));
        }
    }
    remove_stale_records(settings.records, mine.source_id);
    record_.emplace(settings.records, mine);
    if (record_->problem()) {
        settings.say(fmt::format("no record of this mount can be kept in {} ({}): umount and "
                                 "'partialfs --wait' cannot wait for its last commit",
                                 settings.records.string(),
                                 std::strerror(record_->problem()->value)));
    }
    if (lock_->problem()) {
        settings.say(fmt::format("SOURCE '{}' cannot be locked ({}): make sure that no other "
                                 "machine or container mounts it",
                                 source, std::strerror(lock_->problem()->value)));
        // Two daemons that start at the same time see each other's record, and both fail.
        if (const auto other = find_holder(mine, record_->name(), settings, trusted)) {
            refuse_mounted(mine, other->facts);
        }
    }
}

} // namespace partialfs::startup
