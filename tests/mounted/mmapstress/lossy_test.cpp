// mmapstress on a filesystem that loses data on purpose: it must find every loss, to the byte, and
// report none that did not happen.
#include "tests/mounted/mmapstress/told_ranges.hpp"
#include "tests/shell_command.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/workloads/dice.hpp"
#include "tools/schedule/leaving_out.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;

dev_t device_of(const fs::path& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

/// A mounted lossyfs; the destructor unmounts it.
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

    /// Unmounts, waits for the daemon's end and returns its log.
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

/// Many operations of all kinds that change bytes or make the kernel write pages back. Nothing is
/// evicted before the end, so that the log is complete: what is dropped and not written again is
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

/// The same with the operations that are newer than 2006, among them stores by the kernel itself.
/// Without those that make pages leave memory: O_DIRECT writes, MADV_PAGEOUT.
Schedule make_younger_schedule(std::uint64_t seed) {
    constexpr std::array kPuts{OpKind::direct_read_store, OpKind::uring_read_store,
                               OpKind::vm_write_store,    OpKind::read_store,
                               OpKind::recvmsg_store,     OpKind::dontcache_write};
    constexpr std::array kOthers{OpKind::start_writeback, OpKind::zero_range, OpKind::mremap,
                                 OpKind::madvise_cold};
    Dice dice{seed};
    Schedule schedule = make_schedule(seed);
    for (Op& op : schedule.ops) {
        if (op.kind == OpKind::store && dice.below(3) == 0) {
            op.kind = dice.pick(kPuts);
        } else if (op.kind == OpKind::punch || dice.below(60) == 0) {
            op.kind = dice.pick(kOthers);
        } else if (op.kind == OpKind::write && dice.below(3) == 0) {
            op.kind = OpKind::copy;
            op.source = FileIndex{1 - op.file.value};
            op.from = op.offset;
        }
        const OpTraits& traits = traits_of(op.kind);
        op.map = traits.has_map ? op.map : MapIndex{0};
        op.length.value = std::max<std::uint64_t>(op.length.value, 1);
        op.offset.value -= op.offset.value % traits.unit;
        op.length.value += traits.unit - 1 - (op.length.value + traits.unit - 1) % traits.unit;
    }
    return schedule;
}

/// Whether any process has a file below `path` open.
bool processes_of(const fs::path& path) {
    std::error_code error;
    for (const auto& process : fs::directory_iterator("/proc", error)) {
        for (const auto& fd : fs::directory_iterator(process.path() / "fd", error)) {
            if (fs::read_symlink(fd.path(), error).string().starts_with(path.string())) {
                return true;
            }
        }
    }
    return false;
}

class Lossy : public testing::Test {
  protected:
    void SetUp() override {
        if (::access("/dev/fuse", R_OK | W_OK) != 0 || ::geteuid() != 0) {
            GTEST_SKIP() << "needs /dev/fuse and root";
        }
    }
};

/// Runs schedules until enough is lost, and compares the reported ranges with the dropped ones.
void expect_every_loss_reported(Schedule (*make)(std::uint64_t seed)) {
    std::size_t losses = 0;
    std::uint64_t seed = 0;
    for (; losses < 500 || seed < 6; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        ASSERT_LT(seed, 50U) << "only " << losses << " losses so far";
        LossyMount mount(2 + static_cast<unsigned>(seed % 5), 512U << (seed % 4));
        const Schedule schedule = make(seed);
        RunSettings settings;
        settings.directory = mount.mountpoint();
        settings.may_have = kinds_in(schedule);
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
        // The page cache is right unless something on the machine drops pages; these are then read
        // from the disk, and wrong only where the disk is.
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
    std::printf("%zu losses in %llu runs\n", losses, static_cast<unsigned long long>(seed));
}

TEST_F(Lossy, EveryLossIsReportedAndNoneInvented) {
    expect_every_loss_reported(make_schedule);
}

TEST_F(Lossy, EveryLossIsReportedOfTheYoungerOperationsToo) {
    expect_every_loss_reported(make_younger_schedule);
}

// The same filesystem when it drops nothing.
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

Schedule parsed(const std::string& body) {
    const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 3\n" + body);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return *schedule;
}

TEST_F(Lossy, WhereODirectDoesNotReadThatStageIsLeftOut) {
    LossyMount mount(1U << 30U, 1024, ",nodirect");
    RunSettings settings;
    settings.directory = mount.mountpoint();
    const Schedule schedule = parsed("file 0 size=8192 start=sparse\n"
                                     "1 store file=0 off=10 len=100\n"
                                     "2 fsync file=0\n"
                                     "3 direct-read-check file=0\n");
    const auto result = run(settings, source_of(schedule));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->problems.empty()) << result->problems.front().message;
    EXPECT_EQ(result->verdict(), Verdict::clean);
    const StageResult& direct = result->stages[static_cast<std::size_t>(Stage::direct)];
    EXPECT_EQ(direct.state, StageResult::State::skipped);
    EXPECT_EQ(direct.reason, "the filesystem does not read files with O_DIRECT");
    EXPECT_FALSE(result->on_disk) << "who knows what is behind a FUSE filesystem";
}

TEST_F(Lossy, WhatTheFilesystemLacksIsLeftOutAndTheRunGoesOn) {
    LossyMount mount(1U << 30U, 1024, ",nodirect");
    RunSettings settings;
    settings.directory = mount.mountpoint();
    const Schedule schedule = parsed("file 0 size=8192 start=sparse\n"
                                     "1 direct-read-store file=0 off=512 len=512\n"
                                     "2 store file=0 off=10 len=100\n"
                                     "3 read-store file=0 off=5000 len=100\n");
    settings.may_have = kinds_in(schedule);
    const auto result = run(settings, source_of(schedule));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->verdict(), Verdict::clean);
    EXPECT_EQ(result->ops, 2U);
    ASSERT_EQ(result->left_out.size(), 1U);
    EXPECT_EQ(result->left_out[0].operation, "direct-read-store");
    EXPECT_THAT(result->left_out[0].reason, testing::HasSubstr("Invalid argument"));
    settings.may_have = {}; // without this list the failed operation ends the run
    const auto tried = run(settings, source_of(schedule));
    ASSERT_TRUE(tried) << tried.error().message;
    EXPECT_EQ(tried->verdict(), Verdict::unknown);
}

