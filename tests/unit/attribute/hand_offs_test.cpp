#include "attribute/hand_offs.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};
constexpr ThreadId kFirst{11};
constexpr ThreadId kSecond{12};
constexpr ThreadId kHelper{20};
constexpr ThreadId kOtherHelper{21};
constexpr std::int16_t kFutex = 202;
constexpr std::int32_t kQueue = 0x1000;
constexpr std::int32_t kResultOfFirst = 0x2000;
constexpr std::int32_t kResultOfSecond = 0x3000;
constexpr std::int32_t kGil = 0x4000;

Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

/// Two requests in flight on threads of their own, and helpers.
class HandOffsTest : public ::testing::Test {
protected:
    HandOffsTest() {
        begin(1, kFirst);
        begin(2, kSecond);
    }
    void begin(std::uint64_t id, ThreadId thread) {
        auto live = std::make_unique<LiveUnit>();
        live->unit.id = UnitId{id};
        live->unit.socket = SocketId{id};
        live->unit.process = kProcess;
        live->unit.thread = live->unit.answered_by = thread;
        live->unit.begin = live->unit.read_begin = us(0);
        live->unit.first_response = live->unit.end = us(900);
        LiveUnit& kept = *units_.emplace_back(std::move(live));
        owners_.began(kept);
        hand_offs_.began(kept);
    }
    void woken(ThreadId thread, ThreadId waker, std::int64_t off, std::int64_t at, std::int32_t word) {
        event::OffCpu span{};
        span.thread = thread;
        span.process = kProcess;
        span.off = us(off);
        span.woken = us(at);
        span.on = us(at + 1);
        span.waker = waker;
        span.syscall = span.waker_syscall = kFutex;
        span.fd = word;
        timelines_.on(span);
        hand_offs_.on(span, owners_);
    }
    /// Sent, and answered 20 µs later.
    void call(std::uint64_t id, std::int64_t sent, ThreadId thread = kHelper, SocketId socket = SocketId{100}) {
        request::Exchange exchange;
        exchange.id = ExchangeId{id};
        exchange.process = kProcess;
        exchange.sent_by = thread;
        exchange.socket = socket;
        event::OffCpu reply{};
        reply.thread = thread;
        reply.process = kProcess;
        reply.off = us(sent + 2);
        reply.woken = reply.on = us(sent + 20);
        timelines_.on(reply);
        exchange.sent = us(sent);
        hand_offs_.saw(exchange);
        hand_offs_.sent(exchange, decisions_);
        exchange.arrived = us(sent + 20);
        exchange.read_end = us(sent + 21);
        hand_offs_.answered(exchange);
    }
    void end(std::size_t index) {
        owners_.ended(*units_[index], us(900));
        hand_offs_.ended(*units_[index], timelines_, decisions_);
    }
    [[nodiscard]] Owner owner_of(std::uint64_t id) const {
        for (const HandOffs::Decision& decision : decisions_) {
            if (decision.exchange == ExchangeId{id}) {
                return decision.owner;
            }
        }
        ADD_FAILURE() << "not decided";
        return {};
    }
    void end_all() {
        end(0);
        end(1);
    }

    Owners owners_;
    Timelines timelines_;
    HandOffs hand_offs_;
    std::vector<std::unique_ptr<LiveUnit>> units_;
    std::vector<HandOffs::Decision> decisions_;
};

TEST_F(HandOffsTest, WhoWokeTheHelperAndWasWokenByItOwnsItsCalls) {
    woken(kHelper, kFirst, 0, 10, kQueue);
    call(1, 20);
    call(2, 50);
    woken(kFirst, kHelper, 15, 80, kResultOfFirst);
    end_all();
    EXPECT_EQ(owner_of(1).unit, UnitId{1});
    EXPECT_EQ(owner_of(2).unit, UnitId{1});
    EXPECT_EQ(owner_of(1).evidence, Evidence::inferred);
    EXPECT_GT(owner_of(1).margin, 0.9);
}

TEST_F(HandOffsTest, AnotherTaskOnAnotherConnectionMayHaveComeBetween) {
    woken(kHelper, kFirst, 0, 10, kQueue);
    call(1, 20);
    call(2, 50, kHelper, SocketId{101});
    woken(kFirst, kHelper, 15, 80, kResultOfFirst);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
    EXPECT_EQ(owner_of(2).unit, UnitId{1});
}

TEST_F(HandOffsTest, EndsThatSayDifferentThingsAreAmbiguous) {
    woken(kHelper, kFirst, 0, 10, kQueue);
    call(1, 20);
    woken(kSecond, kHelper, 15, 80, kResultOfSecond);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
    EXPECT_EQ(owner_of(1).unit, UnitId{});
}

