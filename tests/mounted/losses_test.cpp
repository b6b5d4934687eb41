// What gets lost, and that the ledger has exactly that: the recipe of the bug, and long random
// mixes.
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mixed_workload.hpp"
#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

namespace partialfs::test {

void PrintTo(const Damage& damage, std::ostream* out) {
    *out << damage.path << ' ' << damage.begin << '-' << damage.end;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Setup {
    const char* contract;
    const char* policy;
    const char* probe;

    [[nodiscard]] bool lossy() const {
        return std::string(contract) == "linux-2.6.19" && std::string(policy) != "writeback";
    }
    [[nodiscard]] std::vector<std::string> options(const std::string& interval) const {
        return {"--contract", contract, "--flush-policy",    policy,
                "--probe",    probe,    "--commit-interval", interval};
    }
};

void PrintTo(const Setup& setup, std::ostream* out) {
    *out << setup.contract << ", " << setup.policy << ", " << setup.probe;
}

const Setup kSetups[] = {
    {"linux-2.6.19", "eager", "auto"},     {"linux-2.6.20", "eager", "auto"},
    {"linux-2.6.19", "ext3", "auto"},      {"linux-2.6.20", "ext3", "auto"},
    {"linux-2.6.19", "eager", "compare"},  {"linux-2.6.20", "eager", "compare"},
    {"linux-2.6.19", "writeback", "auto"}, {"linux-2.6.20", "writeback", "auto"},
};

void control(const std::filesystem::path& mount, const char* name, const std::string& text) {
    const int fd = ::open((mount / ".partialfs" / name).c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0) << name;
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()))
        << name << ": " << std::strerror(errno);
    ::close(fd);
}

class Recipe : public ::testing::TestWithParam<Setup> {};

