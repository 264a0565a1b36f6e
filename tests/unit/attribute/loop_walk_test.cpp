#include <gtest/gtest.h>

#include <random>

#include "unit/attribute/story.hpp"

namespace timesink::attribute {
namespace {

constexpr SocketId kOthersClient{8};
constexpr SocketId kSelfPipe{9};

TEST(LoopWalk, WorkThatLedToAnOwnCallIsOwn) {
    // Another answers at 300; from then on the thread works for this unit, which answers at 800.
    Story story(810);
    story.call(TS_OPERATION_WRITE, kOthersClient, 290, 300).call(TS_OPERATION_WRITE, kClient, 800, 810);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::loop_busy, 300}, {Cause::cpu, 510}}));
    expect_contiguous(story);
}

TEST(LoopWalk, AReplyThatIsThereWaitsForTheLoop) {
    // Sent at 100, the reply there at 400; the loop reads it at 700, after it has answered another.
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .call(TS_OPERATION_WRITE, kOthersClient, 640, 650)
        .call(TS_OPERATION_READ, kDatabase, 690, 700)
        .statement(100, 400, 400, 700)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::cpu, 450}, {Cause::db_server, 300}, {Cause::loop_busy, 250}}));
    expect_contiguous(story);
}

TEST(LoopWalk, AReplyThatWakesTheIdleLoopIsItsServersTime) {
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .off(110, 601, 640, kEpollWait)
        .call(TS_OPERATION_READ, kDatabase, 650, 655)
        .statement(100, 600, 600, 655)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::cpu, 460}, {Cause::db_server, 500}, {Cause::run_queue, 40}}));
    expect_contiguous(story);
}

TEST(LoopWalk, BetweenOwnStepsOthersHaveTheirTurn) {
    // Its reply read at 500, it goes on only after another has read and sent.
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .call(TS_OPERATION_READ, kDatabase, 495, 500)
        .call(TS_OPERATION_READ, kOther, 510, 515)
        .call(TS_OPERATION_WRITE, kOther, 800, 805)
        .statement(100, 490, 490, 500)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::cpu, 305}, {Cause::db_server, 390}, {Cause::loop_busy, 305}}));
}

TEST(LoopWalk, ATimerIsSleepUntilItEndsTheIdleWait) {
    Story story(1000);
    story.call(TS_OPERATION_READ, kOther, 50, 55).off(100, 700, 710, kEpollWait).call(TS_OPERATION_WRITE, kClient, 990, 1000);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::sleep, 700}, {Cause::run_queue, 10}, {Cause::cpu, 290}}));
}

TEST(LoopWalk, AWaitThatAnotherThreadEndedNeedNotBeATimer) {
    // A pool of processes: a thread of this one reads the result and has word for the loop, which then reads for another request,
    // too.
    Story story(1000);
    story.call(TS_OPERATION_READ, kOther, 50, 55, kHelper)
        .off(100, 500, 510, kEpollWait, kMain, kHelper, kWrite)
        .off(520, 700, 710, kEpollWait)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::unattributed, 700}, {Cause::run_queue, 10}, {Cause::cpu, 290}}));
}

TEST(LoopWalk, OfParallelStatementsTheOneReadLastCounts) {
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .call(TS_OPERATION_WRITE, kOther, 150, 154)
        .off(160, 300, 300, kEpollWait)
        .call(TS_OPERATION_READ, kDatabase, 305, 310)
        .off(330, 800, 800, kEpollWait)
        .call(TS_OPERATION_READ, kOther, 805, 810)
        .statement(100, 300, 300, 310)
        .statement(150, 800, 800, 810, kOther)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    EXPECT_EQ(story.account_on_loop(), (Sums{{Cause::cpu, 350}, {Cause::db_server, 650}}));
    expect_contiguous(story);
}

TEST(LoopWalk, AHelpersWaitThatIsOlderThanTheAttachIsNoPageFault) {
    Story story(1000);
    story.call(TS_OPERATION_READ, kOther, 20, 30)
        .off(0, 200, 220, -1, kHelper, kMain, kFutex)
        .call(TS_OPERATION_WRITE, kDatabase, 300, 305, kHelper)
        .off(310, 500, 500, kRecvfrom, kHelper)
        .call(TS_OPERATION_READ, kDatabase, 306, 505, kHelper)
        .statement(300, 500, 500, 505, kDatabase, kHelper)
        .call(TS_OPERATION_WRITE, kSelfPipe, 700, 705, kHelper)
        .off(250, 705, 720, kEpollWait)
        .call(TS_OPERATION_READ, kSelfPipe, 730, 735)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    const Sums sums = story.account_on_loop();
    EXPECT_EQ(sums.count(Cause::page_fault), 0U);
    EXPECT_EQ(sums.at(Cause::db_server), 200);
    expect_contiguous(story);
}

TEST(LoopWalk, WhatAHelperThreadDidIsFollowedToTheCallThatStartedIt) {
    // The loop hands work over at 200; the helper asks the database, works on the reply, and wakes the loop at 700.
    Story story(1000);
    story.call(TS_OPERATION_READ, kOther, 20, 30)
        .off(0, 200, 220, kFutex, kHelper, kMain, kFutex)
        .call(TS_OPERATION_WRITE, kDatabase, 300, 305, kHelper)
        .off(310, 500, 500, kRecvfrom, kHelper)
        .call(TS_OPERATION_READ, kDatabase, 306, 505, kHelper)
        .statement(300, 500, 500, 505, kDatabase, kHelper)
        .call(TS_OPERATION_WRITE, kSelfPipe, 700, 705, kHelper)
        .off(250, 705, 720, kEpollWait)
        .call(TS_OPERATION_READ, kSelfPipe, 730, 735)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    const Sums sums = story.account_on_loop();
    EXPECT_EQ(sums.at(Cause::db_server), 200);
    EXPECT_EQ(sums.count(Cause::unattributed), 0U);
    EXPECT_EQ(sums.count(Cause::sleep), 0U) << "the loop had nothing to do, but the unit had";
    expect_contiguous(story);
}

