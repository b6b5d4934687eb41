#include "fusefs/faults/fault_book.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

namespace partialfs::faults {
namespace {

class Book : public ::testing::Test {
  protected:
    void rules(std::string_view lines) {
        const auto done = book_.change(lines);
        ASSERT_TRUE(done) << done.error().message();
    }
    /// Whether a rule strikes the operation.
    bool struck(Operation operation = Operation::fdatasync) {
        return book_.strike({.operation = operation}).has_value();
    }
    std::string pattern(int operations) {
        std::string strikes;
        for (int i = 0; i < operations; ++i) {
            strikes += struck() ? 'x' : '.';
        }
        return strikes;
    }

    FaultBook book_;
};

TEST_F(Book, AfterCountAndNthLimitARule) {
    rules("fdatasync EIO after=2 count=1");
    EXPECT_EQ(pattern(5), "..x..");
    rules("clear\nfdatasync EIO nth=2");
    EXPECT_EQ(pattern(5), ".x...");
}

TEST_F(Book, TheFirstRuleThatIsNotUsedUpStrikes) {
    rules("fdatasync EIO count=1\nfdatasync ENOSPC count=1");
    EXPECT_EQ(book_.strike({.operation = Operation::fdatasync})->error.value, EIO);
    EXPECT_EQ(book_.strike({.operation = Operation::fdatasync})->error.value, ENOSPC);
    EXPECT_FALSE(struck());
}

TEST_F(Book, ProbabilityFollowsItsSeed) {
    rules("fdatasync EIO probability=0.3 seed=4");
    const std::string once = pattern(2000);
    const auto strikes = std::ranges::count(once, 'x');
    EXPECT_GT(strikes, 500);
    EXPECT_LT(strikes, 700);
    rules("clear\nfdatasync EIO probability=0.3 seed=4");
    EXPECT_EQ(pattern(2000), once);
    rules("clear\nfdatasync EIO probability=0.3 seed=5");
    EXPECT_NE(pattern(2000), once);
    rules("clear\nfdatasync EIO probability=0.3 count=2");
    EXPECT_EQ(std::ranges::count(pattern(100), 'x'), 2) << "count is of what it strikes";
}

TEST_F(Book, UserAndProcessAreCompared) {
    rules("open EACCES uid=1000\nopen EPERM pid=" + std::to_string(::getpid()));
    const auto open_by = [&](uid_t uid, pid_t pid) {
        const auto fault =
            book_.strike({.operation = Operation::open, .caller = Occasion::Caller{uid, pid}});
        return fault ? fault->error.value : 0;
    };
    EXPECT_EQ(open_by(1000, 1), EACCES);
    EXPECT_EQ(open_by(1001, 1), 0);
    EXPECT_EQ(open_by(1001, ::getpid()), EPERM);
    std::thread([&] { EXPECT_EQ(open_by(1001, ::gettid()), EPERM) << "a thread of it"; }).join();
    EXPECT_FALSE(book_.strike({.operation = Operation::open})) << "nobody";
}

TEST_F(Book, ABadLineChangesNothingAndIsSaid) {
    rules("fdatasync EIO");
    const auto done = book_.change("clear\npwrite EIO\npwrite EOI\n");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message(), "line 3: 'EOI' is not understood");
    EXPECT_EQ(book_.refused(), "line 3: 'EOI' is not understood");
    EXPECT_EQ(book_.text(), "fdatasync EIO  # rule 1: matched 0, fired 0\n"
                            "# refused: line 3: 'EOI' is not understood\n");
    EXPECT_TRUE(struck());
    rules("");
    EXPECT_EQ(book_.text(), "fdatasync EIO  # rule 1: matched 1, fired 1\n");
    EXPECT_EQ(book_.refused(), "");
}

TEST_F(Book, ItsTextIsReadAsTheSameRules) {
    rules("pwrite EIO path=\"a b\"\nopen ENOENT count=2\n");
    const std::string text = book_.text();
    rules("clear\n" + text);
    EXPECT_EQ(book_.counts().rules, 2U);
    EXPECT_EQ(book_.text(), "pwrite EIO path=\"a b\"  # rule 3: matched 0, fired 0\n"
                            "open ENOENT count=2  # rule 4: matched 0, fired 0\n");
}

TEST_F(Book, EachLayerHasItsOwn) {
    EXPECT_FALSE(book_.any(Layer::disk));
    rules("open EIO");
    EXPECT_FALSE(book_.any(Layer::disk));
    EXPECT_TRUE(book_.any(Layer::request));
    rules("clear");
    EXPECT_FALSE(book_.any(Layer::request));
}

TEST_F(Book, TheObserverHearsOfEachFiring) {
    std::vector<std::string> heard;
    book_.set_observer([&](const Firing& firing) {
        heard.push_back(std::to_string(firing.rule) + ' ' +
                        std::string(name_of(firing.occasion.operation)) + ' ' +
                        std::string(name_of(firing.fault.action)));
    });
    rules("pwrite EIO nth=2\nfdatasync skip");
    struck(Operation::pwrite);
    struck(Operation::pwrite);
    struck();
    EXPECT_EQ(heard, (std::vector<std::string>{"1 pwrite errno", "2 fdatasync skip"}));
}

TEST_F(Book, ClearEndsDelaysUnderWay) {
    rules("fdatasync delay=1h");
    std::atomic<bool> returned{false};
    std::thread waiting([&] {
        struck();
        returned = true;
    });
    while (book_.counts().fired == 0) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(returned);
    rules("clear");
    waiting.join();
}

TEST_F(Book, AtTheEndRequestsWaitNoMore) {
    book_.end_waiting();
    rules("open delay=1h");
    EXPECT_TRUE(struck(Operation::open));
}

} // namespace
} // namespace partialfs::faults