TEST_F(Lossy, WhatCannotBeReadAfterItsSyncIsDamage) {
    LossyMount mount(1U << 30U, 1024, ",unreadable");
    RunSettings settings;
    settings.directory = mount.mountpoint();
    settings.live_stage = false; // these stages come before the sync, and would fail
    settings.pread_stage = false;
    const Schedule schedule = parsed("file 0 size=16384 start=sparse\n"
                                     "1 write file=0 off=0 len=16384\n");
    const auto result = run(settings, source_of(schedule));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->problems.empty()) << result->problems.front().message;
    EXPECT_EQ(result->verdict(), Verdict::damaged);
    for (const Stage stage : {Stage::evicted, Stage::direct}) {
        EXPECT_EQ(
            wrong_bytes(result->damage, stage),
            (std::vector<DamagedBytes>{{FileIndex{0}, {ByteOffset{4096}, ByteOffset{8192}}}}));
    }
    ASSERT_EQ(result->damage.size(), 1U);
    EXPECT_EQ(result->damage[0].kind, DamageKind::unreadable);
    EXPECT_EQ(result->damage[0].lost, OpId{1});
}

TEST_F(Lossy, AFilesystemThatHangsIsReportedThoughNothingCanBeKilled) {
    const partialfs::testing::TemporaryDirectory aside;
    const fs::path gate = aside / "gate";
    std::ofstream(gate) << "closed";
    LossyMount mount(1U << 30U, 1024, ",hang=" + gate.string());
    const std::string output = (aside / "output").string();
    const std::string command = MMAPSTRESS " run " + mount.mountpoint().string() +
                                " --workload recipe --ops 50 --hang-after 1s --seed 5 --format ";
    for (const std::string format : {"text", "ktap", "junit", "json"}) {
        // To a file, not a pipe: the process that hangs has the output open, too.
        const auto said = partialfs::testing::said_by(command + format + " > " + output);
        const std::string text = text_of(output);
        EXPECT_EQ(said.code, 4) << text << said.text;
        EXPECT_THAT(text, testing::HasSubstr("has not returned for "));
        EXPECT_THAT(text, testing::ContainsRegex("operation [0-9]+ .commit., process"));
        if (format == "ktap") {
            EXPECT_THAT(text, testing::HasSubstr("not ok 1 mmapstress.recipe # seed 5"));
        } else if (format == "junit") {
            EXPECT_THAT(text, testing::HasSubstr("<error message="));
        } else if (format == "json") {
            EXPECT_THAT(text, testing::HasSubstr("\"verdict\": \"hung\""));
        }
        fs::remove(gate); // the hung call returns, and its process ends
        while (processes_of(mount.mountpoint())) {
            std::this_thread::yield();
        }
        std::ofstream(gate) << "closed";
    }
    fs::remove(gate);
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
