#include "attribute/owners.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};
constexpr ThreadId kLoop{11};
constexpr ThreadId kHelper{12};
constexpr ThreadId kOtherWorker{13};
constexpr std::int16_t kPoll = 7;
constexpr std::int16_t kEpollWait = 232;

Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

class OwnersTest : public ::testing::Test {
protected:
    LiveUnit& begin(std::uint64_t id, std::int64_t at, std::uint64_t socket, ThreadId thread = kLoop) {
        auto live = std::make_unique<LiveUnit>();
        live->unit.id = UnitId{id};
        live->unit.socket = SocketId{socket};
        live->unit.process = kProcess;
        live->unit.thread = thread;
        live->unit.begin = live->unit.read_begin = us(at);
        LiveUnit& kept = *units_.emplace_back(std::move(live));
        owners_.began(kept);
        return kept;
    }

    request::Exchange exchange(std::int64_t sent, ThreadId thread = kLoop) {
        request::Exchange made;
        made.id = ExchangeId{++exchanges_};
        made.process = kProcess;
        made.sent_by = thread;
        made.sent = us(sent);
        return made;
    }

    Owner of(std::int64_t sent, ThreadId thread = kLoop) { return owners_.of(exchange(sent, thread), timelines_); }

    void woken(ThreadId thread, ThreadId waker, std::int64_t off, std::int64_t at) {
        event::OffCpu span{};
        span.thread = thread;
        span.process = kProcess;
        span.off = us(off);
        span.woken = us(at);
        span.on = us(at + 1);
        span.waker = waker;
        span.waker_syscall = 202;
        timelines_.on(span);
    }

    Owners owners_;
    Timelines timelines_;
    std::vector<std::unique_ptr<LiveUnit>> units_;
    std::uint64_t exchanges_ = 0;
};

TEST_F(OwnersTest, TheOnlyUnitOnAThreadOwnsWhatTheThreadSends) {
    begin(1, 0, 100);
    const Owner owner = of(10);
    EXPECT_EQ(owner.unit, UnitId{1});
    EXPECT_EQ(owner.evidence, Evidence::thread);
    EXPECT_EQ(owner.margin, 1);
}

TEST_F(OwnersTest, UnitsOnOtherThreadsDoNotMatter) {
    begin(1, 0, 100);
    begin(2, 1, 101, kOtherWorker);
    EXPECT_EQ(of(10).unit, UnitId{1});
    EXPECT_EQ(of(10, kOtherWorker).unit, UnitId{2});
}

TEST_F(OwnersTest, TwoUnitsOnAThreadAreAmbiguousAndShareIt) {
    LiveUnit& first = begin(1, 0, 100);
    LiveUnit& second = begin(2, 5, 101);
    EXPECT_EQ(of(10).evidence, Evidence::ambiguous);
    EXPECT_EQ(of(10).unit, UnitId{});
    owners_.ended(second, us(20));
    ASSERT_EQ(first.shared.size(), 1U);
    EXPECT_EQ(first.shared[0].begin, us(5));
    EXPECT_EQ(first.shared[0].end, us(20));
    EXPECT_EQ(of(30).unit, UnitId{1});
    EXPECT_FALSE(first.alone);
}

TEST_F(OwnersTest, APipelinedRequestIsNotInFlightBeforeItsTurn) {
    LiveUnit& first = begin(1, 0, 100);
    LiveUnit& second = begin(2, 0, 100);
    EXPECT_EQ(of(10).unit, UnitId{1});
    owners_.ended(first, us(20));
    EXPECT_EQ(of(30).unit, UnitId{2});
    EXPECT_TRUE(second.shared.empty());
}

TEST_F(OwnersTest, AHelperThreadWorksForTheUnitWhoseThreadWokeIt) {
    begin(1, 10, 100);
    woken(kHelper, kLoop, 0, 20);
    const Owner owner = of(30, kHelper);
    EXPECT_EQ(owner.unit, UnitId{1});
    EXPECT_EQ(owner.evidence, Evidence::inferred);
    EXPECT_LT(owner.margin, 1);
}

