#include "fusefs/fuse/init_exchange.hpp"

#include "fusefs/base/try.hpp"

#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace partialfs::fuse {
namespace {

/// fuse_init_in.flags of a request; 0 if it is no INIT.
std::uint32_t flags_of(std::span<const std::byte> request) {
    fuse_in_header header{};
    fuse_init_in arguments{};
    if (request.size() < sizeof header + sizeof arguments) {
        return 0;
    }
    std::memcpy(&header, request.data(), sizeof header);
    std::memcpy(&arguments, request.data() + sizeof header, sizeof arguments);
    return header.opcode == FUSE_INIT ? arguments.flags : 0;
}

/// Adds flags to a reply to INIT, unless it is an error.
void add_flags(std::span<std::byte> reply, std::uint32_t flags) {
    fuse_out_header header{};
    fuse_init_out result{};
    if (reply.size() < sizeof header + sizeof result) {
        return;
    }
    std::memcpy(&header, reply.data(), sizeof header);
    std::memcpy(&result, reply.data() + sizeof header, sizeof result);
    if (header.error == 0) {
        result.flags |= flags;
        std::memcpy(reply.data() + sizeof header, &result, sizeof result);
    }
}

base::Result<void> put_in_place_of(int place, const base::Fd& fd) {
    if (::dup3(fd.get(), place, O_CLOEXEC) < 0) {
        return base::last_error();
    }
    return {};
}

} // namespace

InitExchange::InitExchange(std::span<const std::byte> request, int connection)
    : connection_(connection), offered_(flags_of(request)) {}

base::Result<void> InitExchange::catch_reply() {
    base::Fd kernel{::fcntl(connection_, F_DUPFD_CLOEXEC, 0)};
    std::array<int, 2> ends{};
    if (!kernel || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return base::last_error();
    }
    base::Fd out{ends[0]};
    const base::Fd in{ends[1]};
    TRY(put_in_place_of(connection_, in));
    kernel_ = std::move(kernel);
    caught_ = std::move(out);
    return {};
}

bool InitExchange::want(std::uint32_t flag) {
    if (!caught_ || (offered_ & flag) == 0) {
        return false;
    }
    wanted_ |= flag;
    return true;
}

base::Result<void> InitExchange::send_reply() {
    if (!caught_) {
        return {};
    }
    // This closes the last way into the pipe, so that read(2) ends where there is no reply.
    TRY(put_in_place_of(connection_, kernel_));
    std::array<std::byte, sizeof(fuse_out_header) + sizeof(fuse_init_out)> reply{};
    const ssize_t got = ::read(caught_.get(), reply.data(), reply.size());
    if (got < 0) {
        return base::last_error();
    }
    const auto whole = std::span(reply).first(static_cast<std::size_t>(got));
    add_flags(whole, wanted_);
    if (const ssize_t put = whole.empty() ? 0 : ::write(connection_, whole.data(), whole.size());
        put != got) {
        return put < 0 ? base::last_error() : base::failed(EIO);
    }
    return {};
}

} // namespace partialfs::fuse
