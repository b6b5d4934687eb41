// Power cuts at 200 random moments while a program writes, renames, stores and fsyncs: whatever a
// successful fsync covered is there afterwards, and nothing appears that was never written.
#include "fusefs/base/fd.hpp"
#include "tests/crash/shared_memory.hpp"
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>

namespace partialfs::testing {
namespace {

using base::Fd;
using test::read_file;

constexpr std::size_t kSlots = 4;
constexpr std::size_t kLine = 16;
constexpr std::size_t kScratch = 65536;

/// What the program has begun, and what its syncs have promised. Only the program writes it; it
/// outlives the program.
struct Shared {
    std::atomic<std::uint64_t> steps;
    std::array<std::atomic<std::uint64_t>, kSlots> slot_begun;
    std::array<std::atomic<std::uint64_t>, kSlots> slot_promised;
    std::atomic<std::uint64_t> lines_begun;
    std::atomic<std::uint64_t> lines_promised;
};

std::string line_of(std::uint64_t number) {
    std::string line = std::to_string(number);
    return std::string(kLine - 1 - line.size(), '0') + line + '\n';
}
/// A size that is a multiple of neither a page nor a sector.
std::string slot_content(std::size_t slot, std::uint64_t generation) {
    std::string text;
    while (text.size() < 9000) {
        text += std::to_string(slot) + ':' + std::to_string(generation) + ';';
    }
    return text;
}
/// One of ten values that only this place of the file gets; before the first it is 0.
char scratch_byte(std::size_t place, std::uint64_t version) {
    return static_cast<char>(1 + (place * 7 + version % 10) % 250);
}
bool may_be_there(std::size_t place, char byte) {
    return byte == 0 || (static_cast<unsigned char>(byte) - 1U + 250U - place * 7 % 250) % 250 < 10;
}

/// The program. Any call that fails means that the power is off.
class Program {
  public:
    Program(std::filesystem::path mount, Shared& shared, std::uint64_t seed)
        : mount_(std::move(mount)), shared_(shared), random_(seed) {}

