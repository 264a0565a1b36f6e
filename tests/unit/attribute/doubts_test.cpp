#include "attribute/doubts.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

using std::chrono::milliseconds;

constexpr ProcessId kServer{7};
constexpr ProcessId kOther{8};

Instant at(int ms) {
    return Instant(milliseconds(ms));
}

TEST(Doubts, AreOfTheirProcessAndOfWhoWasInFlight) {
    Doubts doubts;
    EXPECT_FALSE(doubts.within(kServer, {at(0), at(100)}));
    doubts.sent(kServer, at(50));
    EXPECT_TRUE(doubts.within(kServer, {at(50), at(50)}));
    EXPECT_FALSE(doubts.within(kServer, {at(0), at(49)}));
    EXPECT_FALSE(doubts.within(kServer, {at(51), at(100)}));
    EXPECT_FALSE(doubts.within(kOther, {at(0), at(100)}));
}

TEST(Doubts, MayComeInAnyOrderAndAreForgottenByTime) {
    Doubts doubts;
    for (const int ms : {50, 30, 70, 10}) {
        doubts.sent(kServer, at(ms));
    }
    doubts.sent(kOther, at(20));
    EXPECT_TRUE(doubts.within(kServer, {at(20), at(40)}));
    EXPECT_FALSE(doubts.within(kServer, {at(55), at(65)}));
    doubts.forget(at(40));
    EXPECT_FALSE(doubts.within(kServer, {at(0), at(49)}));
    EXPECT_TRUE(doubts.within(kServer, {at(0), at(50)}));
    EXPECT_FALSE(doubts.within(kOther, {at(0), at(100)}));
    doubts.sent(kOther, at(60));
    EXPECT_TRUE(doubts.within(kOther, {at(60), at(60)}));
}

}  // namespace
}  // namespace timesink::attribute
