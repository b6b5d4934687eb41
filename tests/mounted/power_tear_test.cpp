// What a torn cut leaves of changes in the disk's cache, compared with a model: each sector has the
// contents it had after one of the writes.
#include "tests/mounted/power_of.hpp"

#include <algorithm>
#include <random>

namespace partialfs::testing {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kSize = 16384;

class PowerTear : public PowerOf {
  protected:
    /// Twenty writes that reach SOURCE without being synced, although their fsyncs succeed.
    void write_unsynced(std::uint64_t seed) {
        std::mt19937_64 random(seed);
        put("file", std::string(kSize, 'o'), true);
        ASSERT_EQ(mount_.write_control("faults", "clear\nfdatasync skip\nfsync skip\n"), 0);
        const Fd fd = open("file");
        history_ = {std::string(kSize, 'o')};
        for (char letter = 'a'; letter < 'u'; ++letter) {
            const std::size_t offset = random() % (kSize - 3000);
            const std::string text(1 + random() % 3000, letter);
            write(fd, static_cast<off_t>(offset), text);
            EXPECT_EQ(::fsync(fd.get()), 0);
            history_.push_back(std::string(history_.back()).replace(offset, text.size(), text));
        }
        ASSERT_EQ(mount_.write_control("faults", "clear\n"), 0);
        EXPECT_EQ(read_file(mount_.source() / "file"), history_.back());
    }
    static std::string sector(const std::string& content, std::size_t number) {
        return content.substr(number * kSector, kSector);
    }
    /// After which of the writes the file had this sector's contents: a flag for each write.
    [[nodiscard]] std::vector<bool> versions(const std::string& left, std::size_t number) const {
        std::vector<bool> may;
        for (const std::string& then : history_) {
            may.push_back(sector(then, number) == sector(left, number));
        }
        return may;
    }
    std::string cut(const std::string& tear) {
        EXPECT_EQ(tell("cut-and-on " + tear), 0);
        const std::string left = content("file");
        EXPECT_EQ(left, read_file(mount_.source() / "file"));
        return left;
    }
    /// Expects the ledger entries of the last cut to be exactly the bytes that it changed.
    void expect_ledger_of(const std::string& left, std::size_t entries_before) {
        std::string marked = history_.back();
        const auto ledger = lines(control("ledger"));
        for (std::size_t i = entries_before; i < ledger.size(); ++i) {
            EXPECT_EQ(ledger[i]["kind"], "cut");
            const std::size_t offset = ledger[i]["offset"];
            const std::size_t length = ledger[i]["length"];
            for (std::size_t at = offset; at < offset + length; ++at) {
                EXPECT_NE(left[at], history_.back()[at]) << at;
                marked[at] = left[at];
            }
        }
        EXPECT_EQ(marked, left) << "nothing else differs";
    }

    std::vector<std::string> history_; ///< the file after each of the writes
};

TEST_F(PowerTear, EachSectorIsOneThatTheFileHad) {
    start();
    bool some_kept = false;
    bool some_lost = false;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        write_unsynced(seed);
        const std::size_t before = lines(control("ledger")).size();
        const std::string left = cut("tear=512 seed=" + std::to_string(seed));
        for (std::size_t number = 0; number < kSize / kSector; ++number) {
            const auto may = versions(left, number);
            EXPECT_TRUE(std::ranges::find(may, true) != may.end())
                << "seed " << seed << ", " << number;
            some_kept = some_kept || (!may.front() && may.back());
            some_lost = some_lost || !may.back();
        }
        expect_ledger_of(left, before);
    }
    EXPECT_TRUE(some_kept && some_lost);
}

TEST_F(PowerTear, KeptInOrderThereIsOneMomentForAllSectors) {
    start();
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        write_unsynced(seed);
        const std::size_t before = lines(control("ledger")).size();
        const std::string left = cut("tear=512 keep-order seed=" + std::to_string(seed));
        // Of the write at which the power failed some sectors are there; of the earlier ones, all.
        bool found = false;
        for (std::size_t during = 0; during + 1 < history_.size(); ++during) {
            bool all = true;
            for (std::size_t number = 0; number < kSize / kSector; ++number) {
                const auto may = versions(left, number);
                all = all && (may[during] || may[during + 1]);
            }
            found = found || all;
        }
        EXPECT_TRUE(found) << "seed " << seed;
        expect_ledger_of(left, before);
    }
}

TEST_F(PowerTear, TheSeedDecidesAlone) {
    start();
    std::vector<std::string> left;
    for (const char* tear : {"tear=512 seed=1", "tear=512 seed=1", "tear=512 seed=2",
                             "tear=4096 seed=1", "tear=none", "tear=all"}) {
        write_unsynced(3);
        left.push_back(cut(tear));
    }
    EXPECT_EQ(left[0], left[1]);
    EXPECT_NE(left[0], left[2]);
    EXPECT_NE(left[0], left[3]);
    EXPECT_EQ(left[4], history_.front());
    EXPECT_EQ(left[5], history_.back());
    for (std::size_t page = 0; page < kSize / 4096; ++page) {
        const bool is_whole = std::ranges::any_of(history_, [&](const std::string& then) {
            return then.substr(page * 4096, 4096) == left[3].substr(page * 4096, 4096);
        });
        EXPECT_TRUE(is_whole) << page;
    }
}

TEST_F(PowerTear, OfAFailedSyncThatTheKernelCallsCleanACutTakesWhatTheLedgerHas) {
    start({"--after-write-error", "clean"});
    put("file", std::string(kSize, 'o'), true);
    ASSERT_EQ(mount_.write_control("faults", "fdatasync EIO count=1\nfsync EIO count=1\n"), 0);
    const Fd fd = open("file");
    write(fd, 100, "new");
    EXPECT_EQ(::fsync(fd.get()), -1);
    const auto refused = lines(control("ledger"));
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0]["kind"], "refused");
    EXPECT_EQ(refused[0]["offset"], 100);
    EXPECT_EQ(refused[0]["length"], 3);
    EXPECT_EQ(read_file(mount_.source() / "file").substr(100, 3), "new") << "maybe it is there";
    EXPECT_EQ(cut("tear=none"), std::string(kSize, 'o')) << "and maybe not";
}

} // namespace
} // namespace partialfs::testing