TEST_P(Recipe, LosesTheSecondStoreWithoutTheFixAndOnlyThen) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    partialfs::testing::Mount mount;
    mount.start(GetParam().options("0"));
    const int fd = ::open((mount.path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    const std::string page(4096, '0');
    ASSERT_EQ(::pwrite(fd, page.data(), page.size(), 0), 4096);
    auto* map =
        static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    std::fill_n(map + 100, 50, 'A');
    const int sibling =
        ::open((mount.path() / "sibling").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(sibling, 0);
    ASSERT_EQ(::fsync(sibling), 0);
    std::fill_n(map + 1000, 60, 'B'); // across the end of a 1 KiB block
    ASSERT_EQ(::fsync(fd), 0);
    EXPECT_EQ(std::string(map + 1000, 60), std::string(60, 'B')) << "the live mapping stays right";
    control(mount.path(), "evict", "file");

    std::string expected = page;
    std::fill_n(expected.begin() + 100, 50, 'A');
    if (!GetParam().lossy()) {
        std::fill_n(expected.begin() + 1000, 60, 'B');
    }
    EXPECT_EQ(read_file(mount.source() / "file"), expected);
    EXPECT_EQ(std::string(map, 4096), expected) << "read again after the eviction";
    const std::vector<Damage> lost = open_losses(read_file(mount.path() / ".partialfs/ledger"));
    if (GetParam().lossy()) {
        EXPECT_THAT(lost, ElementsAre(Damage{"file", 1000, 1060}));
    } else {
        EXPECT_THAT(lost, IsEmpty());
    }
    ::munmap(map, 4096);
    ::close(sibling);
    ::close(fd);
    EXPECT_EQ(mount.stop().code, 0);
}

TEST_P(Recipe, AStoreWithoutACommitInBetweenIsKept) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    partialfs::testing::Mount mount;
    mount.start(GetParam().options("0"));
    const int fd = ::open((mount.path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ftruncate(fd, 8192), 0);
    auto* map =
        static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    std::fill_n(map + 4000, 200, 'A');
    std::fill_n(map + 4100, 200, 'B');
    ASSERT_EQ(::msync(map, 8192, MS_SYNC), 0);
    control(mount.path(), "evict", "file");
    const std::string disk = read_file(mount.source() / "file");
    EXPECT_EQ(disk.substr(4000, 300), std::string(100, 'A') + std::string(200, 'B'));
    EXPECT_THAT(open_losses(read_file(mount.path() / ".partialfs/ledger")), IsEmpty());
    ::munmap(map, 8192);
    ::close(fd);
}

/// A page read into the cache and stored into in two blocks: a write(2) saves one of them.
TEST(BlockDevice, OnlyStoresIntoBlocksThatAWriteTouchedReachTheDisk) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    partialfs::testing::Mount mount;
    std::ofstream(mount.source() / "device") << std::string(8192, '0');
    mount.start({"--contract", "linux-6.12-blockdev", "--commit-interval", "0"});
    const int fd = ::open((mount.path() / "device").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    auto* map =
        static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    std::fill_n(map + 1000, 60, 'A'); // blocks 0 and 1
    std::fill_n(map + 5000, 10, 'B'); // the second page
    ASSERT_EQ(::pwrite(fd, "c", 1, 20), 1);
    ASSERT_EQ(::msync(map, 8192, MS_SYNC), 0) << "and says that all is well";
    EXPECT_EQ(std::string(map + 1000, 60), std::string(60, 'A')) << "until the page is dropped";

    std::string expected(8192, '0');
    expected[20] = 'c';
    std::fill_n(expected.begin() + 1000, 24, 'A');
    EXPECT_EQ(read_file(mount.source() / "device"), expected);
    EXPECT_THAT(open_losses(read_file(mount.path() / ".partialfs/ledger")),
                ElementsAre(Damage{"device", 1024, 1060}, Damage{"device", 5000, 5010}));

    // A later write(2) into the block writes what the cache still has of it.
    ASSERT_EQ(::pwrite(fd, "d", 1, 2000), 1);
    ASSERT_EQ(::fsync(fd), 0);
    control(mount.path(), "evict", "device");
    EXPECT_EQ(std::string(map + 5000, 10), std::string(10, '0')) << "read again: gone";
    ::munmap(map, 8192);
    ::close(fd);
    EXPECT_EQ(mount.stop().code, 0);
}

TEST(BlockDevice, TheContractImpliesThePolicy) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    partialfs::testing::Mount mount;
    EXPECT_THROW(mount.start({"--contract", "linux-6.12-blockdev", "--flush-policy", "ext3"}),
                 std::runtime_error);
    mount.start({"--contract", "linux-2.6.20"});
    control(mount.path(), "contract", "linux-6.12-blockdev");
    EXPECT_EQ(read_file(mount.path() / ".partialfs/flush-policy"), "writeback\n");
    const int policy =
        ::open((mount.path() / ".partialfs/flush-policy").c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(::write(policy, "ext3", 4), -1);
    EXPECT_EQ(errno, EINVAL);
    ::close(policy);
}

INSTANTIATE_TEST_SUITE_P(EachSetup, Recipe, ::testing::ValuesIn(kSetups));

/// The number of stores of all threads together.
std::uint64_t stores_wanted() {
    const char* wanted = std::getenv("PARTIALFS_STORES");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 40'000;
}

class Mix : public ::testing::TestWithParam<Setup> {
  protected:
    static void run(bool evict, std::uint64_t seed) {
        SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
        partialfs::testing::Mount mount;
        mount.start(GetParam().options("3ms"));
        MixedOptions options;
        options.mount = mount.path();
        options.source = mount.source();
        options.seed = seed;
        options.stores_per_thread = std::max<std::uint64_t>(stores_wanted() / options.threads, 1);
        options.evict = evict;
        options.check_reads = !GetParam().lossy();
        const MixedResult result = run_mixed_workload(options);
        EXPECT_THAT(result.failures, IsEmpty());
        const auto lost = open_losses(read_file(mount.path() / ".partialfs/ledger"));
        EXPECT_EQ(result.damage, lost) << "the disk differs exactly where the ledger says";
        const auto status = nlohmann::json::parse(read_file(mount.path() / ".partialfs/status"));
        EXPECT_EQ(status.at("write_errors"), 0);
        EXPECT_EQ(status.at("buffered_bytes"), 0) << "everything was synced";
        if (GetParam().lossy()) {
            EXPECT_GT(status.at("ledger").at("recorded"), 0) << "the mix must lose something";
        } else {
            EXPECT_EQ(status.at("ledger").at("recorded"), 0);
        }
        EXPECT_EQ(mount.stop().code, 0);
    }
};

TEST_P(Mix, DiskDiffersExactlyWhereTheLedgerSays) {
    run(/*evict=*/true, 1);
}
TEST_P(Mix, WithoutEvictionsInTheMiddle) {
    run(/*evict=*/false, 2);
}

INSTANTIATE_TEST_SUITE_P(EachSetup, Mix, ::testing::ValuesIn(kSetups));

} // namespace
} // namespace partialfs::test
