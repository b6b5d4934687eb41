#include "fusefs/fuse/init_exchange.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

namespace partialfs::fuse {
namespace {

template <typename Header, typename Body>
std::array<std::byte, sizeof(Header) + sizeof(Body)> message(const Header& header,
                                                             const Body& body) {
    std::array<std::byte, sizeof header + sizeof body> bytes{};
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &body, sizeof body);
    return bytes;
}

auto init_request(std::uint32_t opcode, std::uint32_t offered) {
    fuse_in_header header{};
    header.opcode = opcode;
    fuse_init_in arguments{};
    arguments.flags = offered;
    return message(header, arguments);
}

/// One end is the daemon's connection, the other the kernel's.
class InitExchangeOf : public ::testing::Test {
  protected:
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
        daemon_ = base::Fd{ends[0]};
        kernel_ = base::Fd{ends[1]};
    }

    void reply(int error, std::uint32_t flags) {
        fuse_out_header header{};
        header.error = error;
        fuse_init_out result{};
        result.flags = flags;
        result.max_write = 4096;
        const auto bytes = message(header, result);
        ASSERT_EQ(::write(daemon_.get(), bytes.data(), bytes.size()), std::ssize(bytes));
    }

    /// What the kernel has received, if anything.
    std::optional<fuse_init_out> arrived() {
        std::array<std::byte, 256> bytes{};
        const ssize_t got = ::recv(kernel_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        fuse_init_out result{};
        if (got != static_cast<ssize_t>(sizeof(fuse_out_header) + sizeof result)) {
            return std::nullopt;
        }
        std::memcpy(&result, bytes.data() + sizeof(fuse_out_header), sizeof result);
        return result;
    }

    base::Fd daemon_;
    base::Fd kernel_;
};

TEST_F(InitExchangeOf, TheReplyHasWhatWasWantedBesides) {
    InitExchange exchange(init_request(FUSE_INIT, FUSE_HANDLE_KILLPRIV_V2 | FUSE_ASYNC_READ),
                          daemon_.get());
    ASSERT_TRUE(exchange.catch_reply());
    EXPECT_TRUE(exchange.want(FUSE_HANDLE_KILLPRIV_V2));
    EXPECT_FALSE(exchange.want(FUSE_POSIX_ACL)); // not offered
    reply(0, FUSE_ASYNC_READ);
    EXPECT_FALSE(arrived()); // held back until send_reply()
    ASSERT_TRUE(exchange.send_reply());
    const auto result = arrived();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->flags, std::uint32_t{FUSE_HANDLE_KILLPRIV_V2 | FUSE_ASYNC_READ});
    EXPECT_EQ(result->max_write, 4096U);
    // The descriptor is the connection again, and close-on-exec.
    EXPECT_EQ(::fcntl(daemon_.get(), F_GETFD), FD_CLOEXEC);
    reply(0, 0);
    EXPECT_TRUE(arrived());
}

TEST_F(InitExchangeOf, AnErrorIsSentAsItIs) {
    InitExchange exchange(init_request(FUSE_INIT, FUSE_HANDLE_KILLPRIV_V2), daemon_.get());
    ASSERT_TRUE(exchange.catch_reply());
    EXPECT_TRUE(exchange.want(FUSE_HANDLE_KILLPRIV_V2));
    reply(-EPROTO, 0);
    ASSERT_TRUE(exchange.send_reply());
    const auto result = arrived();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->flags, 0U);
}

TEST_F(InitExchangeOf, WithoutAReplyNothingIsSent) {
    InitExchange exchange(init_request(FUSE_INIT, FUSE_HANDLE_KILLPRIV_V2), daemon_.get());
    ASSERT_TRUE(exchange.catch_reply());
    EXPECT_TRUE(exchange.send_reply());
    EXPECT_FALSE(arrived());
}

TEST_F(InitExchangeOf, WhatIsNotCaughtIsNotAskedFor) {
    InitExchange uncaught(init_request(FUSE_INIT, FUSE_HANDLE_KILLPRIV_V2), daemon_.get());
    EXPECT_FALSE(uncaught.want(FUSE_HANDLE_KILLPRIV_V2));
    EXPECT_TRUE(uncaught.send_reply());
    InitExchange other(init_request(FUSE_STATFS, FUSE_HANDLE_KILLPRIV_V2), daemon_.get());
    ASSERT_TRUE(other.catch_reply());
    EXPECT_FALSE(other.want(FUSE_HANDLE_KILLPRIV_V2)); // not an INIT request
    EXPECT_TRUE(other.send_reply());
}

TEST_F(InitExchangeOf, ALostKernelIsAnError) {
    InitExchange exchange(init_request(FUSE_INIT, 0), daemon_.get());
    ASSERT_TRUE(exchange.catch_reply());
    reply(0, 0);
    kernel_.reset();
    // Writing to a closed socket raises SIGPIPE; writing to /dev/fuse does not.
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    const auto sent = exchange.send_reply();
    ::signal(SIGPIPE, before);
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().value, EPIPE);
}

} // namespace
} // namespace partialfs::fuse
