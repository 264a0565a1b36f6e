#include "infer/model.hpp"

#include <gtest/gtest.h>

#include <array>

namespace timesink::infer {
namespace {

constexpr PoolId kPool{0};
constexpr std::array<Shape, 2> kBoth{Shape{1}, Shape{2}};

class ModelTest : public ::testing::Test {
protected:
    ModelTest() {
        model_.place(kBoth[0], kPool);
        model_.place(kBoth[1], kPool);
        both_ = model_.list(kBoth);
    }
    Model model_;
    Step both_{};
    History begin_ = History::begin(RouteId{7});
};

TEST_F(ModelTest, WhatWasSeenOftenIsLikelyAndTheRestIsNotImpossible) {
    for (int i = 0; i < 10; ++i) {
        model_.learn(begin_, both_, 1);
    }
    EXPECT_GT(model_.probability(begin_, both_), 0.9);
    EXPECT_GT(model_.probability(begin_, Step::respond), 0);
    EXPECT_LT(model_.probability(begin_, Step::respond), 0.05);
    EXPECT_GT(model_.issues(begin_, kPool), 0.9);
}

TEST_F(ModelTest, AListIsKnownByItsBegin) {
    model_.learn(begin_, both_, 5);
    EXPECT_EQ(model_.likeliest(begin_, std::span(kBoth).first(1)), both_);
    EXPECT_GT(model_.begins(begin_, std::span(kBoth).first(1)), 0.8);
    EXPECT_LT(model_.begins(begin_, std::span(kBoth).last(1)), 0.2);
}

TEST_F(ModelTest, AnUnknownPastIsPredictedFromItsLastSteps) {
    const History known = begin_.then(both_).then(Step::join);
    const History longer = begin_.then(Step::join).then(both_).then(Step::join);
    for (int i = 0; i < 10; ++i) {
        model_.learn(known, Step::respond, 1);
    }
    EXPECT_GT(model_.probability(longer, Step::respond), 0.8);
}

TEST_F(ModelTest, KeepingConnectionsIsLearned) {
    EXPECT_LT(model_.holds(begin_), 0.5);
    for (int i = 0; i < 10; ++i) {
        model_.learn_hold(begin_, true, 1);
    }
    EXPECT_GT(model_.holds(begin_), 0.9);
    EXPECT_GT(model_.holds(begin_.then(both_)), 0.5) << "the route says so where the step does not";
}

TEST_F(ModelTest, PuttingOffOneStepSaysNothingAboutOthers) {
    for (int i = 0; i < 10; ++i) {
        model_.learn_defer(begin_, true, 1);
    }
    EXPECT_GT(model_.defers(begin_), 0.9);
    EXPECT_LT(model_.defers(begin_.then(both_).then(Step::join)), 0.1);
}

TEST(Delays, ShareWhatTheyHaveSeen) {
    Delays delays;
    for (int i = 0; i < 20; ++i) {
        delays.add(std::chrono::milliseconds(5), std::chrono::milliseconds(5));
    }
    EXPECT_GT(delays.wakes_within(std::chrono::milliseconds(3), std::chrono::milliseconds(8)), 0.8);
    EXPECT_LT(delays.wakes_within({}, std::chrono::milliseconds(2)), 0.1);
    EXPECT_LT(delays.wakes_within(std::chrono::milliseconds(100), std::chrono::milliseconds(200)), 0.5);
}

TEST(Delays, AFewOfOneLengthSayLittleAgainstAnother) {
    Delays delays;
    delays.add(std::chrono::milliseconds(4), std::chrono::milliseconds(5));
    delays.add(std::chrono::milliseconds(4), std::chrono::milliseconds(5));
    EXPECT_GT(delays.wakes_within({}, std::chrono::microseconds(900)), 0.01);
}

TEST(Delays, ATimersClockCountsMilliseconds) {
    Delays delays;
    for (int i = 0; i < 20; ++i) {
        delays.add({}, std::chrono::milliseconds(1));
    }
    EXPECT_NEAR(delays.wakes_within({}, std::chrono::microseconds(500)), 0.5, 0.1);
}

TEST(Delays, BoundsHoldForAnyTimes) {
    Delays delays;
    delays.add(Duration::max(), Duration::max());
    delays.add(Duration::min(), Duration::max());
    delays.add(Duration::max(), Duration::min());
    for (const auto& [from, to] : {std::pair{Duration::min(), Duration::max()}, std::pair{Duration::max(), Duration::min()}}) {
        const double share = delays.wakes_within(from, to);
        EXPECT_GE(share, 0);
        EXPECT_LE(share, 1);
    }
}

}  // namespace
}  // namespace timesink::infer
