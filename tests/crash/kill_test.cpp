// SIGKILL at any moment: which contents the files under SOURCE may then have.
//
// A child process works on the mount and records in shared memory what it has done and what has
// been synced. The daemon is killed once the child has done a random number of steps; then the
// files under SOURCE are compared with the record.
#include "tests/crash/kill_point.hpp"
#include "tests/crash/shared_memory.hpp"
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bitset>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace partialfs::test {
namespace {

constexpr std::size_t kFileSize = 128 * 1024;
constexpr std::size_t kRecord = 700; // neither whole blocks nor whole pages
constexpr std::size_t kLedgerMost = std::size_t{1} << 20U;

/// Byte `i` of the append-only file: never 0.
unsigned char appended(std::size_t i) {
    return static_cast<unsigned char>(i % 251 + 1);
}

/// What must be on disk: the bytes at a completed fsync, or any that came later.
struct Snapshot {
    std::array<unsigned char, kFileSize> synced;
    std::array<std::bitset<256>, kFileSize> later;
    std::size_t appended_synced;
    std::array<char, kLedgerMost> ledger;
    std::size_t ledger_size;
};

struct Shared {
    std::atomic<std::uint64_t> steps;
    std::atomic<int> current; ///< index of the snapshot that holds
    std::atomic<bool> failed;
    std::array<Snapshot, 2> snapshots;
};

/// The child: works until the daemon is killed, which makes it fail with an error or SIGBUS.
class Worker {
  public:
    Worker(const std::filesystem::path& mount, Shared& shared, std::uint64_t seed)
        : mount_(mount), shared_(shared), random_(seed) {}

    [[noreturn]] void run() {
        fd_ = ::open((mount_ / "random").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        log_ = ::open((mount_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd_ < 0 || log_ < 0 || ::ftruncate(fd_, kFileSize) != 0) {
            give_up();
        }
        map_ = static_cast<unsigned char*>(
            ::mmap(nullptr, kFileSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
        if (map_ == MAP_FAILED) {
            give_up();
        }
        for (;;) {
            step();
            ++shared_.steps;
        }
    }

  private:
    [[noreturn]] static void give_up() { ::_exit(0); }
    std::size_t pick(std::size_t below) {
        return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
    }
    Snapshot& snapshot() { return shared_.snapshots[static_cast<std::size_t>(shared_.current)]; }

    void step() {
        const std::size_t offset = pick(kFileSize);
        const std::size_t length = std::min(1 + pick(5000), kFileSize - offset);
        const auto value = static_cast<unsigned char>(1 + pick(255));
        switch (pick(10)) {
        case 0:
            sync();
            break;
        case 1:
        case 2:
        case 3:
            note(offset, length, value);
            write(offset, length, value);
            break;
        case 4:
        case 5:
            append();
            break;
        default:
            note(offset, length, value);
            std::memset(map_ + offset, value, length);
        }
    }
    /// Called before the bytes change, because they may be on disk from then on.
    void note(std::size_t offset, std::size_t length, unsigned char value) {
        for (std::size_t i = offset; i < offset + length; ++i) {
            snapshot().later[i].set(value);
            now_[i] = value;
        }
    }
    void write(std::size_t offset, std::size_t length, unsigned char value) {
        const std::vector<unsigned char> data(length, value);
        if (::pwrite(fd_, data.data(), length, static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(length)) {
            give_up();
        }
    }
    void append() {
        std::vector<unsigned char> data(kRecord);
        for (unsigned char& byte : data) {
            byte = appended(appended_++);
        }
        if (::write(log_, data.data(), data.size()) != static_cast<ssize_t>(data.size())) {
            give_up();
        }
    }
    void sync() {
        if (::fsync(fd_) != 0 || ::fsync(log_) != 0) {
            give_up();
        }
        Snapshot& next = shared_.snapshots[static_cast<std::size_t>(1 - shared_.current)];
        const int fd = ::open((mount_ / ".partialfs/ledger").c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            give_up();
        }
        next.ledger_size = 0;
        for (ssize_t got = 1; got != 0; next.ledger_size += static_cast<std::size_t>(got)) {
            got = ::read(fd, next.ledger.data() + next.ledger_size,
                         next.ledger.size() - next.ledger_size);
            if (got < 0 || next.ledger_size == next.ledger.size()) {
                give_up();
            }
        }
        ::close(fd);
        next.synced = now_;
        next.appended_synced = appended_;
        std::ranges::fill(next.later, std::bitset<256>{});
        shared_.current = 1 - shared_.current;
    }

    std::filesystem::path mount_;
    Shared& shared_;
    std::mt19937_64 random_;
    int fd_ = -1;
    int log_ = -1;
    unsigned char* map_ = nullptr;
    std::size_t appended_ = 0;
    std::array<unsigned char, kFileSize> now_{};
};

struct Kill {
    const char* contract;
    const char* policy;
    const char* interval;
};
void PrintTo(const Kill& kill, std::ostream* out) {
    *out << kill.contract << ", " << kill.policy << ", " << kill.interval;
}

/// Compares the two files under SOURCE with what the snapshot allows. Describes the first
/// difference; empty if there is none.
std::string what_is_wrong(const std::filesystem::path& source, const Snapshot& snapshot) {
    const std::string log = read_file(source / "log");
    if (log.size() < snapshot.appended_synced) {
        return "the log has " + std::to_string(log.size()) + " bytes, but " +
               std::to_string(snapshot.appended_synced) + " were synced";
    }
    for (std::size_t i = 0; i < log.size(); ++i) {
        if (static_cast<unsigned char>(log[i]) != appended(i)) {
            return "the log's size covers byte " + std::to_string(i) + ", which was never written";
        }
    }
    std::string bytes = read_file(source / "random");
    bytes.resize(kFileSize); // shorter while the size is not flushed: the rest reads as zeros
    const auto lost = open_losses(std::string(snapshot.ledger.data(), snapshot.ledger_size));
    for (std::size_t i = 0; i < kFileSize; ++i) {
        const auto found = static_cast<unsigned char>(bytes[i]);
        const bool known_lost = std::ranges::any_of(lost, [&](const Damage& loss) {
            return loss.path == "random" && loss.begin <= i && i < loss.end;
        });
        if (found != snapshot.synced[i] && !snapshot.later[i][found] && !known_lost) {
            return "byte " + std::to_string(i) + " is " + std::to_string(found) + ", but " +
                   std::to_string(snapshot.synced[i]) + " was synced, and it is not in the ledger";
        }
    }
    return {};
}

class KillPoint : public ::testing::TestWithParam<Kill> {};

TEST_P(KillPoint, LeavesNoUnwrittenBytesAndEverythingThatWasSynced) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    constexpr int kPoints = 34;
    std::mt19937_64 random(7);
    partialfs::testing::Mount mount;
    for (int point = 0; point < kPoints; ++point) {
        mount.start({"--contract", GetParam().contract, "--flush-policy", GetParam().policy,
                     "--commit-interval", GetParam().interval});
        const auto shared = std::make_unique<SharedMemory<Shared>>();
        Shared& state = **shared;
        const std::uint64_t seed = random();
        const std::uint64_t steps = 1 + random() % 300;
        kill_after(mount, state.steps, steps,
                   [&] { std::make_unique<Worker>(mount.path(), state, seed)->run(); });
        const Snapshot& snapshot = state.snapshots[static_cast<std::size_t>(state.current)];
        EXPECT_EQ(what_is_wrong(mount.source(), snapshot), "")
            << "kill point " << point << ", seed " << seed << ", after " << steps << " steps";
        std::filesystem::remove(mount.source() / "log");
        std::filesystem::remove(mount.source() / "random");
    }
}

INSTANTIATE_TEST_SUITE_P(SixTimes34, KillPoint,
                         ::testing::Values(Kill{"linux-2.6.20", "eager", "2ms"},
                                           Kill{"linux-2.6.20", "ext3", "2ms"},
                                           Kill{"linux-2.6.19", "eager", "2ms"},
                                           Kill{"linux-2.6.19", "ext3", "1ms"},
                                           Kill{"linux-2.6.20", "writeback", "2ms"},
                                           Kill{"linux-2.6.19", "writeback", "1ms"}));

} // namespace
} // namespace partialfs::test
