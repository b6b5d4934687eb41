#include "fusefs/fuse/visitor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <thread>

namespace partialfs::fuse {
namespace {

using Outcome = Visitor::Outcome;
constexpr std::chrono::hours kForever{1};

class VisitorTest : public ::testing::Test {
  protected:
    void SetUp() override { visitor_.start(); }

    Visitor visitor_;
};

TEST_F(VisitorTest, RunsJobsInTheirOrderOnItsOwnThread) {
    std::string order;
    visitor_.post([&] { order += 'a'; });
    visitor_.post([&] { order += 'b'; });
    pid_t thread = 0;
    EXPECT_EQ(visitor_.run([&] {
        order += 'c';
        thread = gettid();
    }),
              Outcome::done);
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(thread, visitor_.thread());
    EXPECT_NE(thread, gettid());
}

TEST_F(VisitorTest, WhatAJobThrowsIsThrownToWhoWaits) {
    EXPECT_THROW(visitor_.run([] { throw std::bad_alloc{}; }), std::bad_alloc);
    EXPECT_THROW(visitor_.run([](const Visitor::Arrived&) { throw std::bad_alloc{}; }, kForever),
                 std::bad_alloc);
    visitor_.post([] { throw std::bad_alloc{}; });
    EXPECT_EQ(visitor_.run([] {}), Outcome::done) << "and the thread goes on";
}

TEST_F(VisitorTest, HasNoneOfOurDescriptors) {
    const int ours = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(ours, 0);
    Visitor late;
    late.start();
    bool valid = true;
    EXPECT_EQ(late.run([&] { valid = ::fcntl(ours, F_GETFD) != -1; }), Outcome::done);
    EXPECT_FALSE(valid);
    ::close(ours);
}

TEST_F(VisitorTest, AVisitThatArrivesIsWaitedForHoweverLongItStays) {
    bool over = false;
    const auto outcome = visitor_.run(
        [&](const Visitor::Arrived& arrived) {
            ASSERT_TRUE(arrived());
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            over = true;
        },
        kForever);
    EXPECT_EQ(outcome, Outcome::done);
    EXPECT_TRUE(over);
}

TEST_F(VisitorTest, AVisitThatDoesNotArriveIsGivenUpAndTouchesNothing) {
    auto unlocked = std::make_shared<std::promise<void>>();
    auto arrival = std::make_shared<std::promise<bool>>();
    auto seen = arrival->get_future();
    // A visit given up before the thread gets to it is never run: try again.
    auto begun = std::make_shared<std::atomic<bool>>(false);
    while (!*begun) {
        const auto outcome = visitor_.run(
            [unlocked, arrival, begun](const Visitor::Arrived& arrived) {
                *begun = true;
                unlocked->get_future().wait();
                arrival->set_value(arrived());
            },
            std::chrono::milliseconds(1));
        EXPECT_EQ(outcome, Outcome::gave_up);
    }

    // A visit waiting behind it is given up, too, and is not run later.
    auto ran = std::make_shared<std::atomic<bool>>(false);
    EXPECT_EQ(visitor_.run([ran](const Visitor::Arrived& /*arrived*/) { *ran = true; },
                           std::chrono::milliseconds(1)),
              Outcome::gave_up);

    unlocked->set_value();
    EXPECT_FALSE(seen.get()) << "nobody waited for it any more";
    bool again = false;
    EXPECT_EQ(visitor_.run([&](const Visitor::Arrived& arrived) { again = arrived(); }, kForever),
              Outcome::done);
    EXPECT_TRUE(again);
    EXPECT_FALSE(*ran);
}

TEST_F(VisitorTest, OnceStoppedItRunsNothing) {
    bool before = false;
    visitor_.post([&] { before = true; });
    visitor_.stop();
    EXPECT_TRUE(before) << "what it had been given it did";
    EXPECT_EQ(visitor_.run([] { FAIL(); }), Outcome::not_running);
    EXPECT_EQ(visitor_.run([](const Visitor::Arrived& /*arrived*/) { FAIL(); }, kForever),
              Outcome::not_running);
    EXPECT_EQ(visitor_.thread(), 0);
}

} // namespace
} // namespace partialfs::fuse
