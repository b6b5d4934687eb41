#include "fusefs/fuse/open_handles.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace partialfs::fuse {
namespace {

struct Handle {
    std::shared_ptr<int> held;
};

TEST(OpenHandles, AHandleLivesUntilItIsTakenOut) {
    OpenHandles handles;
    const auto held = std::make_shared<int>(7);
    const std::uint64_t number = handles.add(std::make_unique<Handle>(Handle{held}));
    EXPECT_EQ(*OpenHandles::get<Handle>(number).held, 7);
    EXPECT_EQ(held.use_count(), 2);
    handles.take(number);
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(handles.take(number), nullptr) << "a second time";
}

TEST(OpenHandles, WhatIsNeverTakenOutGoesWithTheTable) {
    std::optional<OpenHandles> handles(std::in_place);
    const auto held = std::make_shared<int>(7);
    handles->add(std::make_unique<Handle>(Handle{held}));
    handles->add(std::make_unique<Handle>(Handle{held}));
    EXPECT_EQ(held.use_count(), 3);
    handles.reset();
    EXPECT_EQ(held.use_count(), 1);
}

} // namespace
} // namespace partialfs::fuse
