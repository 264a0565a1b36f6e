#include "attribute/crossed_calls.hpp"

#include <gtest/gtest.h>

#include "unit/attribute/story.hpp"

namespace timesink::attribute {
namespace {

constexpr ThreadId kFirst{21};
constexpr ThreadId kSecond{22};
constexpr ThreadId kReader{30};
constexpr std::int64_t kSpan = 1000;

/// Two threads with a request each, and a client's thread that reads the replies for them.
class CrossedCallsTest : public ::testing::Test {
protected:
    static request::Exchange call(std::uint64_t id, ThreadId sender, std::int64_t sent) {
        request::Exchange exchange;
        exchange.id = ExchangeId{id};
        exchange.socket = SocketId{100 + id};
        exchange.process = kProcess;
        exchange.sent_by = sender;
        exchange.sent = us(sent);
        return exchange;
    }
    static UnitId unit_of(ThreadId thread) { return thread == kFirst ? UnitId{1} : UnitId{2}; }
    void send(std::uint64_t id, ThreadId sender, std::int64_t at) {
        calls_.sent(call(id, sender, at), unit_of(sender), story_.timelines);
    }
    void reply(std::uint64_t id, ThreadId sender, std::int64_t at, ThreadId reader = kReader) {
        request::Exchange exchange = call(id, sender, 0);
        exchange.read_by = reader;
        exchange.read_end = us(at);
        story_.call(TS_OPERATION_READ, exchange.socket, at - 1, at, reader);
        calls_.answered(exchange, unit_of(sender));
    }
    /// `waiter` waits from `off` until the reader wakes it.
    void woken(ThreadId waiter, std::int64_t off, std::int64_t at) {
        event::OffCpu span{};
        span.thread = waiter;
        span.process = kProcess;
        span.off = us(off);
        span.woken = us(at);
        span.on = us(at + 1);
        span.waker = kReader;
        span.syscall = span.waker_syscall = kFutex;
        story_.timelines.on(span);
        calls_.woken(span, true, story_.timelines);
    }
    std::vector<std::uint64_t> crossed() {
        std::vector<std::uint64_t> ids;
        for (const CrossedCalls::Call& call : calls_.take()) {
            ids.push_back(number(call.exchange));
        }
        return ids;
    }
    void answer(ThreadId thread) {
        request::Unit unit;
        unit.id = unit_of(thread);
        unit.process = kProcess;
        unit.thread = thread;
        calls_.ended(unit, story_.timelines);
    }

    using Ids = std::vector<std::uint64_t>;
    Story story_{kSpan};
    CrossedCalls calls_;
};

TEST_F(CrossedCallsTest, TwoThatHaveSentEachOthersAreBothInDoubt) {
    send(1, kFirst, 10);
    send(2, kSecond, 11);
    reply(1, kFirst, 50);
    woken(kSecond, 20, 51);
    EXPECT_EQ(crossed(), (Ids{2, 1}));
    reply(2, kSecond, 60);
    woken(kFirst, 20, 61);
    EXPECT_EQ(crossed(), (Ids{1, 2})) << "told again, to no effect";
}

TEST_F(CrossedCallsTest, WhoeverIsWokenByTheReplyToItsOwnCallSentItForItself) {
    send(1, kFirst, 10);
    send(2, kSecond, 11);
    reply(1, kFirst, 50);
    woken(kFirst, 20, 51);
    reply(2, kSecond, 60);
    woken(kSecond, 20, 61);
    answer(kFirst);
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{});
}

TEST_F(CrossedCallsTest, WhatTheReaderHasReadSinceMayBeWhatItWokeFor) {
    send(1, kFirst, 10);
    send(2, kSecond, 11);
    reply(1, kFirst, 50);
    story_.call(TS_OPERATION_READ, SocketId{102}, 52, 53, kReader);  // the head of the second's reply
    woken(kSecond, 20, 54);
    EXPECT_EQ(crossed(), Ids{});
}

TEST_F(CrossedCallsTest, AReplyThatItsSenderReadIsItsOwn) {
    send(1, kFirst, 10);
    send(2, kSecond, 11);
    reply(1, kFirst, 50, kFirst);
    woken(kSecond, 20, 51);
    EXPECT_EQ(crossed(), Ids{});
}

TEST_F(CrossedCallsTest, WhoeverHasSentNothingAndGoesOnByTheReplyHadItSent) {
    send(1, kFirst, 10);  // for the second, which has queued it
    send(2, kFirst, 12);  // and its own
    reply(1, kFirst, 50);
    woken(kSecond, 20, 51);
    EXPECT_EQ(crossed(), Ids{}) << "it may have waited for the connection";
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{1});
}

TEST_F(CrossedCallsTest, WhoeverSendsOnThatConnectionHasWaitedForIt) {
    send(1, kFirst, 10);
    reply(1, kFirst, 50);
    woken(kSecond, 20, 51);
    request::Exchange next = call(3, kSecond, 55);
    next.socket = SocketId{101};
    calls_.sent(next, unit_of(kSecond), story_.timelines);
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{});
}

TEST_F(CrossedCallsTest, AReaderThatWakesTheSenderTooHasOnlyReleasedALock) {
    send(1, kFirst, 10);
    reply(1, kFirst, 50);
    woken(kSecond, 20, 51);
    woken(kFirst, 20, 52);
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{});
}

TEST_F(CrossedCallsTest, AReaderThatWakesTheSenderForAnotherReplyHasNotReleasedALock) {
    send(1, kFirst, 10);  // for the second
    send(2, kFirst, 12);
    reply(1, kFirst, 50);
    woken(kSecond, 20, 51);
    reply(2, kFirst, 60);
    woken(kFirst, 20, 61);
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{1});
}

TEST_F(CrossedCallsTest, OnceOneWasCrossedWhatNoReplyWokeItsSenderForIsInDoubt) {
    send(1, kFirst, 10);
    reply(1, kFirst, 20);  // before it waited
    answer(kFirst);
    EXPECT_EQ(crossed(), Ids{}) << "nothing speaks against it yet";
    send(2, kFirst, 30);
    send(3, kSecond, 31);
    reply(2, kFirst, 50);
    woken(kSecond, 40, 51);
    answer(kFirst);
    answer(kSecond);
    static_cast<void>(crossed());
    send(4, kFirst, 60);  // for another
    send(5, kFirst, 61);
    reply(5, kFirst, 70);
    woken(kFirst, 62, 71);
    answer(kFirst);
    EXPECT_EQ(crossed(), Ids{4}) << "the unit ended without it";
    send(6, kSecond, 80);
    reply(6, kSecond, 90, kSecond);
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{}) << "read by whom it was sent";
}

TEST_F(CrossedCallsTest, ALossLeavesNoDoubts) {
    send(1, kFirst, 10);
    reply(1, kFirst, 50);
    woken(kSecond, 20, 51);
    calls_.lost();
    answer(kSecond);
    EXPECT_EQ(crossed(), Ids{});
}

}  // namespace
}  // namespace timesink::attribute
