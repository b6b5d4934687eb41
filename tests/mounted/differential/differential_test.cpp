// Random operations of all kinds by several processes, while neighbours keep the mount busy with
// commits and replies: every answer must be the same as a plain directory's.
#include "tests/mounted/differential/hunt.hpp"
#include "tests/mounted/mount.hpp"
#include "tests/mounted/script.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iterator>
#include <sstream>

namespace partialfs::differential {
namespace {

using testing::Mount;

/// PARTIALFS_HUNT_SECONDS: how long to hunt.
std::chrono::seconds hunting_time() {
    const char* seconds = std::getenv("PARTIALFS_HUNT_SECONDS");
    return std::chrono::seconds(seconds == nullptr ? 20 : std::strtol(seconds, nullptr, 10));
}

/// PARTIALFS_HUNT_SEED: the seed of the first case.
std::uint64_t hunting_seed() {
    const char* seed = std::getenv("PARTIALFS_HUNT_SEED");
    return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

std::string text_of(const Finding& finding) {
    std::ostringstream text;
    text << finding.message << "\nseed " << finding.seed
         << "; the operations, for differential --replay:\n";
    write_operations(text, finding.operations);
    return text.str();
}

class Differential : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override { SKIP_IF_MOUNTING_IS_IMPOSSIBLE(); }
};

TEST_P(Differential, MountAnswersAsAPlainDirectory) {
    Mount mount;
    mount.start(
        {"--contract", "linux-2.6.20", "--commit-interval", "1ms", "--flush-policy", GetParam()});
    const Places places{mount.path(), mount.source(), mount.temporary() / "plain"};
    std::filesystem::create_directory(places.plain);
    HuntSettings settings;
    settings.seed = hunting_seed();
    settings.time = hunting_time();
    const HuntResult result = hunt(places, settings);
    EXPECT_FALSE(result.finding) << text_of(*result.finding);
    EXPECT_GT(result.cases, 0U);

    const auto ended = mount.unmount();
    ASSERT_TRUE(ended) << testing::errno_name(ended.error());
    EXPECT_EQ(ended->code, 0) << ended->errors;
    if (!result.finding) {
        for (const auto& entry : std::filesystem::directory_iterator(places.plain)) {
            const std::string name = entry.path().filename();
            EXPECT_NO_THROW(
                compare_trees(places.source / name, places.plain / name, settings.checks))
                << name;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Policies, Differential, ::testing::Values("eager", "ext3", "writeback"),
                         [](const auto& policy) { return std::string(policy.param); });

} // namespace
} // namespace partialfs::differential
