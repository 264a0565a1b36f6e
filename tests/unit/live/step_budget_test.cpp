#include "live/step_budget.hpp"

#include <gtest/gtest.h>

namespace timesink::live {
namespace {

using Verdict = StepBudget::Verdict;
constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(StepBudget, AServiceThatReadsFewRowsIsNeverPaused) {
    StepBudget budget;
    for (std::uint64_t second = 1; second < 100; ++second) {
        EXPECT_EQ(budget.judge(second * kSecond, second * StepBudget::kPerSecond), Verdict::go_on);
    }
}

TEST(StepBudget, AQueryOfManyRowsIsToldWholly) {
    StepBudget budget;
    EXPECT_EQ(budget.judge(kSecond, 0), Verdict::go_on);
    EXPECT_EQ(budget.judge(kSecond + 1, StepBudget::kMost), Verdict::go_on);
}

TEST(StepBudget, OneThatReadsRowsWithoutEndIsPausedAndWatchedAgain) {
    StepBudget budget;
    EXPECT_EQ(budget.judge(kSecond, 0), Verdict::go_on);
    std::uint64_t now = kSecond + 1;
    const std::uint64_t steps = 2 * StepBudget::kMost;
    EXPECT_EQ(budget.judge(now, steps), Verdict::pause);
    std::uint64_t pauses = 0;
    while (budget.judge(now += kSecond / 10, steps) == Verdict::go_on) {
        ASSERT_LT(++pauses, 100U);
    }
    // From -kMost up to kMost / 2.
    EXPECT_NEAR(static_cast<double>(now - kSecond) / kSecond, 1.5 * StepBudget::kMost / StepBudget::kPerSecond, 0.2);
    EXPECT_EQ(budget.judge(now + 1, steps), Verdict::go_on);
}

TEST(StepBudget, ACounterThatWentBackCostsNothing) {
    StepBudget budget;
    EXPECT_EQ(budget.judge(kSecond, 1000), Verdict::go_on);
    EXPECT_EQ(budget.judge(kSecond + 1, 10), Verdict::go_on);
}

}  // namespace
}  // namespace timesink::live
