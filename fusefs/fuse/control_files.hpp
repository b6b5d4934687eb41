// What the files of the control directory hold, and what writing to them does.
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

/// What an open control file reads. Thread-safe.
class ControlReader : public OpenHandle {
  public:
    /// Up to `size` bytes from `offset` on; fewer only at the end.
    virtual std::string read(std::uint64_t offset, std::size_t size) = 0;
};

/// A reader of what a control file holds now: nothing for those that are only written. One of the
/// ledger goes through it as it is read.
std::shared_ptr<ControlReader> open_control_file(const Mount& mount, fuse_ino_t number);

/// The st_size of a control file: the length of its contents. Of `ledger` and `trace`, which can be
/// long, and of `power`, it is 0, as of files in /proc.
std::size_t size_of_contents(const Mount& mount, fuse_ino_t number);

/// A write to a control file: it is answered once what was asked for is done, or with the errno
/// that says why it is not. EINVAL: no such contract, policy or way, or rules
/// of faults that cannot be understood; EPERM: not to be written.
Answer write_control_file(fuse_req_t req, fuse_ino_t number, std::string_view data);

} // namespace partialfs::fuse
