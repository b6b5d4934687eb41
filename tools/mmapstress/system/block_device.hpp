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

/// What a device holds, by the signature in its first bytes: a filesystem, a partition table, swap
/// space or a part of a volume. Nothing if there is no signature. `first`: the first
/// kSignatureBytes, or all of a smaller device. Pure; any thread.
std::optional<std::string_view> signature_in(std::span<const std::byte> first);
inline constexpr std::size_t kSignatureBytes = 128U << 10U;

/// A device for this process alone: nobody can mount it, or build a volume on it, while it is open.
struct OwnDevice {
    partialfs::base::Fd fd; ///< for reading and writing
    ByteCount size;
};

/// Opens the block device at `path` with O_EXCL. Refuses, without changing anything: a device that
/// is mounted or in use, has a signature or is read-only, and anything that is not a block device.
Outcome<OwnDevice> open_device(const std::string& path);

} // namespace mmapstress
