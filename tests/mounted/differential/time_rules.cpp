#include "tests/mounted/differential/time_rules.hpp"

#include <algorithm>
#include <ctime>
#include <sstream>

namespace partialfs::differential {
namespace {

std::string pair_of(std::string_view what, std::string_view rule, Stamp mounted, Stamp other) {
    std::ostringstream text;
    text << what << ": " << rule << ": " << mounted << " against " << other << " ("
         << (mounted - other) << " ns)";
    return text.str();
}

} // namespace

Stamp stamp_of(const timespec& time) {
    return Stamp{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Stamp clock_now(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return stamp_of(time);
}

void TimeRules::synced(const Identity& file) {
    Stores& stores = files_[file].stores;
    const bool moves = stores == Stores::pending || stores == Stores::settled;
    stores = moves ? Stores::settled : Stores::none;
}

void TimeRules::set(const Identity& file) {
    Stores& stores = files_[file].stores;
    stores = stores == Stores::none ? Stores::none : Stores::just_set;
}

bool TimeRules::may_move(const Identity& file) const {
    const auto seen = files_.find(file);
    if (seen == files_.end()) {
        return false;
    }
    const auto& [mounted, plain] = seen->second.modified;
    return seen->second.stores == Stores::pending || (was_set(plain) && mounted != plain);
}

TimeRules::Stores TimeRules::after_look(Stores stores, bool moved) {
    switch (stores) {
    case Stores::settled:
        return Stores::none;
    case Stores::just_set:
        return Stores::set_over;
    case Stores::set_over:
        return moved ? Stores::pending : Stores::set_over;
    default:
        return stores;
    }
}

void TimeRules::look(std::string_view what, const Identity& file, const Both<struct stat>& status,
                     const AskDaemon& ask) {
    auto modified = for_both([&](Side side) { return stamp_of(status[side].st_mtim); });
    auto changed = for_both([&](Side side) { return stamp_of(status[side].st_ctim); });
    const Stamp looked_at = clock_now(CLOCK_REALTIME_COARSE);
    Seen& seen = files_[file];
    if (seen.at != 0) {
        const bool has_news = changed.plain != seen.changed.plain;
        if (changed.mounted < seen.changed.mounted + Stamp{has_news ? 1 : 0}) {
            const Told told = ask();
            modified.mounted = told.modified;
            changed.mounted = told.changed;
        }
        checks_.require(
            Check::times, changed.mounted >= seen.changed.mounted,
            pair_of(what, "the change time went back", changed.mounted, seen.changed.mounted));
    }
    if (seen.stores != Stores::pending && seen.stores != Stores::settled) {
        look_at_moved(what, seen, modified);
        look_in_order(what, seen, modified);
    }
    const bool moved = modified.plain != seen.modified.plain;
    if (!was_set(modified.plain)) {
        newest_ = std::max(newest_, modified.mounted);
    }
    seen = {modified, changed, looked_at, newest_, after_look(seen.stores, moved)};
}

void TimeRules::look_at_moved(std::string_view what, const Seen& before,
                              const Both<Stamp>& now) const {
    const bool moved = before.at == 0 || now.plain != before.modified.plain;
    if (moved && (was_set(now.plain) || was_set(now.mounted))) {
        checks_.require(
            Check::times, now.mounted == now.plain,
            pair_of(what, "not the modification time that was set", now.mounted, now.plain));
        return;
    }
    checks_.require(Check::times, now.mounted <= clock_now(CLOCK_REALTIME),
                    pair_of(what, "the modification time is in the future", now.mounted,
                            clock_now(CLOCK_REALTIME)));
    if (before.at == 0) {
        return;
    }
    if (!moved) {
        const bool set_to_the_same = now.mounted == now.plain;
        checks_.require(Check::times, set_to_the_same || now.mounted == before.modified.mounted,
                        pair_of(what, "the modification time moved without a change", now.mounted,
                                before.modified.mounted));
        return;
    }
    checks_.require(
        Check::times, now.mounted >= before.at,
        pair_of(what, "changed, but the modification time is from before", now.mounted, before.at));
}

void TimeRules::look_in_order(std::string_view what, const Seen& before,
                              const Both<Stamp>& now) const {
    if (was_set(now.plain) || now.plain == before.modified.plain) {
        return;
    }
    checks_.require(Check::stamps, now.mounted >= before.given_out,
                    pair_of(what, "changed later, but its modification time is older", now.mounted,
                            before.given_out));
}

} // namespace partialfs::differential
