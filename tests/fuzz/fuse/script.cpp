#include "tests/fuzz/fuse/script.hpp"

#include <linux/fuse.h>

#include <algorithm>
#include <array>
#include <utility>

namespace partialfs::fuzz {
namespace {

/// Flags in the first byte of an input.
enum Setting : std::uint8_t {
    kOldContract = 1,
    kEager = 2,
    kWriteback = 4,
    kSmallBlocks = 8,
    kTimer = 16,
    kNobodyWaits = 32, ///< every request is sent at once
    kLittleMemory = 64,
};

/// A record begins with: opcode, inode, these flags, and two bytes with the length of its
/// arguments.
enum Flag : std::uint8_t {
    kGoesOn = 1,
    kByUser = 2,
};
constexpr std::size_t kRecordHeader = 5;
/// More requests only take longer.
constexpr std::size_t kMostRequests = 400;

startup::Options options_of(std::uint8_t bits) {
    startup::Options options = small_mount();
    if ((bits & kOldContract) != 0) {
        options.contract = model::Contract::linux_2_6_19;
    }
    if ((bits & kEager) != 0) {
        options.flush_policy = model::FlushPolicy::eager;
    } else if ((bits & kWriteback) != 0) {
        options.flush_policy = model::FlushPolicy::writeback;
    }
    if ((bits & kSmallBlocks) != 0) {
        options.block_size = *model::BlockSize::from_bytes(1024);
    }
    if ((bits & kTimer) != 0) {
        options.commit_interval = std::chrono::milliseconds(1);
    }
    if ((bits & kLittleMemory) != 0) {
        options.dirty_limit = model::ByteCount{std::uint64_t{64} << 10U};
    }
    return options;
}

void append_header(Bytes& bytes, std::uint32_t opcode, std::uint8_t inode, std::uint8_t flags,
                   std::size_t length) {
    for (const std::size_t byte : {std::size_t{opcode}, std::size_t{inode}, std::size_t{flags},
                                   length & 255U, length >> 8U}) {
        bytes.push_back(static_cast<std::byte>(byte));
    }
}

} // namespace

startup::Options small_mount() {
    startup::Options options;
    options.contract = model::Contract::linux_2_6_20;
    options.block_size = *model::BlockSize::from_bytes(4096);
    options.commit_interval = std::chrono::milliseconds(0);
    options.dirty_limit = model::ByteCount{std::uint64_t{1} << 20U};
    options.probe = startup::ProbeChoice::compare;
    options.threads = 4;
    options.fuse_options = {"default_permissions"};
    return options;
}

Script parse_script(std::span<const std::byte> input) {
    Script script;
    if (input.empty()) {
        return script;
    }
    const auto bits = std::to_integer<std::uint8_t>(input.front());
    script.options = options_of(bits);
    input = input.subspan(1);
    while (input.size() >= kRecordHeader && script.requests.size() < kMostRequests) {
        std::array<std::uint8_t, kRecordHeader> header{};
        std::ranges::transform(input.first(kRecordHeader), header.begin(),
                               [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
        input = input.subspan(kRecordHeader);
        const std::size_t length =
            std::min<std::size_t>(header[3] | static_cast<unsigned>(header[4]) << 8U, input.size());
        Bytes arguments(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(length));
        input = input.subspan(length);
        if (header[0] == FUSE_NOTIFY_REPLY) {
            script.retrieved.push_back(std::move(arguments));
            continue;
        }
        script.requests.push_back(
            {.opcode = header[0],
             .inode = header[1],
             .waits = (header[2] & kGoesOn) == 0 && (bits & kNobodyWaits) == 0,
             .by_root = (header[2] & kByUser) == 0,
             .arguments = std::move(arguments)});
    }
    return script;
}

ScriptWriter::ScriptWriter() : bytes_(1) {}

void ScriptWriter::add(const ScriptedRequest& request) {
    const auto flags = static_cast<std::uint8_t>((request.waits ? 0U : unsigned{kGoesOn}) |
                                                 (request.by_root ? 0U : unsigned{kByUser}));
    append_header(bytes_, request.opcode, request.inode, flags, request.arguments.size());
    bytes_.insert(bytes_.end(), request.arguments.begin(), request.arguments.end());
}

void ScriptWriter::add_retrieved(std::span<const std::byte> bytes) {
    append_header(bytes_, FUSE_NOTIFY_REPLY, 0, 0, bytes.size());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

} // namespace partialfs::fuzz
