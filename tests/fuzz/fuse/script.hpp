// The input of the FUSE target: the settings of a mount, and the requests that it gets.
//
// Numbers of inodes and handles are not known before the daemon has given them out, and differ from
// run to run. A script names them by a byte: see Numbers.
#pragma once

#include "fusefs/startup/options.hpp"
#include "tests/fuzz/fuse/request_layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace partialfs::fuzz {

/// A mount that keeps little, commits when it is asked to, and finds stored pages by comparing: the
/// kernel's part is then requests and replies alone.
startup::Options small_mount();

struct ScriptedRequest {
    std::uint8_t opcode = 0;
    std::uint8_t inode = 0; ///< in Numbers
    bool waits = true;      ///< the next one is sent once this is answered
    bool by_root = true;    ///< or by an ordinary user
    Bytes arguments{};      ///< with bytes of Numbers in place of inodes and handles
};

/// What the kernel answers to FUSE_NOTIFY_RETRIEVE, each in its turn: what it has cached.
using RetrievedBytes = Bytes;

struct Script {
    startup::Options options = small_mount();
    std::vector<ScriptedRequest> requests;
    std::vector<RetrievedBytes> retrieved;
};

/// Any bytes are a script; what is left at the end is ignored. Records of FUSE_NOTIFY_REPLY are not
/// among the requests: they are what is retrieved.
Script parse_script(std::span<const std::byte> input);

/// Bytes that parse_script() makes the same script of, its options apart, which are the default.
/// Records must be given in their order.
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
