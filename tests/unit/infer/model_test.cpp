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

/// A model that was given what another run learned of a route: both at once, then a sleep, then the answer.
class GivenTest : public ModelTest {
protected:
    void SetUp() override {
        KnownPath path{{both_, Step::sleep, Step::respond}, 200, {}};
        for (int i = 0; i < 8; ++i) {
            path.slept.push_back({1, std::chrono::milliseconds(4), std::chrono::milliseconds(5)});
        }
        model_.give(RouteId{7}, {path});
    }
    History asleep_ = begin_.then(both_);
};

TEST_F(GivenTest, WhatAnotherRunLearnedIsKnownFromTheFirstRequestOn) {
    EXPECT_GT(model_.probability(begin_, both_), 0.9);
    EXPECT_GT(model_.probability(asleep_, Step::sleep), 0.9);
    ASSERT_NE(model_.delays(asleep_), nullptr);
    EXPECT_GT(model_.delays(asleep_)->wakes_within(std::chrono::milliseconds(3), std::chrono::milliseconds(6)), 0.5);
}

TEST_F(GivenTest, CodeThatIsNoLongerThatIsForgottenSoon) {
    for (int i = 0; i < 6; ++i) {
        model_.learn_path(RouteId{7}, {Step::join, Step::respond}, {});
    }
    EXPECT_GT(model_.probability(begin_, Step::join), 0.9);
    EXPECT_LT(model_.probability(begin_, both_), 0.1);
}

TEST_F(GivenTest, OneUnitThatGoesAnotherWayChangesLittle) {
    model_.learn_path(RouteId{7}, {Step::join, Step::respond}, {});
    EXPECT_GT(model_.probability(begin_, both_), 0.8);
}

TEST_F(GivenTest, IsHandedOnWithWhatWasLearnedSince) {
    model_.learn_path(RouteId{7}, {both_, Step::sleep, Step::respond},
                      {{1, std::chrono::milliseconds(6), std::chrono::milliseconds(7)}});
    model_.learn_path(RouteId{7}, {Step::respond}, {});
    const std::vector<KnownPath>& paths = model_.paths().routes().at(RouteId{7});
    ASSERT_EQ(paths.size(), 2);
    EXPECT_EQ(paths[0].times, 17) << "what is given counts as sixteen units";
    EXPECT_EQ(paths[0].slept.size(), 9);
    EXPECT_EQ(paths[1].steps, std::vector<Step>{Step::respond});
}

TEST(Paths, AreBounded) {
    Paths paths;
    for (std::uint32_t i = 0; i < 2 * Paths::kMostPaths; ++i) {
        const std::vector<KnownPath::Slept> slept(2 * Paths::kMostSlept);
        paths.add(RouteId{1}, {static_cast<Step>(i)}, slept, 1);
    }
    EXPECT_EQ(paths.routes().at(RouteId{1}).size(), Paths::kMostPaths);
    EXPECT_EQ(paths.routes().at(RouteId{1})[0].slept.size(), Paths::kMostSlept);
    paths.add(RouteId{2}, std::vector<Step>(Paths::kLongest + 1, Step::join), {}, 1);
    EXPECT_FALSE(paths.routes().contains(RouteId{2}));
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
