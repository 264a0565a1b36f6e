#include <gtest/gtest.h>

#include <random>

#include "unit/attribute/story.hpp"

namespace timesink::attribute {
namespace {

TEST(Walk, ABlockingStatementIsItsServersTime) {
    Story story(6300);
    story.call(TS_OPERATION_WRITE, kDatabase, 200, 210)
        .off(220, 5200, 6000, kRecvfrom)
        .call(TS_OPERATION_READ, kDatabase, 215, 6000)
        .statement(200, 5200, 5200, 6000)
        .call(TS_OPERATION_WRITE, kClient, 6250, 6300);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 500}, {Cause::db_server, 5000}, {Cause::run_queue, 800}}));
    expect_contiguous(story);
}

TEST(Walk, ALongReplyIsServerTimeThenResult) {
    Story story(1000);
    story.off(110, 400, 410, kRecvfrom)
        .call(TS_OPERATION_READ, kDatabase, 105, 415)
        .off(450, 700, 700, kRecvfrom)
        .call(TS_OPERATION_READ, kDatabase, 440, 705)
        .statement(100, 400, 700, 705);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 400}, {Cause::db_server, 300}, {Cause::db_result, 300}}));
    expect_contiguous(story);
}

TEST(Walk, BehindAnotherStatementOnTheConnectionIsQueue) {
    Story story(1000);
    story.off(110, 600, 600, kEpollWait)
        .call(TS_OPERATION_READ, kDatabase, 610, 620)
        .statement(100, 600, 600, 620, kDatabase, kMain, 350);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 500}, {Cause::db_queue, 250}, {Cause::db_server, 250}}));
}

TEST(Walk, OfParallelStatementsOnlyTheLastCounts) {
    // Both sent at 100; the first answered at 300 and worked on, the second at 800.
    Story story(1000);
    story.off(120, 300, 300, kEpollWait)
        .call(TS_OPERATION_READ, kDatabase, 305, 310)
        .off(330, 800, 800, kEpollWait)
        .call(TS_OPERATION_READ, kOther, 805, 810)
        .statement(100, 300, 300, 310)
        .statement(101, 800, 800, 810, kOther);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 301}, {Cause::db_server, 699}}));
    expect_contiguous(story);
}

TEST(Walk, AReplyThatWasThereBeforeTheWaitIsNotWaitedFor) {
    Story story(1000);
    story.off(500, 700, 700, kNanosleep).call(TS_OPERATION_READ, kDatabase, 800, 810).statement(100, 300, 300, 810);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 800}, {Cause::sleep, 200}}));
}

TEST(Walk, PreemptionIsRunQueue) {
    Story story(1000);
    story.off(200, 200, 450, -1);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 750}, {Cause::run_queue, 250}}));
}

TEST(Walk, PreemptedByTheServerThatItAskedIsWaitingForItsReply) {
    // Sent at 100, off the CPU at 105, the reply there at 400, back at 450, reads at 460.
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .off(105, 105, 450, -1)
        .call(TS_OPERATION_READ, kDatabase, 460, 462)
        .statement(100, 400, 400, 462);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 650}, {Cause::db_server, 300}, {Cause::run_queue, 50}}));
    expect_contiguous(story);
}

TEST(Walk, AReplyThatCameDuringOwnWorkIsNotWaitedFor) {
    Story story(5000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .call(TS_OPERATION_READ, kDatabase, 4000, 4002)
        .statement(100, 2000, 2000, 4002);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 5000}}));
}

TEST(Walk, AReplyThatBeatsTheDriverToItsWaitIsStillTheServers) {
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .call(TS_OPERATION_READ, kDatabase, 200, 202)
        .statement(100, 150, 150, 202);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 950}, {Cause::db_server, 50}}));
}

TEST(Walk, BlockedInUserCodeIsAPageFaultAndPreadIsDisk) {
    Story story(1000);
    story.off(100, 200, 200, -1).off(300, 450, 450, kPread).off(500, 600, 600, kFutex);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 650}, {Cause::page_fault, 100}, {Cause::disk, 150}, {Cause::lock, 100}}));
}

