// The input of the FUSE target: the settings of a mount, and the requests that it gets.
//
// The numbers of inodes and handles are known only once the daemon has given them out, and differ
// from run to run. A script represents each by a byte: see Numbers.
#pragma once

#include "fusefs/startup/options.hpp"
#include "tests/fuzz/fuse/request_layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace partialfs::fuzz {

/// A mount that keeps little, commits only on request, and finds stored pages by comparing:
/// requests and replies are then all it needs of the kernel.
startup::Options small_mount();

struct ScriptedRequest {
    std::uint8_t opcode = 0;
    std::uint8_t inode = 0; ///< a byte of Numbers
    bool waits = true;      ///< the next request is sent once this one is answered
    bool by_root = true;    ///< if not, by an ordinary user
    Bytes arguments{};      ///< with bytes of Numbers in place of inodes and handles
};

/// One answer of the kernel to FUSE_NOTIFY_RETRIEVE: the bytes that it has cached. They are used in
/// order.
using RetrievedBytes = Bytes;

struct Script {
    startup::Options options = small_mount();
    std::vector<ScriptedRequest> requests;
    std::vector<RetrievedBytes> retrieved;
};

/// Any bytes are a script; an incomplete record at the end is ignored. Records of FUSE_NOTIFY_REPLY
/// are not requests: they hold the bytes to be retrieved.
Script parse_script(std::span<const std::byte> input);

/// Makes bytes from which parse_script() makes the same script, with default options. Records must
/// be added in their order.
class ScriptWriter {
  public:
    ScriptWriter();
    void add(const ScriptedRequest& request);
    void add_retrieved(std::span<const std::byte> bytes);
    [[nodiscard]] const Bytes& bytes() const { return bytes_; }

  private:
    Bytes bytes_;
};

} // namespace partialfs::fuzz