TEST(LoopWalk, UntilTheRequestIsWholeTheClientIsWaitedFor) {
    Story story(1000);
    story.live.unit.read_end = us(600);
    story.live.unit.request_arrived = us(580);
    story.call(TS_OPERATION_READ, kOther, 300, 310)
        .off(320, 580, 590, kEpollWait)
        .call(TS_OPERATION_READ, kClient, 595, 600)
        .call(TS_OPERATION_WRITE, kClient, 990, 1000);
    const Sums sums = story.account_on_loop();
    EXPECT_EQ(sums.at(Cause::transfer_request), 580);
    EXPECT_EQ(sums.count(Cause::sleep), 0U);
}

TEST(LoopWalk, AClientThatLeavesTheSocketFullIsWaitedFor) {
    const auto sums_of = [](std::int64_t first_write) {
        Story story(1000);
        story.live.unit.first_response = us(100);
        story.call(TS_OPERATION_WRITE, kClient, 100, 110, kMain, first_write)
            .call(TS_OPERATION_READ, kOther, 120, 130)
            .off(140, 580, 590, kEpollWait)
            .call(TS_OPERATION_WRITE, kClient, 600, 1000, kMain, 500);
        return story.account_on_loop();
    };
    const Sums slow = sums_of(100'000);
    EXPECT_EQ(slow.at(Cause::transfer_response), 470) << "from the write that filled it until the loop was woken";
    EXPECT_EQ(slow.count(Cause::sleep), 0U);
    const Sums pause = sums_of(80);
    EXPECT_EQ(pause.count(Cause::transfer_response), 0U) << "a short line fills no socket";
    EXPECT_GT(pause.at(Cause::sleep), 0);
}

/// Two connections of a pool, both in use at 0; the first is given back at 600 and is the unit's from 690 on.
class PoolStory : public Story {
public:
    explicit PoolStory(bool other_is_idle) : Story(1000) {
        use(kDatabase, 1, 10, 600);
        use(kOther, 2, 20, other_is_idle ? 100 : 900);
        pools.ended(UnitId{1}, us(10));
        call(TS_OPERATION_READ, kDatabase, 595, 600);
        call(TS_OPERATION_WRITE, kOthersClient, 640, 650);
        call(TS_OPERATION_WRITE, kDatabase, 690, 694);
        call(TS_OPERATION_READ, kDatabase, 895, 900);
        statement(690, 890, 890, 900);
        call(TS_OPERATION_WRITE, kClient, 990, 1000);
    }

private:
    void use(SocketId socket, std::uint64_t id, std::int64_t sent, std::int64_t read) {
        request::Exchange exchange;
        exchange.id = ExchangeId{100 + id};
        exchange.socket = socket;
        exchange.process = kProcess;
        exchange.remote = {"127.0.0.1", 5432};
        exchange.sent = us(sent);
        pools.sent(exchange);
        exchange.read_end = us(read);
        pools.answered(exchange);
        pools.settled(exchange, UnitId{});
    }
};

TEST(LoopWalk, AConnectionThatAnotherHadWasWaitedFor) {
    PoolStory story(false);
    const Sums sums = story.account_on_loop();
    EXPECT_EQ(sums.at(Cause::pool_wait), 600);
    EXPECT_EQ(sums.at(Cause::loop_busy), 50);
    expect_contiguous(story);
}

TEST(LoopWalk, WithAnotherConnectionIdleNoneWasWaitedFor) {
    PoolStory story(true);
    const Sums sums = story.account_on_loop();
    EXPECT_EQ(sums.count(Cause::pool_wait), 0U);
    EXPECT_EQ(sums.at(Cause::loop_busy), 650);
}

TEST(LoopWalk, WhateverHappenedThePiecesAreContiguousAndEnd) {
    std::mt19937 random(7);
    const auto between = [&](std::int64_t least, std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(least, most)(random);
    };
    for (int round = 0; round < 500; ++round) {
        Story story(5000);
        story.read_at(between(0, 200));
        std::int64_t at[2] = {0, 0};
        for (int event = 0; event < 60; ++event) {
            const int helper = between(0, 3) == 0 ? 1 : 0;
            const ThreadId thread = helper != 0 ? kHelper : kMain;
            const std::int64_t from = at[helper] + between(0, 80);
            const std::int64_t to = from + between(0, 120);  // also calls of no length
            const SocketId socket{static_cast<std::uint64_t>(between(1, 4))};
            if (between(0, 2) == 0) {
                const std::int16_t calls[] = {kEpollWait, kFutex, kRecvfrom, kPread, -1};
                story.off(from, between(from, to), to, calls[between(0, 4)], thread, helper != 0 ? kMain : kHelper, kFutex);
            } else {
                story.call(between(0, 1) == 0 ? TS_OPERATION_READ : TS_OPERATION_WRITE, socket, from, to, thread);
            }
            if (between(0, 3) == 0) {
                const std::int64_t arrived = between(from, to);
                story.statement(from, arrived, between(arrived, to), to, socket, thread);
            }
            at[helper] = to;
        }
        std::sort(story.live.exchanges.begin(), story.live.exchanges.end(),
                  [](const auto& a, const auto& b) { return a.exchange.sent < b.exchange.sent; });
        story.account_on_loop();
        ASSERT_NO_FATAL_FAILURE(expect_contiguous(story)) << "round " << round;
    }
}

}  // namespace
}  // namespace timesink::attribute
