// What the comparison tests share: a mount with a contract that loses nothing.
#pragma once

#include "tests/mounted/mount.hpp"
#include "tests/mounted/script.hpp"

#include <gtest/gtest.h>

namespace partialfs::testing {

/// A running mount for each test. The commit timer is short, so that commits happen between the
/// operations; they must not change any result.
class Mounted : public ::testing::Test {
  protected:
    void SetUp() override {
        SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
        mount_.emplace();
        mount_->start({"--contract", "linux-2.6.20", "--commit-interval", "20ms"});
    }
    /// The daemon must end without an error after every test.
    void TearDown() override {
        if (mount_ && mount_->running()) {
            const Ended ended = mount_->stop();
            EXPECT_EQ(ended.code, 0) << ended.errors;
        }
    }
    Mount& mount() { return *mount_; }

    std::optional<Mount> mount_;
};

} // namespace partialfs::testing
