// FUSE's INIT, with flags that libfuse cannot ask for.
//
// libfuse puts into its reply only the flags that it knows, and Debian 12's 3.14 knows nothing of
// FUSE_HANDLE_KILLPRIV_V2. So the reply is caught on its way: while libfuse handles INIT, a pipe
// stands in for the connection; then the reply is sent with the flags that were wanted besides.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace partialfs::fuse {

/// One INIT. For one thread; nobody else may use the connection meanwhile.
class InitExchange {
  public:
    /// `request` is what came from the kernel. `connection` is the descriptor that libfuse replies
    /// on; it stays libfuse's, and outlives this object.
    InitExchange(std::span<const std::byte> request, int connection);

    /// What libfuse writes to the connection from now on waits here. Errors are those of pipe2(2)
    /// and dup3(2); the connection is then as it was.
    base::Result<void> catch_reply();

    /// Asks for a flag of fuse_init_in.flags. False, and it is not asked for: the kernel has not
    /// offered it, or the reply is not caught.
    bool want(std::uint32_t flag);

    /// Gives the connection back and sends what was caught, if anything was. Errors are those of
    /// read(2) and write(2); EIO: the kernel did not take the reply whole.
    base::Result<void> send_reply();

  private:
    int connection_;
    std::uint32_t offered_ = 0;
    std::uint32_t wanted_ = 0;
    base::Fd kernel_; ///< the connection, while the pipe has its place
    base::Fd caught_; ///< the end of the pipe that the reply comes out of
};

} // namespace partialfs::fuse
