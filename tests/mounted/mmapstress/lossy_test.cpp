// The detector against a filesystem that loses data on purpose: every loss must be found, to the
// byte, and none that did not happen.
#include "tests/mounted/mmapstress/told_ranges.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/workloads/dice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;

dev_t device_of(const fs::path& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

/// A mounted lossyfs. Unmounts, at the latest when it goes.
class LossyMount {
  public:
    /// `more`: other options, each after a comma.
    LossyMount(unsigned every, unsigned block, const std::string& more = {}) {
        fs::create_directory(temporary_ / "source");
        fs::create_directory(mountpoint());
        const dev_t before = device_of(mountpoint());
        const std::string options = "source=" + (temporary_ / "source").string() +
                                    ",log=" + log_path() + ",every=" + std::to_string(every) +
                                    ",block=" + std::to_string(block) + more;
        daemon_ = ::fork();
        if (daemon_ == 0) {
            ::execl(LOSSYFS, LOSSYFS, "-f", "-o", options.c_str(), mountpoint().c_str(), nullptr);
            ::_exit(127);
        }
        while (device_of(mountpoint()) == before) {
            if (::waitpid(daemon_, nullptr, WNOHANG) == daemon_) {
                daemon_ = -1;
                throw std::runtime_error("lossyfs has not mounted");
            }
            std::this_thread::yield();
        }
    }
    LossyMount(const LossyMount&) = delete;
    LossyMount& operator=(const LossyMount&) = delete;
    ~LossyMount() { unmount(); }

    [[nodiscard]] fs::path mountpoint() const { return temporary_ / "mount"; }

    /// Unmounts, waits for the daemon's end and gives its log.
    std::vector<nlohmann::json> unmount() {
        if (daemon_ > 0) {
            ::umount2(mountpoint().c_str(), MNT_DETACH);
            ::waitpid(daemon_, nullptr, 0);
            daemon_ = -1;
        }
        return json_lines(text_of(log_path()));
    }

  private:
    [[nodiscard]] std::string log_path() const { return (temporary_ / "log").string(); }

    partialfs::testing::TemporaryDirectory temporary_;
    pid_t daemon_ = -1;
};

/// A lot of everything that changes bytes and makes pages be written back; nothing is evicted
/// before the end, so that the log is the whole truth: what is dropped and not written again is
/// wrong.
Schedule make_schedule(std::uint64_t seed) {
    constexpr std::uint64_t kSize = 1U << 20U;
    constexpr std::uint64_t kOps = 4000;
    Dice dice{seed};
    Schedule schedule;
    schedule.header.seed = seed;
    schedule.header.files.assign(2, FileSpec{ByteCount{kSize}, Start::sparse, {}});
    schedule.header.files[1].start = Start::written;
    for (std::uint64_t id = 1; id <= kOps; ++id) {
        Op op;
        op.id = OpId{id};
        op.kind = std::array{OpKind::store, OpKind::store,     OpKind::store, OpKind::store,
                             OpKind::store, OpKind::store,     OpKind::write, OpKind::store,
                             OpKind::store, OpKind::fork_store}[dice.below(10)];
        if (dice.below(40) == 0) {
            op.kind =
                std::array{OpKind::msync, OpKind::fsync, OpKind::fdatasync,
                           OpKind::remap, OpKind::punch, OpKind::sync_file_range}[dice.below(6)];
        }
        const OpTraits& traits = traits_of(op.kind);
        op.file = FileIndex{static_cast<std::uint32_t>(dice.below(2))};
        op.map = MapIndex{static_cast<std::uint8_t>(traits.has_map ? dice.below(2) : 0)};
        if (traits.has_offset) {
            op.offset = ByteOffset{dice.below(kSize - 9000)};
            op.length = ByteCount{1 + dice.below(op.kind == OpKind::write ? 9000 : 3000)};
        }
        schedule.ops.push_back(op);
    }
    return schedule;
}

class Lossy : public testing::Test {
  protected:
    void SetUp() override {
        if (::access("/dev/fuse", R_OK | W_OK) != 0 || ::geteuid() != 0) {
            GTEST_SKIP() << "needs /dev/fuse and root";
        }
    }
};

TEST_F(Lossy, EveryLossIsReportedAndNoneInvented) {
    std::size_t losses = 0;
    std::uint64_t seed = 0;
    for (; losses < 500 || seed < 6; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        ASSERT_LT(seed, 50U) << "only " << losses << " losses so far";
        LossyMount mount(2 + static_cast<unsigned>(seed % 5), 512U << (seed % 4));
        const Schedule schedule = make_schedule(seed);
        RunSettings settings;
        settings.directory = mount.mountpoint();
        const auto result = run(settings, source_of(schedule));
        ASSERT_TRUE(result) << result.error().message;
        ASSERT_TRUE(result->problems.empty()) << result->problems.front().message;
        EXPECT_EQ(result->verdict(), Verdict::damaged);
        const auto log = mount.unmount();
        ASSERT_FALSE(log.empty());
        ASSERT_EQ(log.back().at("event"), "end") << "the log is complete";
        std::vector<nlohmann::json> losses_told;
        std::ranges::copy_if(log, std::back_inserter(losses_told), [](const nlohmann::json& event) {
            return event.at("event") == "lost";
        });
        const auto lost = ranges_told(losses_told, *result, mount.mountpoint());
        EXPECT_EQ(joined(wrong_bytes(result->damage, Stage::evicted)), joined(lost));
        // The page cache is right as long as nobody on the machine drops it; what is read from the
        // disk after that is wrong where the disk is, and nowhere else.
        const std::vector<DamagedBytes> all_lost = joined(lost);
        for (const DamagedBytes& live : wrong_bytes(result->damage, Stage::live)) {
            EXPECT_TRUE(std::ranges::any_of(all_lost,
                                            [&](const DamagedBytes& range) {
                                                return range.file == live.file &&
                                                       range.range.begin <= live.range.begin &&
                                                       live.range.end <= range.range.end;
                                            }))
                << "file " << live.file.value << " at " << live.range.begin.value;
        }
        losses += lost.size();
    }
    RecordProperty("losses", static_cast<int>(losses));
    std::printf("%zu losses in %llu runs\n", losses, static_cast<unsigned long long>(seed));
}

// The same filesystem, when it drops nothing.
TEST_F(Lossy, NothingIsReportedWhereNothingIsDropped) {
    LossyMount mount(1U << 30U, 1024);
    const Schedule schedule = make_schedule(77);
    RunSettings settings;
    settings.directory = mount.mountpoint();
    const auto result = run(settings, source_of(schedule));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->verdict(), Verdict::clean);
    EXPECT_TRUE(result->damage.empty());
    EXPECT_EQ(mount.unmount().back().at("drops"), 0);
}

TEST_F(Lossy, AFilesystemWithoutSharedWritableMappingsIsToldAtOnce) {
    LossyMount mount(1U << 30U, 1024, ",unmappable");
    RunSettings settings;
    settings.directory = mount.mountpoint();
    const Schedule schedule = make_schedule(1);
    const auto result = run(settings, source_of(schedule));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().verdict, Verdict::unknown);
    EXPECT_THAT(result.error().message,
                testing::HasSubstr("file0 shared and writable (the filesystem has no shared "
                                   "writable mappings): No such device"));
    EXPECT_TRUE(fs::is_empty(mount.mountpoint())) << "nothing is left behind";
}

} // namespace
} // namespace mmapstress
