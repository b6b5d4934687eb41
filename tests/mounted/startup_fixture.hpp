// What the tests of starting and ending share: directories for a mount that is not started yet.
#pragma once

#include "tests/mounted/mounted_test.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace partialfs::testing {

inline std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

class Startup : public ::testing::Test {
  protected:
    void SetUp() override {
        SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
        mount_.emplace();
    }
    /// Runs partialfs itself.
    static Ended run(std::vector<std::string> arguments,
                     const std::map<std::string, std::string>& environment = {}) {
        arguments.insert(arguments.begin(), PARTIALFS_BINARY);
        return run_program(arguments, environment);
    }
    /// Expects the start to fail with one line that contains all of `parts`.
    void expect_refused(const std::vector<std::string>& arguments,
                        const std::vector<std::string>& parts,
                        const std::map<std::string, std::string>& environment = {}) {
        const Ended ended = run(arguments, environment);
        EXPECT_NE(ended.code, 0);
        EXPECT_THAT(ended.errors, ::testing::MatchesRegex("partialfs: [^\n]*\n")) << "one line";
        for (const std::string& part : parts) {
            EXPECT_THAT(ended.errors, ::testing::HasSubstr(part));
        }
    }
    [[nodiscard]] std::string source() const { return mount_->source(); }
    [[nodiscard]] std::string mountpoint() const { return mount_->path(); }
    /// A mount in the background, whose daemon is not a child of this process.
    void start_in_background(std::vector<std::string> options = {},
                             const std::map<std::string, std::string>& environment = {}) {
        std::vector<std::string> arguments{source(), mountpoint(), "--contract=linux-2.6.20",
                                           "--commit-interval=0", "--log-level=warning"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        const Ended started = run(arguments, environment);
        ASSERT_EQ(started.code, 0) << started.errors;
    }

    std::optional<Mount> mount_;
};

} // namespace partialfs::testing