TEST(Walk, ASlowClientIsTransferOnlyOnceTheResponseHasBegun) {
    Story story(1000);
    story.live.unit.first_response = us(400);
    story.call(TS_OPERATION_WRITE, kClient, 400, 410, kMain, 100'000)
        .off(420, 900, 900, kEpollWait)
        .call(TS_OPERATION_WRITE, kClient, 920, 1000);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 520}, {Cause::transfer_response, 480}}));

    Story sleeper(1000);
    sleeper.live.unit.first_response = us(920);
    sleeper.off(420, 900, 900, kEpollWait).call(TS_OPERATION_WRITE, kClient, 920, 1000);
    EXPECT_EQ(sleeper.account(), (Sums{{Cause::cpu, 520}, {Cause::sleep, 480}}));
}

TEST(Walk, AServiceThatPausesBetweenTwoPiecesOfItsResponseSleeps) {
    Story story(1000);
    story.live.unit.first_response = us(400);
    story.call(TS_OPERATION_WRITE, kClient, 400, 410, kMain, 80)
        .off(420, 900, 900, kEpollWait)
        .call(TS_OPERATION_WRITE, kClient, 920, 1000, kMain, 80);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 520}, {Cause::sleep, 480}}));
}

TEST(Walk, AMissingBodyIsTheClients) {
    Story story(1000);
    story.live.unit.read_end = us(610);
    story.off(100, 600, 600, kRecvfrom).call(TS_OPERATION_READ, kClient, 90, 610);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 500}, {Cause::transfer_request, 500}}));
}

TEST(Walk, GoesOnInTheHelperThreadThatWorkedForTheUnit) {
    // main hands over at 100 (futex), waits in epoll; the helper asks the database and wakes main by a pipe at 800.
    Story story(1000);
    story.off(0, 100, 130, kFutex, kHelper, kMain, kFutex)
        .off(210, 700, 700, kRecvfrom, kHelper)
        .call(TS_OPERATION_READ, kDatabase, 205, 702, kHelper)
        .statement(200, 700, 700, 702, kDatabase, kHelper)
        .off(110, 800, 820, kEpollWait, kMain, kHelper, kWrite);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 450}, {Cause::db_server, 500}, {Cause::run_queue, 50}}));
    expect_contiguous(story);
}

/// V8's threads have slept since before the attach when the first collection of garbage needs them.
TEST(Walk, ComesBackFromAHelperThatSleptSinceBeforeTheAttach) {
    Story story(1000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .off(105, 400, 400, kEpollWait)
        .call(TS_OPERATION_READ, kDatabase, 405, 410)
        .statement(100, 400, 400, 410)
        .off(-9000, 500, 500, kBeforeAttach, kHelper, kMain, kFutex)
        .off(510, 600, 600, kFutex, kMain, kHelper, kFutex);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 700}, {Cause::db_server, 300}}));
    expect_contiguous(story);
}

/// As threads of CPython do that hold the GIL on business of their own.
TEST(Walk, ABystanderThatHeldALockIsNotFollowed) {
    Story story(2000);
    story.call(TS_OPERATION_WRITE, kDatabase, 100, 104)
        .off(105, 400, 400, kEpollWait)
        .call(TS_OPERATION_READ, kDatabase, 405, 410)
        .statement(100, 400, 400, 410)
        .off(50, 1500, 1500, kEpollWait, kHelper)
        .off(1400, 1600, 1600, kFutex, kMain, kHelper, kFutex);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 1500}, {Cause::db_server, 300}, {Cause::lock, 200}}));
    expect_contiguous(story);
}

TEST(Walk, DoesNotFollowAWakerWhileOthersAreInFlight) {
    Story story(1000);
    story.live.alone = false;
    story.off(0, 100, 130, kFutex, kHelper, kMain, kFutex).off(110, 800, 820, kFutex, kMain, kHelper, kFutex);
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 290}, {Cause::lock, 690}, {Cause::run_queue, 20}}));
}