TEST_F(OwnersTest, AThreadThatNobodyWokeForTheUnitIsNotItsHelper) {
    begin(1, 10, 100);
    woken(kHelper, kLoop, 0, 5);  // before the unit began
    EXPECT_EQ(of(30, kHelper).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, AHelpersHelperWorksForTheUnit) {
    begin(1, 10, 100);
    woken(kOtherWorker, kLoop, 0, 12);
    woken(kHelper, kOtherWorker, 0, 20);
    const Owner owner = of(30, kHelper);
    EXPECT_EQ(owner.unit, UnitId{1});
    EXPECT_EQ(owner.evidence, Evidence::inferred);
}

TEST_F(OwnersTest, AThreadThatWokeAnotherBeforeItHadTheWorkDidNotHandItOn) {
    begin(1, 10, 100);
    woken(kOtherWorker, kHelper, 0, 5);
    woken(kHelper, kOtherWorker, 0, 20);
    woken(kOtherWorker, kLoop, 22, 25);
    EXPECT_EQ(of(30, kHelper).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, ThreadsThatWakeEachOtherForLongAreGivenUp) {
    begin(1, 10, 100);
    for (int at = 20; at < 20000; at += 4) {
        woken(kHelper, kOtherWorker, at, at + 1);
        woken(kOtherWorker, kHelper, at + 2, at + 3);
    }
    EXPECT_EQ(of(30000, kHelper).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, AHelperIsAmbiguousWhileSeveralUnitsAreInFlight) {
    begin(1, 10, 100);
    begin(2, 11, 101, kOtherWorker);
    woken(kHelper, kLoop, 0, 20);
    EXPECT_EQ(of(30, kHelper).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, WithNothingInFlightItIsNobodys) {
    EXPECT_EQ(of(10).evidence, Evidence::none);
}

TEST_F(OwnersTest, WhatADriverAsksOfItsOwnAccordIsNoJobThatMayGoOn) {
    request::Exchange upkeep = exchange(0);
    upkeep.housekeeping = true;
    EXPECT_EQ(owners_.of(upkeep, timelines_).evidence, Evidence::none);
    begin(1, 10, 1);
    EXPECT_EQ(of(11).evidence, Evidence::thread);
}

TEST_F(OwnersTest, WhereThreadsTurnOutToTellNothingOnlyTheOneInTheProcessIsKnown) {
    LiveUnit& first = begin(1, 0, 1, kLoop);
    owners_.schedules_itself(kProcess);
    LiveUnit& second = begin(2, 10, 2, kOtherWorker);
    EXPECT_EQ(of(11, kHelper).evidence, Evidence::ambiguous) << "the first is in flight, though on its thread";
    owners_.ended(first, us(20));
    EXPECT_EQ(of(21, kHelper).unit, UnitId{2});
    EXPECT_EQ(of(21, kHelper).evidence, Evidence::inferred);
    owners_.ended(second, us(30));
}

TEST_F(OwnersTest, ABackgroundJobMakesLaterOnesAmbiguousUntilItIsOver) {
    const request::Exchange background = exchange(0);
    EXPECT_EQ(owners_.of(background, timelines_).evidence, Evidence::none);
    begin(1, 5, 100);
    owners_.waited(kProcess, kLoop, kEpollWait);  // waits, but for the background job's reply
    EXPECT_EQ(of(10).evidence, Evidence::ambiguous);
    owners_.answered(background);
    EXPECT_EQ(of(12).evidence, Evidence::ambiguous);  // it may send more in this very turn
    owners_.waited(kProcess, kLoop, kEpollWait);
    EXPECT_EQ(of(20).unit, UnitId{1});
}

// At the attach it was serving a request whose begin had not been seen; the next is there when it has been answered.
TEST_F(OwnersTest, AThreadThatWaitsForItsRepliesHasDoneWithOneRequestWhenItReadsTheNext) {
    const request::Exchange before = exchange(0);
    EXPECT_EQ(owners_.of(before, timelines_).evidence, Evidence::none);
    owners_.waited(kProcess, kOtherWorker, kPoll);  // another thread's waits say nothing
    owners_.waited(kProcess, kLoop, kPoll);
    owners_.answered(before);
    begin(1, 5, 100);
    const Owner owner = of(10);
    EXPECT_EQ(owner.unit, UnitId{1});
    EXPECT_EQ(owner.evidence, Evidence::thread);
}

TEST_F(OwnersTest, WhatIsNotAnsweredYetMayGoOnOnAnyThread) {
    EXPECT_EQ(of(0).evidence, Evidence::none);
    owners_.waited(kProcess, kLoop, kPoll);
    begin(1, 5, 100);
    EXPECT_EQ(of(10).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, AnEventLoopReadsRequestsInTheMiddleOfOtherWork) {
    owners_.waited(kProcess, kLoop, kEpollWait);
    const request::Exchange before = exchange(0);
    EXPECT_EQ(owners_.of(before, timelines_).evidence, Evidence::none);
    owners_.waited(kProcess, kLoop, kPoll);  // a driver's own wait, for a connection
    owners_.answered(before);
    begin(1, 5, 100);
    EXPECT_EQ(of(10).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, AThreadNeverSeenToWaitMayBeAnEventLoop) {
    const request::Exchange before = exchange(0);
    EXPECT_EQ(owners_.of(before, timelines_).evidence, Evidence::none);
    owners_.answered(before);
    begin(1, 5, 100);
    EXPECT_EQ(of(10).evidence, Evidence::ambiguous);
}

TEST_F(OwnersTest, WhereThreadsTellNothingTheOnlyUnitInFlightIsLikely) {
    owners_.schedules_itself(kProcess);
    LiveUnit& first = begin(1, 0, 5, kLoop);
    const Owner alone = of(1, kHelper);
    EXPECT_EQ(alone.unit, UnitId{1});
    EXPECT_EQ(alone.evidence, Evidence::inferred);
    LiveUnit& second = begin(2, 2, 6, kOtherWorker);
    EXPECT_EQ(of(3, kLoop).evidence, Evidence::ambiguous);
    EXPECT_EQ(of(3, kOtherWorker).evidence, Evidence::ambiguous);
    EXPECT_FALSE(first.shared.empty());
    EXPECT_FALSE(second.shared.empty());
}

TEST_F(OwnersTest, WhatALoopSendsAndNobodyWaitsForMayBeOfOneThatIsOver) {
    request::Exchange publish = exchange(20);
    publish.one_way = true;
    begin(1, 10, 100);
    owners_.waited(kProcess, kLoop, kPoll);
    EXPECT_EQ(owners_.of(publish, timelines_).evidence, Evidence::thread) << "it may use epoll to wait for its own";
    begin(2, 10, 101, kOtherWorker);
    publish.sent_by = kOtherWorker;
    owners_.waited(kProcess, kOtherWorker, kEpollWait);
    EXPECT_EQ(owners_.of(publish, timelines_).evidence, Evidence::ambiguous);
    EXPECT_EQ(of(30, kOtherWorker).evidence, Evidence::thread);
}

}  // namespace
}  // namespace timesink::attribute
