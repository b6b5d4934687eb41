#include "fusefs/fuse/status.hpp"

#include "fusefs/faults/fault_book.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/power/power.hpp"
#include "fusefs/trace/recorder.hpp"
#include "fusefs/version.hpp"

#include <nlohmann/json.hpp>

namespace partialfs::fuse {

std::string status_json(const Mount& mount) {
    const file::Context& context = mount.context;
    const journal::Journal::Status journal = mount.journal.status();
    const file::JournaledFile::Gauge gauge = mount.journal.gauge();
    const model::Ledger::Counts ledger = context.ledger.counts();
    nlohmann::ordered_json status;
    status["version"] = kVersion;
    status["source"] = mount.settings.source;
    status["mountpoint"] = mount.settings.mountpoint;
    status["contract"] = name_of(context.settings.contract.load());
    status["flush_policy"] = name_of(context.settings.policy.load());
    status["after_write_error"] = name_of(context.settings.after_write_error.load());
    status["block_size"] = context.settings.block_size.bytes();
    status["kernel"] = {
        {"release", mount.settings.kernel_release},
        {"fuse_protocol", mount.agreed.fuse_protocol},
        {"libfuse", fuse_pkgversion()},
        {"probe", mount.page_cache.probe() == Probe::cachestat ? "cachestat" : "compare"},
        {"posix_acl", mount.agreed.posix_acl},
        {"explicit_invalidation", mount.agreed.explicit_invalidation},
        {"killpriv_v2", mount.agreed.clears_set_id},
        {"max_write", mount.agreed.max_write},
    };
    status["commits"] = journal.commits;
    status["last_commit_ns"] = journal.last_commit.count();
    status["probes"] = journal.probes;
    status["last_probe_ns"] = journal.last_probe.count();
    status["buffered_bytes"] = context.budget.used();
    status["dirty_limit"] = context.budget.limit();
    status["files_in_transaction"] = journal.files;
    status["page_entries"] = gauge.page_entries;
    status["buffer_extents"] = gauge.extents;
    status["known_inodes"] = mount.inodes.known();
    status["explicit_writes"] = context.counters.explicit_writes.load();
    status["writepages"] = context.counters.writepages.load();
    status["pages_found_dirty"] = context.counters.pages_found_dirty.load();
    status["blocks_flushed"] = context.counters.blocks_flushed.load();
    status["blocks_written"] = context.counters.blocks_written.load();
    status["blocks_skipped"] = context.counters.blocks_skipped.load();
    status["write_errors"] = context.counters.write_errors.load();
    const auto faults = mount.faults.counts();
    const std::string refused = mount.faults.refused();
    status["faults"] = {{"rules", faults.rules},
                        {"fired", faults.fired},
                        {"refused", refused.empty() ? nullptr : nlohmann::ordered_json(refused)}};
    status["power"] = nullptr;
    if (power::Power* const power = context.power; power != nullptr) {
        const power::DiskCache& cache = power->cache();
        status["power"] = {{"on", power->is_on()},
                           {"cuts", power->status().cuts},
                           {"undo_bytes", cache.used()},
                           {"undo_cap", cache.cap()},
                           {"undo_times_full", cache.times_full()}};
    }
    status["ledger"] = {{"recorded", ledger.recorded},
                        {"open", ledger.open},
                        {"open_bytes", ledger.open_bytes},
                        {"healed", ledger.healed},
                        {"dropped", ledger.dropped},
                        {"not_kept", ledger.not_kept},
                        {"not_kept_bytes", ledger.not_kept_bytes}};
    status["trace_events"] = context.trace.recorded();
    status["trace_file"] = mount.settings.trace_file.empty()
                               ? nullptr
                               : nlohmann::ordered_json(mount.settings.trace_file);
    status["trace_file_errno"] = context.trace.file_error();
    // Paths and refused texts need not be UTF-8.
    return status.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace partialfs::fuse
