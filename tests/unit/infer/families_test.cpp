#include "infer/families.hpp"

#include <gtest/gtest.h>

#include "infer/model.hpp"

namespace timesink::infer {
namespace {

constexpr RouteId kFamily{100};

std::vector<Step> way(std::initializer_list<std::uint32_t> lists) {
    std::vector<Step> steps;
    for (const std::uint32_t list : lists) {
        steps.push_back(static_cast<Step>(static_cast<std::uint32_t>(Step::first_list) + list));
    }
    steps.push_back(Step::respond);
    return steps;
}

class FamiliesTest : public ::testing::Test {
protected:
    FamiliesTest() {
        for (std::uint32_t route = 1; route <= 20; ++route) {
            families_.relate(RouteId{route}, {kFamily});
        }
    }
    [[nodiscard]] RouteId stands_for(std::uint32_t route) const { return families_.stands_for(RouteId{route}); }
    std::vector<RouteId> went(std::uint32_t route, const std::vector<Step>& steps) {
        return families_.went(RouteId{route}, steps);
    }
    Families families_;
};

TEST_F(FamiliesTest, RoutesThatDoTheSameAreOneAndSoIsTheNext) {
    EXPECT_TRUE(went(1, way({1, 2})).empty());
    EXPECT_EQ(stands_for(3), RouteId{3});
    EXPECT_EQ(went(2, way({1, 2})), std::vector<RouteId>{kFamily});
    for (const std::uint32_t route : {1U, 2U, 3U}) {
        EXPECT_EQ(stands_for(route), kFamily) << route;
    }
    EXPECT_TRUE(went(3, way({1, 2})).empty());  // it was one before
}

TEST_F(FamiliesTest, RoutesThatDoDifferentThingsAreNot) {
    for (std::uint32_t route = 1; route <= 12; ++route) {
        went(route, way({route}));
    }
    EXPECT_EQ(stands_for(1), RouteId{1});
    EXPECT_EQ(stands_for(13), RouteId{13});
}

TEST_F(FamiliesTest, TwoOfManyThatDoTheSameByChanceDoNotMakeOne) {
    for (std::uint32_t route = 1; route <= 12; ++route) {
        went(route, way({std::max(route, 2U)}));
    }
    EXPECT_EQ(stands_for(1), RouteId{1});
    EXPECT_EQ(stands_for(13), RouteId{13});
}

TEST_F(FamiliesTest, TheOneThatDoesSomethingElseStandsForItself) {
    for (std::uint32_t route = 1; route <= 9; ++route) {
        went(route, way({1}));
    }
    went(10, way({2}));
    EXPECT_EQ(stands_for(10), RouteId{10});
    EXPECT_EQ(stands_for(9), kFamily);
    EXPECT_EQ(stands_for(11), kFamily);
}

TEST_F(FamiliesTest, ALoopMayGoRoundMoreOrLessOften) {
    went(1, way({1, 2, 2, 2}));
    went(2, way({1, 2}));
    EXPECT_EQ(stands_for(1), kFamily);
}

TEST_F(FamiliesTest, WhatAnotherRunLearnedHoldsUntilThisOneShowsOtherwise) {
    families_.given(kFamily, way({1}));
    EXPECT_EQ(stands_for(1), kFamily);
    went(1, way({1}));
    EXPECT_EQ(stands_for(1), kFamily);
    EXPECT_EQ(stands_for(2), kFamily);
    for (std::uint32_t route = 2; route <= 5; ++route) {
        went(route, way({route}));
    }
    EXPECT_EQ(stands_for(6), RouteId{6});
}

TEST(Model, KnowsOfARouteItHasNotSeenWhatTheOthersOfItsFamilyDid) {
    Model model;
    model.place(Shape{11}, PoolId{0});
    model.place(Shape{12}, PoolId{0});
    const std::vector<Step> steps{model.list(std::vector<Shape>{Shape{11}}), model.list(std::vector<Shape>{Shape{12}}),
                                  Step::respond};
    for (std::uint32_t route = 1; route <= 2; ++route) {
        model.families().relate(RouteId{route}, {kFamily});
        model.learn_path(RouteId{route}, steps, {});
    }
    model.families().relate(RouteId{3}, {kFamily});
    const History begin = History::begin(model.families().stands_for(RouteId{3}));
    EXPECT_GT(model.probability(begin, steps[0]), 0.8);
    EXPECT_GT(model.probability(begin.then(steps[0]), steps[1]), 0.8);
}

}  // namespace
}  // namespace timesink::infer
