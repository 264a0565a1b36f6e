#include "attribute/backgrounds.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace timesink::attribute {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Instant at(Duration since) {
    return Instant(seconds(1000) + since);
}

class BackgroundsTest : public ::testing::Test {
protected:
    BackgroundsTest() {
        request_.id = UnitId{7};
        request_.end = at({});
        request_.method = "GET";
        request_.route = "/orders/{id}";
    }
    /// A call of the request's background; returns the account that it is in.
    LiveUnit& send(Duration since) {
        LiveUnit* live = backgrounds_.find(request_.id, at(since));
        if (live == nullptr) {
            units_.push_back(std::make_unique<LiveUnit>());
            live = units_.back().get();
            backgrounds_.begin(*live, request_, at(since));
        }
        backgrounds_.sent(request_.id);
        return *live;
    }
    void answer(Duration sent, Duration read) {
        request::Exchange exchange;
        exchange.sent = at(sent);
        exchange.read_end = at(read);
        exchange.read_by = ThreadId{5};
        backgrounds_.answered(request_.id, exchange);
    }
    LiveUnit& call(Duration sent, Duration read) {
        LiveUnit& live = send(sent);
        answer(sent, read);
        return live;
    }
    std::vector<LiveUnit*> over(Duration known) { return backgrounds_.take_ended(at(known)); }

    Answered request_;
    Backgrounds backgrounds_;
    std::vector<std::unique_ptr<LiveUnit>> units_;
};

TEST_F(BackgroundsTest, AnAccountLastsFromTheResponseToTheAnswerOfTheLastCall) {
    LiveUnit& live = call(milliseconds(3), milliseconds(5));
    EXPECT_EQ(&call(milliseconds(10), milliseconds(12)), &live);
    EXPECT_TRUE(over(seconds(5)).empty()) << "more may come";
    EXPECT_EQ(over(seconds(6)), std::vector<LiveUnit*>{&live});
    EXPECT_EQ(live.unit.begin, at({}));
    EXPECT_EQ(live.unit.end, at(milliseconds(12)));
    EXPECT_EQ(live.unit.answered_by, ThreadId{5});
    EXPECT_EQ(live.unit.kind, request::UnitKind::background);
    EXPECT_EQ(live.unit.request, UnitId{7});
    EXPECT_EQ(live.unit.route, "/orders/{id}");
    EXPECT_TRUE(over(seconds(60)).empty()) << "once";
}

TEST_F(BackgroundsTest, WhatSleepsFirstBeginsWithItsFirstCall) {
    LiveUnit& live = call(seconds(9), seconds(10));
    EXPECT_EQ(live.unit.begin, at(seconds(9)));
}

TEST_F(BackgroundsTest, ACallLaterThanThatBeginsAnotherAccount) {
    LiveUnit& first = call(milliseconds(1), milliseconds(2));
    LiveUnit& second = call(seconds(6), seconds(7));
    EXPECT_NE(&first, &second);
    EXPECT_EQ(second.unit.begin, at(seconds(6)));
    EXPECT_EQ(over(seconds(5)), std::vector<LiveUnit*>{&first});
    EXPECT_EQ(over(seconds(20)), std::vector<LiveUnit*>{&second});
}

TEST_F(BackgroundsTest, AnOpenCallKeepsItOpen) {
    LiveUnit& live = send(milliseconds(1));
    EXPECT_TRUE(over(seconds(20)).empty());
    answer(milliseconds(1), seconds(21));
    EXPECT_EQ(&call(seconds(22), seconds(23)), &live);
    EXPECT_EQ(over(seconds(29)), std::vector<LiveUnit*>{&live});
    EXPECT_EQ(live.unit.end, at(seconds(23)));
}

TEST_F(BackgroundsTest, ACallThatIsNotAnsweredDoesNotKeepItForEver) {
    LiveUnit& live = call(milliseconds(1), milliseconds(2));
    send(milliseconds(3));
    EXPECT_EQ(over(seconds(31)), std::vector<LiveUnit*>{&live});
    EXPECT_EQ(live.unit.end, at(milliseconds(2)));
}

TEST_F(BackgroundsTest, WhatGoesOnAfterACutBeginsThere) {
    LiveUnit& first = call(milliseconds(1), milliseconds(20));
    send(milliseconds(3));  // will be answered after the cut
    ASSERT_EQ(over(seconds(31)).size(), 1U);
    ASSERT_EQ(backgrounds_.find(request_.id, at(milliseconds(3))), nullptr);
    units_.push_back(std::make_unique<LiveUnit>());
    LiveUnit& second = *units_.back();
    backgrounds_.begin(second, request_, at(milliseconds(3)));
    answer(milliseconds(3), seconds(40));
    EXPECT_EQ(second.unit.begin, first.unit.end) << "no time is in two accounts";
    EXPECT_EQ(second.unit.end, at(seconds(40)));
}

TEST_F(BackgroundsTest, AnAnswerAfterTheCutForgetsIt) {
    send(milliseconds(1));
    ASSERT_EQ(over(seconds(31)).size(), 1U);
    answer(milliseconds(1), seconds(40));
    EXPECT_TRUE(over(seconds(90)).empty());
    EXPECT_EQ(call(seconds(41), seconds(42)).unit.begin, at(seconds(41)));
}

TEST_F(BackgroundsTest, WorkWithoutEndIsCutOff) {
    LiveUnit& first = call({}, milliseconds(1));
    LiveUnit* latest = &first;
    for (int second = 1; second <= 70; ++second) {
        latest = &call(seconds(second), seconds(second) + milliseconds(1));
        EXPECT_LE(latest->unit.end - latest->unit.begin, Backgrounds::kLongest + seconds(1));
    }
    EXPECT_NE(latest, &first);
    EXPECT_EQ(over(seconds(1000)).size(), 3U);
}

TEST_F(BackgroundsTest, AtTheEndOfTheRunAllAreOver) {
    LiveUnit& open = send(milliseconds(1));
    EXPECT_EQ(backgrounds_.take_ended(Instant::max()), std::vector<LiveUnit*>{&open});
}

}  // namespace
}  // namespace timesink::attribute
