// What a BitTorrent client does to its files, and what its hash check says afterwards.
//
// rtorrent maps a file piece by piece, shared and writable, and receives each 16 KiB block straight
// from the socket into the mapping: in bursts of TCP segments, with a pause wherever the throttled
// connection had no more, which is inside a page nearly always. Several pieces are in flight. A
// complete piece is hashed in the live mapping, synchronised with MS_ASYNC and unmapped. All of
// that went well in 2006; then the client checked its files from disk.
#pragma once

#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

inline constexpr std::string_view kTorrentName = "torrent";

/// Downloads `files` files of `size` bytes (4 and 8 MiB by default) as one torrent, two pieces of
/// each file in flight; when all is there, checks it from disk and begins anew, until there have
/// been `ops` operations. Without `ops`: once.
std::expected<std::unique_ptr<OpSource>, std::string>
make_torrent(const WorkloadSettings& settings);

/// The client's hash check from disk: one sentence for each piece that was complete when operation
/// `last` had been done and whose bytes, as `read` gives them, have another hash.
std::vector<std::string> judge_torrent(OpSource& source, OpId last, const FileReader& read);

} // namespace mmapstress
