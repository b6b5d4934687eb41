// A block device that a run may write over.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mmapstress {

/// What the first bytes of a device say that it holds, by the signature of a filesystem, a
/// partition table, swap space or a part of a volume. Nothing if they say nothing. `first`: the
/// first kSignatureBytes, or all of a smaller device. Pure; any thread.
std::optional<std::string_view> signature_in(std::span<const std::byte> first);
inline constexpr std::size_t kSignatureBytes = 128U << 10U;

/// A device that is this process's alone: nobody can mount it, or build upon it, while it is open.
struct OwnDevice {
    partialfs::base::Fd fd; ///< for reading and writing
    ByteCount size;
};

/// Opens the block device at `path` with O_EXCL. Refused, and left as it is: a device that is
/// mounted or in use, that has a signature, that is read-only, and what is no block device.
Outcome<OwnDevice> open_device(const std::string& path);

} // namespace mmapstress