TEST_F(HandOffsTest, ABusyPoolTakesItsNextTaskWithoutAWakeUp) {
    woken(kHelper, kFirst, 0, 10, kQueue);
    call(1, 20);
    woken(kFirst, kHelper, 15, 50, kResultOfFirst);
    call(2, 60);
    call(3, 100);
    woken(kSecond, kHelper, 30, 130, kResultOfSecond);
    end_all();
    EXPECT_EQ(owner_of(1).unit, UnitId{1});
    EXPECT_EQ(owner_of(3).unit, UnitId{2}) << "the last before the wake-up";
    EXPECT_EQ(owner_of(2).evidence, Evidence::ambiguous) << "may be of a task that no one waited for";
}

TEST_F(HandOffsTest, AWakeUpByTheGilSaysNothing) {
    woken(kFirst, kOtherHelper, 0, 2, kGil);
    woken(kOtherHelper, kSecond, 0, 3, kGil);
    woken(kHelper, kFirst, 0, 10, kGil);
    call(1, 20);
    woken(kFirst, kHelper, 15, 80, kGil);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, OneWhoCameToWaitAfterTheReplyIsNotTheOwner) {
    call(1, 20);
    woken(kSecond, kHelper, 60, 80, kResultOfSecond);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, WhoSendsAtOnceMayHaveWaitedForTheConnection) {
    call(1, 20);
    woken(kSecond, kHelper, 15, 50, kResultOfSecond);
    call(2, 70, kSecond);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, TwoWokenAfterOneCallAreAmbiguous) {
    call(1, 20);
    woken(kFirst, kHelper, 15, 50, kResultOfFirst);
    woken(kSecond, kHelper, 15, 60, kResultOfSecond);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, AThreadMadeForTheTaskWorksForItsMaker) {
    event::Task fork{};
    fork.operation = TS_TASK_FORK;
    fork.at = us(5);
    fork.thread = kHelper;
    fork.process = fork.parent_process = kProcess;
    fork.parent_thread = kSecond;
    hand_offs_.on(fork, owners_);
    call(1, 20);
    call(2, 50);
    woken(kSecond, kHelper, 15, 80, kResultOfSecond);
    end_all();
    EXPECT_EQ(owner_of(1).unit, UnitId{2});
    EXPECT_EQ(owner_of(2).unit, UnitId{2});
}

TEST_F(HandOffsTest, WhoWokeTheHelperMayHaveLostTheTaskToAnother) {
    woken(kHelper, kFirst, 0, 10, kQueue);
    call(1, 20);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, ATaskWithoutACallMayHaveComeBetween) {
    call(1, 20);
    woken(kSecond, kHelper, 15, 300, kResultOfSecond);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, WaitingForTheGilIsNotWorking) {
    call(1, 20);
    woken(kHelper, kFirst, 45, 280, kGil);
    woken(kSecond, kHelper, 15, 300, kResultOfSecond);
    woken(kOtherHelper, kFirst, 0, 301, kGil);
    woken(kFirst, kOtherHelper, 0, 302, kGil);
    end_all();
    EXPECT_EQ(owner_of(1).unit, UnitId{2});
}

TEST_F(HandOffsTest, TheThreadThatWritesTheResponseWorkedForIt) {
    call(1, 20);
    call(2, 50);
    units_[0]->unit.answered_by = kHelper;
    end_all();
    EXPECT_EQ(owner_of(1).unit, UnitId{1});
    EXPECT_EQ(owner_of(2).unit, UnitId{1});
}

TEST_F(HandOffsTest, AnEventLoopThatWritesTheResponseMayHaveWorkedForOthers) {
    constexpr std::int16_t kEpollWait = 232;
    units_[0]->unit.answered_by = kHelper;
    call(1, 20);
    request::Exchange open;
    open.id = ExchangeId{2};
    open.process = kProcess;
    open.sent_by = kHelper;
    open.sent = us(60);
    hand_offs_.saw(open);
    event::OffCpu wait{};
    wait.thread = kHelper;
    wait.process = kProcess;
    wait.off = us(61);
    wait.woken = wait.on = us(80);
    wait.syscall = kEpollWait;
    wait.waker_syscall = -1;
    hand_offs_.on(wait, owners_);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, AfterALossNothingIsSaid) {
    woken(kHelper, kFirst, 0, 10, kQueue);
    call(1, 20);
    hand_offs_.lost();
    woken(kFirst, kHelper, 15, 80, kResultOfFirst);
    end_all();
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

TEST_F(HandOffsTest, TheEndOfTheRunDecidesTheRest) {
    call(1, 20);
    hand_offs_.finish(decisions_);
    EXPECT_EQ(owner_of(1).evidence, Evidence::ambiguous);
}

}  // namespace
}  // namespace timesink::attribute
