#include "fusefs/startup/daemon.hpp"

#include "fusefs/fuse/bdi_settings.hpp"
#include "fusefs/startup/log.hpp"
#include "fusefs/startup/mount_table.hpp"
#include "fusefs/startup/start_failure.hpp"

#include <string>
#include <vector>

namespace partialfs::startup {

Daemon::Daemon(const Options& options, faults::FaultBook& faults)
    : claim_(
          absolute_path(options.source), absolute_path(options.mountpoint),
          {.say = [&options](
                      const std::string& line) { tell_user(options, LogLevel::warning, line); }}),
      filesystem_(options, choose_probe(options.probe), faults) {
    fuse::Session::block_end_signals();
    fuse::become_io_flusher(); // before any thread is started
    if (const auto mounted = filesystem_.mount(); !mounted) {
        throw StartFailure(mounted.error());
    }
    const std::vector<MountTableEntry> table = mount_table();
    if (const MountTableEntry* const own = mount_of(absolute_path(options.mountpoint), table)) {
        claim_.record().mounted(own->identity);
        umount_hint_.give(*own);
    }
}

int Daemon::serve(const std::function<bool()>& ready) {
    const int last_error = filesystem_.serve(ready);
    claim_.record().finished(last_error);
    return last_error;
}

} // namespace partialfs::startup
