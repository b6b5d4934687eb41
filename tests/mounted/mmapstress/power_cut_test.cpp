// mmapstress run --power-cut on a partialfs mount: with the fix nothing that was synced is lost,
// and a sync that only pretends is detected.
#include "tests/mounted/mount.hpp"
#include "tests/shell_command.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using partialfs::testing::Mount;
using partialfs::testing::Said;
using testing::HasSubstr;
using testing::Not;

/// PARTIALFS_CUTS: the number of cuts.
std::string cuts() {
    const char* const wanted = std::getenv("PARTIALFS_CUTS");
    return wanted != nullptr ? wanted : "40";
}

class PowerCut : public testing::Test {
  protected:
    void SetUp() override { SKIP_IF_MOUNTING_IS_IMPOSSIBLE(); }
    void start(const std::string& contract, const std::string& policy = "ext3") {
        mount_.start({"--power", "--contract", contract, "--flush-policy", policy,
                      "--commit-interval", "20ms"});
    }
    /// Runs mmapstress without the operations that trigger the kernel's known FUSE bugs.
    Said run(const std::string& arguments) {
        return partialfs::testing::said_by(MMAPSTRESS " run " + mount_.path().string() +
                                           " --without grow,gup,past-eof,punch --report " +
                                           report().string() + " " + arguments);
    }
    [[nodiscard]] std::filesystem::path report() const { return mount_.temporary() / "report"; }

    Mount mount_;
};

TEST_F(PowerCut, WithTheFixNothingThatWasSyncedIsLost) {
    start("linux-2.6.20");
    const Said said = run("--power-cut " + cuts());
    EXPECT_EQ(said.code, 0) << said.text;
    const auto state = nlohmann::json::parse(mount_.read_control("power"));
    EXPECT_EQ(state["cuts"].get<std::uint64_t>(), std::stoull(cuts()));
    EXPECT_EQ(state["power"], "on");
    EXPECT_THAT(mount_.errors(), Not(HasSubstr("warning"))) << "a cut is told by one line";
}

TEST_F(PowerCut, NorInAWorkloadThatHasAllOperations) {
    // sync(2) is among them, and promises nothing here.
    start("linux-2.6.20", "eager");
    const Said said = run("--power-cut " + cuts() + " --workload wild");
    EXPECT_EQ(said.code, 0) << said.text;
}

TEST_F(PowerCut, ASyncThatDoesNothingIsFound) {
    start("linux-2.6.20");
    ASSERT_EQ(mount_.write_control("faults", "fdatasync skip\nfsync skip\nsyncfs skip\n"), 0);
    const Said said = run("--power-cut 100");
    EXPECT_EQ(said.code, 1) << said.text;
    EXPECT_THAT(said.text, HasSubstr("DAMAGED"));
}

TEST_F(PowerCut, OneSyncInFiveThatDoesNothingIsFoundToo) {
    start("linux-2.6.20");
    ASSERT_EQ(mount_.write_control("faults",
                                   "fdatasync skip probability=20%\nfsync skip probability=20%\n"),
              0);
    const Said said = run("--power-cut 200");
    EXPECT_EQ(said.code, 1) << said.text;
}

TEST_F(PowerCut, ExplainTellsOfTheCutThatTookIt) {
    start("linux-2.6.20");
    ASSERT_EQ(mount_.write_control("faults", "fdatasync skip\nfsync skip\nsyncfs skip\n"), 0);
    ASSERT_EQ(run("--power-cut 100").code, 1);
    const Said said = partialfs::testing::said_by(MMAPSTRESS " explain " + report().string());
    EXPECT_THAT(said.text, HasSubstr("how it was lost:"));
    EXPECT_THAT(said.text, HasSubstr("only pretended (rule "));
    EXPECT_THAT(said.text, HasSubstr("the power was cut: what was not on disk is gone"));
}

} // namespace
