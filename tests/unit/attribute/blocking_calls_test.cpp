#include "attribute/blocking_calls.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

constexpr ThreadId kLoop{11};
constexpr SocketId kClient{1};
constexpr std::int16_t kPoll = 7;
constexpr std::int16_t kEpollWait = 232;
constexpr SocketId kDatabase{2};

class BlockingCallsTest : public ::testing::Test {
protected:
    static request::Unit unit(std::uint64_t id) {
        request::Unit made;
        made.id = UnitId{id};
        made.thread = kLoop;
        return made;
    }
    void begin(std::uint64_t id) { calls_.began(unit(id)); }
    void end(std::uint64_t id) { calls_.ended(unit(id)); }
    void touch(SocketId socket) {
        event::Call call{};
        call.thread = kLoop;
        call.operation = TS_OPERATION_READ;
        call.socket = socket;
        calls_.on(call);
    }
    void wait(std::int16_t syscall) {
        event::OffCpu off{};
        off.thread = kLoop;
        off.woken = off.off + std::chrono::microseconds(1);
        off.syscall = syscall;
        calls_.on(off);
    }
    /// Whose it is taken for. `company`: a client's socket is read before the reply.
    UnitId ask(bool company = false, std::int16_t waits_in = kPoll) {
        request::Exchange exchange;
        exchange.id = ExchangeId{++exchanges_};
        exchange.sent_by = kLoop;
        exchange.socket = kDatabase;
        const UnitId owner = calls_.of(exchange);
        calls_.sent(exchange);
        wait(waits_in);
        if (company) {
            touch(kClient);
        }
        touch(kDatabase);
        calls_.answered(exchange);
        return owner;
    }
    void learn() {
        for (std::uint64_t i = 0; i < BlockingCalls::kSeen; ++i) {
            EXPECT_EQ(ask(), UnitId{}) << "a few times may be chance";
        }
    }

    BlockingCalls calls_;
    std::uint64_t exchanges_ = 0;
};

TEST_F(BlockingCallsTest, ALoopThatWaitsServesTheRequestThatItReadLast) {
    begin(1);
    begin(2);
    learn();
    EXPECT_EQ(ask(), UnitId{2});
    begin(3);
    EXPECT_EQ(ask(), UnitId{3});
    EXPECT_EQ(ask(), UnitId{3});
}

TEST_F(BlockingCallsTest, WhenThatHasBeenAnsweredNobodyIsNamed) {
    begin(1);
    begin(2);
    learn();
    end(2);
    EXPECT_EQ(ask(), UnitId{});
}

TEST_F(BlockingCallsTest, ALoopThatGoesOnMeanwhileTellsNothing) {
    begin(1);
    begin(2);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(ask(i % 4 == 0), UnitId{});
    }
}

TEST_F(BlockingCallsTest, ALoopThatWaitsInEpollDoesNotBlock) {
    begin(1);
    begin(2);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(ask(false, kEpollWait), UnitId{});
    }
}

TEST_F(BlockingCallsTest, WhatATimerSendsIsNobodys) {
    begin(1);
    begin(2);
    learn();
    wait(kPoll);
    EXPECT_EQ(ask(), UnitId{});
}

TEST_F(BlockingCallsTest, AloneEveryLoopWaits) {
    begin(1);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(ask(), UnitId{});
    }
    begin(2);
    EXPECT_EQ(ask(), UnitId{});
}

TEST_F(BlockingCallsTest, ARequestWhoseEndIsLostIsNoCompany) {
    begin(1);
    calls_.lost();
    for (std::uint64_t id = 2; id < 100; ++id) {
        begin(id);
        EXPECT_EQ(ask(), UnitId{}) << "it is alone: every loop waits then";
        end(id);
    }
    begin(100);
    begin(101);
    EXPECT_EQ(ask(), UnitId{});
}

}  // namespace
}  // namespace timesink::attribute
