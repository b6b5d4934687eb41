#include "fusefs/fuse/power_cut.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace partialfs::fuse {

using power::Command;
using power::CutReport;

namespace {

/// The bytes lost and not healed, whether the ledger has kept their entries or not.
std::uint64_t bytes_in(const file::LedgerBook& ledger) {
    const model::Ledger::Counts counts = ledger.counts();
    return counts.open_bytes + counts.not_kept_bytes;
}

} // namespace

std::string path_of(const Mount& mount, const Inode& inode) {
    return backing::path_below(inode.fd(), mount.settings.source);
}

PowerCut::PowerCut(Mount& mount) : mount_(mount), power_(*mount.context.power) {
    power_.set_cutter([this](const Command& command) {
        thread_.submit([this, command](bool serving) {
            if (!serving) {
                power_.cut_is_done(std::nullopt, false);
                return;
            }
            carry_out(command);
        });
    });
}

void PowerCut::stop() {
    thread_.stop();
    power_.end();
}

void PowerCut::carry_out(const Command& command) {
    CutReport report;
    const std::uint64_t before = bytes_in(mount_.context.ledger);
    const bool on_again = command.verb == Command::Verb::cut_and_on;
    const auto carried_out = base::without_exceptions([&]() -> base::Result<void> {
        power_.boot().wait_until_left();
        mount_.context.trace.record({.kind = trace::Kind::power_cut});
        const std::vector<InodePtr> files = mount_.inodes.cut_off();
        mount_.journal.power_was_cut();
        power::Reverted reverted = power_.cache().revert(command.tear);
        report.sectors_kept = reverted.sectors_kept;
        report.sectors_lost = reverted.sectors_lost;
        report.error = reverted.error;
        for (const InodePtr& inode : files) {
            take_file(inode, reverted.files, report);
        }
        for (const power::Taken& taken : reverted.files) {
            take_unknown(taken, report);
        }
        for (const InodePtr& inode : files) {
            mount_.page_cache.close_way(inode->id());
            mount_.page_cache.drop(inode->id());
        }
        mount_.page_cache.take_writeback_error(); // programs of the next boot must not see it
        report.files += static_cast<std::uint64_t>(std::ranges::count_if(
            files, [](const InodePtr& inode) { return inode->data()->cut_took(); }));
        return {};
    });
    if (!carried_out) {
        report.error = carried_out.error().value;
    }
    if (report.error != 0) {
        spdlog::error("power cut: not everything could be put back as it was before: {}",
                      std::strerror(report.error));
    }
    report.bytes = bytes_in(mount_.context.ledger) - before;
    spdlog::info("power cut{}: {} bytes and {} sizes of {} files are gone",
                 command.at ? ", armed" : "", report.bytes, report.sizes, report.files);
    if (on_again) {
        mount_.context.trace.record({.kind = trace::Kind::power_on});
    }
    power_.cut_is_done(report, on_again);
}

void PowerCut::take_file(const InodePtr& inode, std::vector<power::Taken>& from_disk,
                         CutReport& report) {
    const auto key = inode->key();
    const auto own =
        std::ranges::find(from_disk, power::FileKey{key.device, key.number}, &power::Taken::file);
    std::vector<model::ByteRange> bytes;
    if (own != from_disk.end()) {
        bytes = std::move(own->bytes);
        from_disk.erase(own);
    }
    const std::string path = path_of(mount_, *inode);
    mount_.context.trace.keep_path(inode->id(), path);
    if (inode->data()->lose_memory(path, bytes)) {
        ++report.sizes;
    }
}

void PowerCut::take_unknown(const power::Taken& taken, CutReport& report) {
    const std::string path = backing::path_below(taken.fd, mount_.settings.source);
    const bool resized = taken.size_before != taken.size_after;
    if (path.empty() || (taken.bytes.empty() && !resized)) {
        return;
    }
    const model::InodeId id = mount_.inodes.next_id();
    mount_.context.ledger.cut(id, path, taken.bytes);
    mount_.context.trace.keep_path(id, path);
    for (const model::ByteRange& range : taken.bytes) {
        mount_.context.trace.record({.inode = id,
                                     .page_or_offset = range.begin.value,
                                     .length = range.size().value,
                                     .kind = trace::Kind::cut_took});
    }
    if (resized) {
        mount_.context.trace.record({.inode = id,
                                     .page_or_offset = taken.size_before.value,
                                     .length = taken.size_after.value,
                                     .kind = trace::Kind::cut_resized});
        mount_.context.ledger.cut_size(id, path,
                                       {.was = taken.size_before, .is = taken.size_after});
        ++report.sizes;
    }
    ++report.files;
}

void lose_pages(Mount& mount, const Inode& inode, model::ByteOffset offset,
                std::span<const std::byte> bytes) {
    power::Power* const power = mount.context.power;
    if (power == nullptr || inode.data() == nullptr || !power->is_cutting()) {
        return;
    }
    inode.data()->lose_pages(offset, bytes);
}

} // namespace partialfs::fuse