TEST(Walk, ABusyThreadLeavesTheRequestInTheBacklog) {
    Story story(1000);
    story.read_at(300).call(TS_OPERATION_READ, kClient, 290, 300);
    EXPECT_EQ(story.account(), (Sums{{Cause::backlog, 300}, {Cause::cpu, 700}}));
    expect_contiguous(story);
}

TEST(Walk, AnIdleThreadThatIsWokenByTheRequestHasNoBacklog) {
    Story story(1000);
    story.read_at(300);
    story.off(-500, 5, 50, kEpollWait).call(TS_OPERATION_READ, kClient, 290, 300);
    EXPECT_EQ(story.account(), (Sums{{Cause::backlog, 5}, {Cause::run_queue, 45}, {Cause::cpu, 950}}));
    expect_contiguous(story);
}

TEST(Walk, AThreadThatWasWokenForAnotherUnitWasNotFree) {
    Story story(1000);
    story.read_at(300);
    story.off(-500, 5, 50, kEpollWait).call(TS_OPERATION_READ, kDatabase, 60, 70).call(TS_OPERATION_READ, kClient, 290, 300);
    EXPECT_EQ(story.account(), (Sums{{Cause::backlog, 300}, {Cause::cpu, 700}}));
}

TEST(Walk, WhatTheThreadDidWhileSharedIsUnattributed) {
    Story story(1000);
    story.off(300, 400, 400, kFutex);
    story.live.shared.push_back({us(200), us(600)});
    EXPECT_EQ(story.account(), (Sums{{Cause::cpu, 600}, {Cause::unattributed, 400}}));
    expect_contiguous(story);
}

TEST(Walk, AThreadThatWasNeverSeenLeavesEverythingUnattributed) {
    Story story(1000);
    EXPECT_EQ(story.account(), (Sums{{Cause::unattributed, 1000}}));
}

TEST(Walk, SumsExactlyWhateverHappened) {
    std::mt19937 random(20261121);
    const auto between = [&](std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    const std::int16_t syscalls[] = {-1, kRecvfrom, kEpollWait, kFutex, kNanosleep, kPread, 61};
    for (int round = 0; round < 3000; ++round) {
        Story story(between(1, 2000));
        story.read_at(between(0, 300));
        story.live.alone = between(0, 1) == 1;
        for (const ThreadId thread : {kMain, kHelper}) {
            for (std::int64_t at = between(-300, 200); at < 2000;) {
                const std::int64_t off = at + between(1, 200);
                const std::int64_t woken = off + (between(0, 3) == 0 ? 0 : between(0, 300));
                const std::int64_t on = woken + between(0, 50);
                story.off(off, woken, on, syscalls[between(0, 6)], thread, between(0, 1) == 1 ? kMain : kHelper, kWrite);
                story.call(between(0, 1) == 1 ? TS_OPERATION_READ : TS_OPERATION_WRITE,
                           SocketId(static_cast<unsigned>(between(1, 3))), on + 1, on + 2, thread);
                at = on + 3;
            }
        }
        std::int64_t sent = 0;
        for (std::int64_t count = between(0, 6); count > 0; --count) {
            sent += between(0, 400);
            const std::int64_t arrived = sent + between(0, 400);
            const std::int64_t end = arrived + between(0, 100);
            story.statement(sent, arrived, end, end + between(0, 200), between(0, 1) == 1 ? kDatabase : kOther,
                            between(0, 3) == 0 ? kHelper : kMain, sent + between(-50, 500));
        }
        if (between(0, 2) == 0) {
            const std::int64_t from = between(0, 1000);
            story.live.shared.push_back({us(from), us(from + between(1, 1000))});
        }
        story.account();
        expect_contiguous(story);
        if (HasFailure()) {
            FAIL() << "in round " << round;
        }
    }
}

}  // namespace
}  // namespace timesink::attribute
