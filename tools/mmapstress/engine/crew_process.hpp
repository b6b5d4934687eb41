// One of the other processes of a run: forked at the start, receives its orders through a socket.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/engine/crew.hpp"
#include "tools/mmapstress/engine/thread_team.hpp"

#include <sys/types.h>

#include <optional>
#include <span>

namespace mmapstress {

/// The destructor ends the process and waits for it. Not thread-safe.
class CrewProcess {
  public:
    /// Forks. The child closes the sockets of `earlier` and never returns from here.
    static Outcome<std::unique_ptr<CrewProcess>>
    fork(const Crew::Setting& setting, std::size_t index,
         std::span<const std::unique_ptr<CrewProcess>> earlier);

    CrewProcess(const CrewProcess&) = delete;
    CrewProcess& operator=(const CrewProcess&) = delete;
    ~CrewProcess();

    /// Orders it to walk through the operations up to this one, carrying out its workers' own.
    Outcome<> order_walk(OpId last);
    /// Orders it to unmap a file.
    Outcome<> order_unmap(FileIndex file);
    /// Waits for the answer to the last order. If an operation failed, `failed` is its id.
    Outcome<> answer(OpId& failed);

  private:
    CrewProcess(pid_t pid, partialfs::base::Fd socket, std::size_t index)
        : pid_(pid), socket_(std::move(socket)), index_(index) {}
    struct Order;
    Outcome<> send(const Order& order);
    std::unexpected<Failure> gone();

    pid_t pid_;
    partialfs::base::Fd socket_;
    std::size_t index_;
};

} // namespace mmapstress
