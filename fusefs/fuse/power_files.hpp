// The control directory's files for power cuts: `power`, `fired` and `unsynced`.
#pragma once

#include "fusefs/fuse/control_files.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/reply.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace partialfs::fuse {

/// The contents of `power`: JSON.
std::string power_json(const Mount& mount);
/// A write to `power`: answered when the command is done. EINVAL: the command is not understood,
/// and `power` says why; EBUSY: the power is off already (cut), or is being cut (on).
Answer write_power(fuse_req_t req, std::string_view text, std::size_t size);

/// A reader of `fired`. From offset 0 it waits for an armed cut; see read_fired().
std::shared_ptr<ControlReader> open_fired();
/// Takes no thread while it waits. EINTR: the reader was interrupted; ENODEV: the mount ends.
Answer read_fired(fuse_req_t req, std::size_t size, off_t offset,
                  const std::shared_ptr<ControlReader>& reader);

/// Opens `unsynced`, whose text lists what a cut would take now. Before the open is answered,
/// mapped stores are looked for on a thread that serves no requests.
Answer open_unsynced(fuse_req_t req, const fuse_file_info& info);

} // namespace partialfs::fuse
