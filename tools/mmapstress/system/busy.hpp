// What each thread of a run is doing at the moment, in memory that another process can read even
// when the thread hangs.
//
// A system call on a filesystem that hangs never returns, and the process that made it cannot be
// killed. So the run happens in a child process (commands/supervise.hpp) whose threads note here
// what they begin; the parent, which touches none of the files, sees what takes too long.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// What a thread is doing.
enum class Activity : std::uint8_t { idle, preparing, operation, syncing, evicting, reading };
inline constexpr std::array kActivities{
    EnumName{Activity::idle, "idle"},           EnumName{Activity::preparing, "preparing"},
    EnumName{Activity::operation, "operation"}, EnumName{Activity::syncing, "syncing"},
    EnumName{Activity::evicting, "evicting"},   EnumName{Activity::reading, "reading"}};
constexpr const auto& enum_names(Activity) {
    return kActivities;
}

/// One thread and what it is doing.
struct BusyThread {
    int process = 0;
    int thread = 0;
    Activity activity = Activity::idle;
    OpId op;                     ///< of an operation
    OpKind kind = OpKind::pause; ///< of an operation
    FileIndex file;
    std::chrono::nanoseconds begun{}; ///< by CLOCK_MONOTONIC

    /// "operation 17 (fsync) on file 0", "reading file 1".
    [[nodiscard]] std::string words() const;
};

/// Shared with the children that are forked while it lives. Any thread of any of these processes.
class BusyBoard {
  public:
    /// nullptr if there is no memory for it.
    static std::unique_ptr<BusyBoard> make();
    BusyBoard(const BusyBoard&) = delete;
    BusyBoard& operator=(const BusyBoard&) = delete;
    ~BusyBoard();

    /// From now on Busy writes here, in this process and those forked by it. nullptr: nowhere.
    static void use(BusyBoard* board);
    /// In a forked child: its threads are not those of the parent.
    static void forget_thread();

    /// All threads that are not idle.
    [[nodiscard]] std::vector<BusyThread> busy() const;

    /// Asks the run to end early.
    void ask_to_stop();
    [[nodiscard]] bool asked_to_stop() const;

  private:
    friend class Busy;
    struct Slot;
    struct Memory;
    explicit BusyBoard(Memory* memory) : memory_(memory) {}
    Slot* claim();

    Memory* memory_;
};

/// While it lives, the calling thread is doing this. May be nested: the outer activity goes on
/// afterwards, and its time begins anew.
class Busy {
  public:
    explicit Busy(const Op& op);
    Busy(Activity activity, FileIndex file);
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    ~Busy();

  private:
    void begin(std::uint64_t what, std::uint64_t op);

    BusyBoard::Slot* slot_;
    std::uint64_t what_before_ = 0;
    std::uint64_t op_before_ = 0;
};

} // namespace mmapstress
