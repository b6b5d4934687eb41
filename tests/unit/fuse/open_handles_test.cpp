#include "fusefs/fuse/open_handles.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

namespace partialfs::fuse {
namespace {

struct Handle final : OpenHandle {
    explicit Handle(std::shared_ptr<int> its_held) : held(std::move(its_held)) {}
    std::shared_ptr<int> held;
};
struct Other final : OpenHandle {};

TEST(OpenHandles, AHandleLivesUntilItIsTakenOut) {
    OpenHandles handles;
    const auto held = std::make_shared<int>(7);
    const std::uint64_t number = handles.add(std::make_shared<Handle>(held));
    {
        const auto found = handles.find<Handle>(number);
        ASSERT_NE(found, nullptr);
        EXPECT_EQ(found->held, held);
    }
    EXPECT_EQ(held.use_count(), 2);
    handles.take(number);
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(handles.take(number), nullptr) << "a second time";
}

TEST(OpenHandles, ANumberThatStandsForNothingFindsNothing) {
    OpenHandles handles;
    const std::uint64_t number = handles.add(std::make_shared<Other>());
    EXPECT_EQ(handles.find<Handle>(number), nullptr) << "a handle of another type";
    EXPECT_EQ(handles.find<Handle>(0), nullptr);
    EXPECT_EQ(handles.find<Handle>(number + 1), nullptr);
    const auto kept = handles.find<Other>(number);
    handles.take(number);
    EXPECT_EQ(handles.find<Other>(number), nullptr);
    EXPECT_EQ(kept.use_count(), 1) << "who found it has it still";
}

TEST(OpenHandles, WhatIsNeverTakenOutGoesWithTheTable) {
    std::optional<OpenHandles> handles(std::in_place);
    const auto held = std::make_shared<int>(7);
    handles->add(std::make_shared<Handle>(held));
    handles->add(std::make_shared<Handle>(held));
    EXPECT_EQ(held.use_count(), 3);
    handles.reset();
    EXPECT_EQ(held.use_count(), 1);
}

} // namespace
} // namespace partialfs::fuse