    [[noreturn]] void run() {
        log_ = must(::open((mount_ / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        scratch_ = must(::open((mount_ / "scratch").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        void* const mapped =
            ::mmap(nullptr, kScratch, PROT_READ | PROT_WRITE, MAP_SHARED, scratch_, 0);
        must(mapped == MAP_FAILED ? -1 : 0);
        bytes_ = static_cast<char*>(mapped);
        for (;;) {
            switch (random_() % 4) {
            case 0:
                replace_slot();
                break;
            case 1:
            case 2:
                append();
                break;
            default:
                store();
            }
            ++shared_.steps;
        }
    }

  private:
    static int must(int result) {
        if (result < 0) {
            ::_exit(errno == EIO ? 0 : errno);
        }
        return result;
    }
    static void put(int fd, const std::string& text, off_t offset) {
        // The power may fail in the middle of a call: it is then short, and the next one fails.
        for (std::size_t done = 0; done < text.size();) {
            done += static_cast<std::size_t>(must(static_cast<int>(
                ::pwrite(fd, text.data() + done, text.size() - done, offset + off_t(done)))));
        }
    }

    void replace_slot() {
        const std::size_t slot = random_() % kSlots;
        const std::uint64_t generation = shared_.slot_begun.at(slot) + 1;
        const std::string temporary = mount_ / "temporary";
        const int fd =
            must(::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        put(fd, slot_content(slot, generation), 0);
        must(::fsync(fd));
        ::close(fd);
        shared_.slot_begun.at(slot) = generation;
        must(::rename(temporary.c_str(), (mount_ / std::to_string(slot)).c_str()));
        shared_.slot_promised.at(slot) = generation;
    }
    void append() {
        const std::uint64_t count = 1 + random_() % 100;
        std::string text;
        const std::uint64_t first = shared_.lines_promised + 1;
        for (std::uint64_t i = 0; i < count; ++i) {
            text += line_of(first + i);
        }
        shared_.lines_begun = std::max<std::uint64_t>(shared_.lines_begun, first + count - 1);
        put(log_, text, off_t((first - 1) * kLine));
        if (random_() % 3 != 0) {
            must(random_() % 2 == 0 ? ::fsync(log_) : ::fdatasync(log_));
            shared_.lines_promised = first + count - 1;
        }
    }
    void store() {
        for (int stores = 0; stores < 50; ++stores) {
            const std::size_t place = random_() % kScratch;
            bytes_[place] = scratch_byte(place, random_());
        }
        if (random_() % 4 == 0) {
            must(::msync(bytes_, kScratch, MS_SYNC));
        }
    }

    const std::filesystem::path mount_;
    Shared& shared_;
    std::mt19937_64 random_;
    int log_ = -1;
    int scratch_ = -1;
    char* bytes_ = nullptr;
};

class PowerPromises : public ::testing::Test {
  protected:
    void SetUp() override {
        SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
        mount_.start({"--power", "--contract", "linux-2.6.20", "--commit-interval", "20ms"});
        Fd scratch(::open((mount_.path() / "scratch").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        const std::string zeros(kScratch, '\0');
        ASSERT_EQ(::pwrite(scratch.get(), zeros.data(), zeros.size(), 0), ssize_t(kScratch));
        ASSERT_EQ(::fsync(scratch.get()), 0);
    }
    int tell(const std::string& command) {
        const Fd fd(::open((mount_.path() / ".partialfs/power").c_str(), O_WRONLY | O_CLOEXEC));
        return ::write(fd.get(), command.data(), command.size()) < 0 ? errno : 0;
    }
    std::string random_tear() {
        constexpr std::array kTears{"tear=all", "tear=none", "tear=512",
                                    "tear=512", "tear=4096", "tear=512 keep-order"};
        const std::string tear = kTears.at(random_() % kTears.size());
        const bool seeded =
            tear.find("all") == std::string::npos && tear.find("none") == std::string::npos;
        return tear + (seeded ? " seed=" + std::to_string(random_() >> 1U) : "");
    }
    /// Empty: cut at once.
    std::string random_moment() {
        const auto number = [&](std::uint64_t most) {
            return std::to_string(1 + random_() % most);
        };
        const std::string when = random_() % 2 == 0 ? " when=before" : " when=after";
        switch (random_() % 6) {
        case 0:
            return " at=op:" + number(400);
        case 1:
            return " at=fsync:" + number(20) + when;
        case 2:
            return " at=rename:" + number(8) + when;
        case 3:
            return " at=commit:" + number(20) + when;
        case 4:
            return " at=writepage:" + number(40) + when;
        default:
            return "";
        }
    }
    /// Runs the program until the power is cut, then turns the power on again.
    void one_cut() {
        const std::string moment = random_moment();
        const std::string command = "cut " + random_tear() + moment;
        const std::uint64_t wanted = shared_->steps + random_() % 40;
        const std::uint64_t seed = random_();
        if (!moment.empty()) {
            ASSERT_EQ(tell(command), 0) << command;
        }
        const pid_t child = ::fork();
        if (child == 0) {
            ::signal(SIGBUS, SIG_DFL);
            Program(mount_.path(), *shared_, seed).run();
        }
        if (moment.empty()) {
            EXPECT_TRUE(wait_until([&] { return shared_->steps >= wanted; }));
            ASSERT_EQ(tell(command), 0) << command;
        } else {
            read_file(mount_.path() / ".partialfs/fired");
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) == 0)
            << command << ": " << status;
        ASSERT_EQ(tell("on"), 0);
        done_ = command;
    }
    void check() {
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
            const std::uint64_t promised = shared_->slot_promised.at(slot);
            const std::uint64_t begun = shared_->slot_begun.at(slot);
            const std::string found = read_file(mount_.path() / std::to_string(slot));
            std::uint64_t is = begun + 1;
            for (std::uint64_t g = promised; g <= begun; ++g) {
                is = found == (g == 0 ? "" : slot_content(slot, g)) ? g : is;
            }
            EXPECT_LE(is, begun) << done_ << ": slot " << slot << " is none of the generations "
                                 << promised << " to " << begun << ": " << found.substr(0, 40);
            shared_->slot_promised.at(slot) = is;
            shared_->slot_begun.at(slot) = is;
        }
        const std::string log = read_file(mount_.path() / "log");
        EXPECT_GE(log.size(), shared_->lines_promised * kLine) << done_;
        EXPECT_LE(log.size(), shared_->lines_begun * kLine) << done_;
        for (std::size_t i = 0; i < log.size() / kLine; ++i) {
            ASSERT_EQ(log.substr(i * kLine, kLine), line_of(i + 1))
                << done_ << ": line " << i + 1 << ", promised " << shared_->lines_promised;
        }
        shared_->lines_begun = std::max<std::uint64_t>(log.size() / kLine, shared_->lines_promised);
        const std::string scratch = read_file(mount_.path() / "scratch");
        ASSERT_EQ(scratch.size(), kScratch) << done_;
        for (std::size_t place = 0; place < kScratch; ++place) {
            ASSERT_TRUE(may_be_there(place, scratch[place])) << done_ << ": at " << place;
        }
        EXPECT_EQ(read_file(mount_.source() / "scratch"), scratch) << done_;
    }

    Mount mount_;
    test::SharedMemory<Shared> shared_;
    std::mt19937_64 random_{20260101};
    std::string done_;
};

TEST_F(PowerPromises, HoldAt200RandomMoments) {
    for (int cut = 0; cut < 200 && !HasFailure(); ++cut) {
        one_cut();
        check();
    }
    const auto state = nlohmann::json::parse(read_file(mount_.path() / ".partialfs/power"));
    EXPECT_EQ(state["cuts"], 200);
    const Ended ended = mount_.stop();
    EXPECT_EQ(ended.code, 0) << ended.errors;
}

} // namespace
} // namespace partialfs::testing
