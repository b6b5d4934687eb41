// What a BitTorrent client does to its files, and what its hash check finds afterwards.
//
// rtorrent maps a file piece by piece, shared and writable, and receives each 16 KiB block directly
// from the socket into the mapping, in bursts of TCP segments. When the throttled connection has no
// more data there is a pause, nearly always in the middle of a page. Several pieces are in flight.
// A complete piece is hashed in the live mapping, synchronised with MS_ASYNC and unmapped. In 2006
// all these steps succeeded; the damage appeared when the client checked its files from disk.
#pragma once

#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

inline constexpr std::string_view kTorrentName = "torrent";

/// Downloads `files` files of `size` bytes (by default 4 files of 8 MiB) as one torrent, with two
/// pieces of each file in flight. When all is there, checks the files from disk and begins again,
/// until there have been `ops` operations. Without `ops`: once.
std::expected<std::unique_ptr<OpSource>, std::string>
make_torrent(const WorkloadSettings& settings);

/// The client's hash check from disk. Returns one sentence for each piece that was complete after
/// operation `last`, but whose bytes, as `read` gives them, have another hash.
std::vector<std::string> judge_torrent(OpSource& source, OpId last, const FileReader& read);

} // namespace mmapstress
