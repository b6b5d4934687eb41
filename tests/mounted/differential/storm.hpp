// A thread that stores into a mapped page again and again while other operations go on.
#pragma once

#include "tests/mounted/differential/side.hpp"
#include "tests/mounted/differential/time_rules.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace partialfs::differential {

/// Stores into `length` bytes at `address` on both sides until it is ended. Their values are
/// unknown meanwhile, so comparisons leave these bytes out.
class Storm {
  public:
    Storm(Identity file, std::int64_t offset, std::size_t length, const Both<char*>& address);
    Storm(const Storm&) = delete;
    Storm& operator=(const Storm&) = delete;
    /// Joins the thread.
    ~Storm();

    /// Ends it with all bytes the same on both sides. False if a store raised SIGBUS.
    [[nodiscard]] bool end();

    [[nodiscard]] const Identity& file() const { return file_; }
    [[nodiscard]] std::int64_t begin_offset() const { return offset_; }
    [[nodiscard]] std::int64_t end_offset() const {
        return offset_ + static_cast<std::int64_t>(length_);
    }

  private:
    void store();

    Identity file_;
    std::int64_t offset_;
    std::size_t length_;
    Both<char*> address_;
    std::atomic<bool> stopped_{false};
    std::atomic<bool> faulted_{false};
    std::thread thread_;
};

/// Runs `access`, which touches mapped memory. False if it raised SIGBUS.
[[nodiscard]] bool without_bus_error(void (*access)(void*), void* argument);

template <typename Access>
[[nodiscard]] bool without_bus_error(Access access) {
    return without_bus_error([](void* argument) { (*static_cast<Access*>(argument))(); }, &access);
}

} // namespace partialfs::differential
