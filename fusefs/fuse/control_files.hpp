// The contents of the control directory's files, and the effect of writing to them.
#pragma once

#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/open_handles.hpp"
#include "fusefs/fuse/reply.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace partialfs::fuse {

/// The text for one open control file. Thread-safe.
class ControlReader : public OpenHandle {
  public:
    /// Up to `size` bytes from `offset` on; fewer only at the end.
    virtual std::string read(std::uint64_t offset, std::size_t size) = 0;
};

/// A reader of a control file's present contents; empty for files that are only written. That of
/// the ledger makes its text as it is read.
std::shared_ptr<ControlReader> open_control_file(const Mount& mount, fuse_ino_t number);

/// The st_size of a control file: the length of its contents; 0, as for files in /proc, for
/// `ledger`, `trace`, `power`, `fired` and `unsynced`.
std::size_t size_of_contents(const Mount& mount, fuse_ino_t number);

/// A write to a control file: the answer comes when the requested action is done, or is an errno.
/// EINVAL: an unknown value, a policy that does not go with the contract, or rules of faults or a
/// power command that cannot be understood; EPERM: a file that cannot be written.
Answer write_control_file(fuse_req_t req, fuse_ino_t number, std::string_view data);

} // namespace partialfs::fuse
