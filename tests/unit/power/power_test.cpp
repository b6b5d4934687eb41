#include "fusefs/power/power.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace partialfs::power {
namespace {

class PowerOf : public ::testing::Test {
  protected:
    PowerOf()
        : cache_(UndoStore::make(temporary_.path(), model::ByteCount{1U << 20U}).value(), [] {}),
          power_(io_, cache_) {
        power_.set_cutter([this](const Command& command) { cuts_.push_back(to_text(command)); });
    }
    static Command command(const char* text) { return parse_command(text).value(); }

    testing::TemporaryDirectory temporary_;
    backing::FileIo io_;
    DiskCache cache_;
    Power power_;
    std::vector<std::string> cuts_;
};

TEST_F(PowerOf, ACutEndsTheBootAtOnceAndOnBeginsAnother) {
    Boot& first = power_.boot();
    std::optional<CutReport> told;
    EXPECT_TRUE(power_.cut(command("cut"), [&](const auto& report) { told = report; }));
    EXPECT_FALSE(power_.is_on());
    EXPECT_TRUE(first.ended());
    EXPECT_EQ(cuts_, std::vector<std::string>{"cut tear=all"});
    EXPECT_FALSE(told) << "before it is done";
    EXPECT_FALSE(power_.turn_on()) << "while it is being cut";
    EXPECT_FALSE(power_.cut(command("cut"), {})) << "twice";

    power_.cut_is_done(CutReport{.bytes = 5}, /*on_again=*/false);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->number, 1U);
    EXPECT_EQ(told->bytes, 5U);
    EXPECT_FALSE(power_.is_on());
    EXPECT_TRUE(power_.turn_on());
    EXPECT_TRUE(power_.is_on());
    EXPECT_NE(&power_.boot(), &first);
    EXPECT_TRUE(first.ended()) << "for good";
    EXPECT_TRUE(power_.turn_on()) << "again: nothing";
    EXPECT_EQ(power_.status().boot, BootNumber{2});
}

TEST_F(PowerOf, AnArmedCutComesBeforeOrAfterItsMoment) {
    power_.arm(command("cut at=commit:2"));
    EXPECT_EQ(power_.begins(Moment::commit), Power::Begun::goes_on);
    EXPECT_TRUE(power_.ended(Power::Begun::goes_on));
    EXPECT_EQ(power_.begins(Moment::commit), Power::Begun::refused);
    EXPECT_EQ(cuts_.size(), 1U);
    EXPECT_FALSE(power_.ended(Power::Begun::refused));
    EXPECT_FALSE(power_.status().armed) << "it has been used up";
    power_.cut_is_done(CutReport{}, /*on_again=*/true);

    power_.arm(command("cut at=fsync:1 when=after"));
    const auto begun = power_.begins(Moment::fsync);
    EXPECT_EQ(begun, Power::Begun::ends_in_cut);
    EXPECT_TRUE(power_.is_on());
    EXPECT_EQ(cuts_.size(), 1U);
    EXPECT_FALSE(power_.ended(begun)) << "nobody is told that it succeeded";
    EXPECT_EQ(cuts_.size(), 2U);
    EXPECT_FALSE(power_.is_on());
}

TEST_F(PowerOf, DisarmedItComesNoMore) {
    power_.arm(command("cut at=fsync:1 when=after"));
    const auto begun = power_.begins(Moment::fsync);
    power_.disarm();
    EXPECT_TRUE(power_.ended(begun));
    EXPECT_TRUE(cuts_.empty());
}

TEST_F(PowerOf, WhoWaitsIsToldOfAnArmedCutAlone) {
    std::vector<std::uint64_t> told;
    const auto note = [&](const std::optional<CutReport>& report) {
        told.push_back(report ? report->number : 0);
    };
    const auto never = [] { return false; };
    const auto first = power_.wait_for_firing(power_.next_waiter(), note, never);
    EXPECT_NE(first.waiter, 0U);
    const auto second = power_.wait_for_firing(power_.next_waiter(), note, never);
    EXPECT_TRUE(power_.stop_waiting(second.waiter));
    EXPECT_FALSE(power_.stop_waiting(second.waiter));
    EXPECT_EQ(power_.wait_for_firing(power_.next_waiter(), note, [] { return true; }).waiter, 0U)
        << "interrupted before it waits";

    EXPECT_TRUE(power_.cut(command("cut-and-on"), {}));
    power_.cut_is_done(CutReport{}, true);
    EXPECT_TRUE(told.empty()) << "nothing was armed";

    power_.arm(command("cut at=op:1"));
    EXPECT_EQ(power_.begins(Moment::op), Power::Begun::refused);
    power_.cut_is_done(CutReport{}, true);
    EXPECT_EQ(told, std::vector<std::uint64_t>{2});
    const auto late = power_.wait_for_firing(power_.next_waiter(), note, never);
    ASSERT_TRUE(late.report) << "it has fired since it was armed";
    EXPECT_EQ(late.report->number, 2U);

    power_.arm(command("cut at=op:1"));
    EXPECT_NE(power_.wait_for_firing(power_.next_waiter(), note, never).waiter, 0U);
    power_.end();
    EXPECT_EQ(told, (std::vector<std::uint64_t>{2, 0}));
}

} // namespace
} // namespace partialfs::power
