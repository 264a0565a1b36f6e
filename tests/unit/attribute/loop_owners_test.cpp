#include "attribute/loop_owners.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace timesink::attribute {
namespace {

constexpr ThreadId kLoop{11};

Instant us(std::int64_t at) {
    return Instant(std::chrono::seconds(1) + std::chrono::microseconds(at));
}

class LoopOwnersTest : public ::testing::Test {
protected:
    void call(ts_operation operation, std::int64_t at, std::uint64_t socket, bool behind_a_wait) {
        const std::array<ts_call_count, 1> counts{ts_call_count{TS_CLASS_POLL, 0, 0, 1, 1000, 0}};
        event::Call call{};
        call.entered = us(at);
        call.exited = us(at + 5);
        call.thread = kLoop;
        call.socket = SocketId{socket};
        call.operation = operation;
        call.result = 10;
        if (behind_a_wait) {
            call.counts = counts;
        }
        owners_.on(call);
    }
    static request::Unit unit(std::uint64_t id) {
        request::Unit unit;
        unit.id = UnitId{id};
        unit.thread = kLoop;
        unit.method = "GET";
        unit.route = "/";
        unit.complete = true;
        return unit;
    }
    void request(std::uint64_t id, std::int64_t at) {
        call(TS_OPERATION_READ, at, 100 + id, true);
        owners_.began(unit(id));
    }
    void respond(std::uint64_t id, std::int64_t at) {
        call(TS_OPERATION_WRITE, at, 100 + id, false);
        owners_.ended(unit(id));
    }
    static request::Exchange exchange(std::uint64_t id, std::uint64_t socket, std::int64_t at) {
        request::Exchange exchange;
        exchange.id = ExchangeId{id};
        exchange.protocol = "postgresql";
        exchange.fingerprint = 5;
        exchange.socket = SocketId{socket};
        exchange.sent_by = kLoop;
        exchange.sent = us(at);
        exchange.complete = true;
        exchange.attributes = {{"postgresql.transaction", "I"}};
        return exchange;
    }
    bool send(std::uint64_t id, std::uint64_t socket, std::int64_t at, const Owner& owner = {{}, Evidence::ambiguous, 0}) {
        call(TS_OPERATION_WRITE, at, socket, false);
        return owners_.sent(exchange(id, socket, at), owner);
    }
    void reply(std::uint64_t id, std::uint64_t socket, std::int64_t at, bool behind_a_wait = true) {
        call(TS_OPERATION_READ, at, socket, behind_a_wait);
        owners_.answered(exchange(id, socket, at));
    }
    /// Blocked until then: an event loop, and what was told of its turn is over.
    void blocked(std::int64_t until, std::int16_t syscall = 281) {  // epoll_pwait
        event::OffCpu off{};
        off.thread = kLoop;
        off.off = us(until - 50);
        off.woken = us(until - 1);
        off.on = us(until);
        off.syscall = syscall;
        owners_.on(off);
    }
    /// The job that a request left behind: its reply is read amid the next one, and it asks on.
    void job_amid(std::uint64_t id, std::int64_t at) {
        request(id - 1, at);
        EXPECT_FALSE(send(3000, 2, at + 10, {UnitId{id - 1}, Evidence::thread, 1}));
        respond(id - 1, at + 20);
        blocked(at + 100);
        request(id, at + 100);
        EXPECT_FALSE(send(3001, 1, at + 110, {UnitId{id}, Evidence::thread, 1})) << "sent where the request was read";
        blocked(at + 200);
        reply(3000, 2, at + 200);
    }
    /// One request alone: what the thread tells is enough.
    void alone(std::uint64_t id, std::int64_t at) {
        request(id, at);
        EXPECT_FALSE(send(1000 + id, 1, at + 10, {UnitId{id}, Evidence::thread, 1}));
        reply(1000 + id, 1, at + 100);
        respond(id, at + 110);
        collect();
    }
    /// Of a thread that waits in a read for what it has asked.
    void one_by_one(std::uint64_t id, std::int64_t at, std::int16_t syscall) {
        request(id, at);
        EXPECT_FALSE(send(1000 + id, 1, at + 10, {UnitId{id}, Evidence::thread, 1}));
        blocked(at + 90, syscall);
        reply(1000 + id, 1, at + 100);
        respond(id, at + 110);
    }
    void collect() {
        for (const LoopOwners::Decision& decision : owners_.take()) {
            decided_[number(decision.exchange)] = decision.owner;
        }
    }
    LoopOwners owners_;
    std::map<std::uint64_t, Owner> decided_;
};

TEST_F(LoopOwnersTest, WhoWaitsForTheOnlyConnectionGetsItNext) {
    for (std::uint64_t id = 1; id <= 6; ++id) {
        alone(id, static_cast<std::int64_t>(id) * 1000);
    }
    request(11, 10000);
    EXPECT_FALSE(send(2001, 1, 10010, {UnitId{11}, Evidence::thread, 1}));
    request(12, 10100);
    request(13, 10200);
    reply(2001, 1, 10300);
    EXPECT_TRUE(send(2002, 1, 10310));
    EXPECT_EQ(owners_.horizon(), us(10310)) << "no account of a unit that ended later may be drawn yet";
    respond(11, 10320);
    reply(2002, 1, 10400);
    EXPECT_TRUE(send(2003, 1, 10410));
    respond(12, 10420);
    reply(2003, 1, 10500);
    respond(13, 10510);
    owners_.finish();
    collect();
    EXPECT_EQ(decided_[2002].unit, UnitId{12});
    EXPECT_EQ(decided_[2002].evidence, Evidence::inferred);
    EXPECT_EQ(decided_[2002].grounds.reason, infer::Reason::waited);
    EXPECT_EQ(decided_[2003].unit, UnitId{13});
    EXPECT_EQ(owners_.horizon(), Instant::max());
}

/// The wait that the next call tells of may have been before what runs now, or behind it: the phase says how many it knows of.
TEST_F(LoopOwnersTest, WhatTimersSendIsNotOfTheReadBeforeThem) {
    owners_.tells_phases(ProcessId{}, {.timers = true, .immediates = true});
    const auto asleep = [&](std::uint64_t id, std::int64_t at) {
        request(id, at);
        send(1000 + id, 1, at + 10, {UnitId{id}, Evidence::thread, 1});
        reply(1000 + id, 1, at + 100);
        owners_.on(event::LoopPhase{us(at + 5100), kLoop, ProcessId{}, TS_LOOP_TIMERS, 1});
    };
    for (std::uint64_t id = 1; id <= 6; ++id) {
        const auto at = static_cast<std::int64_t>(id) * 10000;
        asleep(id, at);
        call(TS_OPERATION_WRITE, at + 5110, 1, true);  // the wait that it tells of is the one before the timers
        owners_.sent(exchange(1100 + id, 1, at + 5110), {UnitId{id}, Evidence::thread, 1});
        reply(1100 + id, 1, at + 5200);
        respond(id, at + 5210);
        collect();
    }
    asleep(11, 100000);
    request(12, 105099);
    call(TS_OPERATION_WRITE, 105110, 1, true);
    EXPECT_TRUE(owners_.sent(exchange(3000, 1, 105110), {{}, Evidence::ambiguous, 0}));
    reply(3000, 1, 105200);
    respond(11, 105210);
    respond(12, 105300);
    owners_.finish();
    collect();
    EXPECT_EQ(decided_[3000].unit, UnitId{11});
    EXPECT_EQ(decided_[3000].grounds.reason, infer::Reason::woke);
}

TEST_F(LoopOwnersTest, WhatADriverGathersForSeveralConnectionsWasAskedOfThemInTurn) {
    owners_.tells_phases(ProcessId{}, {.timers = true, .immediates = true});
    for (std::uint64_t id = 1; id <= 6; ++id) {
        alone(id, static_cast<std::int64_t>(id) * 1000);
    }
    // What was freed by one read is written on behind the next: this driver gathers.
    for (std::uint64_t id = 11; id <= 15; id += 2) {
        const std::int64_t at = static_cast<std::int64_t>(id) * 1000;
        request(id, at);
        send(2000 + id, 1, at + 10);
        reply(2000 + id, 1, at + 100);
        respond(id, at + 105);
        call(TS_OPERATION_READ, at + 110, 101 + id, false);
        owners_.began(unit(id + 1));
        owners_.on(event::LoopPhase{.at = us(at + 112), .thread = kLoop, .phase = TS_LOOP_IMMEDIATE});
        send(2001 + id, 1, at + 120);
        reply(2001 + id, 1, at + 200);
        respond(id + 1, at + 210);
    }
    // The first time tells that these connections are shared.
    constexpr std::array<std::uint64_t, 4> order{0, 2, 1, 3};
    for (std::uint64_t round = 0; round < 2; ++round) {
        const std::uint64_t first = 21 + 10 * round;
        const std::int64_t begin = static_cast<std::int64_t>(30 + round) * 1000;
        request(first, begin);
        owners_.on(event::LoopPhase{.at = us(begin + 6), .thread = kLoop, .phase = TS_LOOP_IMMEDIATE});
        for (std::uint64_t id = first + 1; id < first + 4; ++id) {
            call(TS_OPERATION_READ, begin + static_cast<std::int64_t>(id), 100 + id, false);
            owners_.began(unit(id));
        }
        for (const std::uint64_t socket : {1, 2}) {
            const std::int64_t at = begin + 100 + static_cast<std::int64_t>(socket);
            call(TS_OPERATION_WRITE, at, socket, false);
            owners_.sent(exchange(2978 + first + 2 * socket, socket, at), {{}, Evidence::ambiguous, 0});
            owners_.sent(exchange(2979 + first + 2 * socket, socket, at), {{}, Evidence::ambiguous, 0});
        }
        for (std::uint64_t i = 0; i < 4; ++i) {
            const std::int64_t at = begin + 500 + static_cast<std::int64_t>(i) * 10;
            reply(2980 + first + order[i], 1 + i % 2, at);
            respond(first + i, at + 5);
        }
    }
    owners_.finish();
    collect();
    for (std::uint64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(decided_[3011 + order[i]].unit, UnitId{31 + i}) << i;
    }
}

/// Prepared before the attach, so that only its name is known: programs give one name to a statement, drivers count on each
/// connection.
TEST_F(LoopOwnersTest, ANameThatAProgramGaveMeansTheSameOnEveryConnection) {
    const auto named = [](std::uint64_t id, std::uint64_t socket, std::int64_t at, const std::string& name) {
        request::Exchange named = exchange(id, socket, at);
        named.statement = "EXECUTE " + name;
        named.fingerprint = name.size();
        return named;
    };
    for (const std::string name : {"fetch-user", "s1"}) {
        const std::int64_t begin = name == "s1" ? 100000 : 0;
        const std::uint64_t first = name == "s1" ? 50 : 1;
        for (std::uint64_t id = first; id < first + 6; ++id) {
            const std::int64_t at = begin + static_cast<std::int64_t>(id) * 1000;
            request(id, at);
            call(TS_OPERATION_WRITE, at + 10, 1, false);
            owners_.sent(named(1000 + id, 1, at + 10, name), {UnitId{id}, Evidence::thread, 1});
            reply(1000 + id, 1, at + 100);
            respond(id, at + 110);
        }
        request(first + 10, begin + 90000);
        request(first + 11, begin + 90100);
        call(TS_OPERATION_WRITE, begin + 90110, 2, false);
        owners_.sent(named(2000 + first, 2, begin + 90110, name), {{}, Evidence::ambiguous, 0});
        reply(2000 + first, 2, begin + 90200);
        respond(first + 11, begin + 90210);
        respond(first + 10, begin + 90300);
        owners_.finish();
        collect();
    }
    EXPECT_EQ(decided_[2001].evidence, Evidence::inferred);
    EXPECT_EQ(decided_[2001].unit, UnitId{12});
    EXPECT_EQ(decided_[2050].evidence, Evidence::ambiguous);
}

TEST_F(LoopOwnersTest, WhatIsNotOnALoopIsNotItsBusiness) {
    EXPECT_FALSE(owners_.sent(exchange(1, 1, 0), {{}, Evidence::ambiguous, 0}));
    request(1, 0);
    request::Exchange in_context = exchange(2, 1, 10);
    in_context.sent_in = ContextId{5};
    EXPECT_FALSE(owners_.sent(in_context, {{}, Evidence::ambiguous, 0})) << "the runtime tells";
}

TEST_F(LoopOwnersTest, WhatAJobAsksIsNobodysWhoeverIsAlone) {
    owners_.tells_phases(ProcessId{}, {.timers = true, .immediates = true});
    job_amid(2, 1000);
    EXPECT_TRUE(send(3002, 3, 1210, {UnitId{2}, Evidence::thread, 1}));
    collect();
    ASSERT_TRUE(decided_.contains(3002));
    EXPECT_EQ(decided_[3002].evidence, Evidence::none);
    blocked(1300);
    reply(3002, 3, 1300);
    EXPECT_TRUE(send(3003, 3, 1310, {UnitId{2}, Evidence::thread, 1})) << "nor what it asks next";
    blocked(1400);
    reply(3001, 1, 1400);
    EXPECT_FALSE(send(3004, 1, 1410, {UnitId{2}, Evidence::thread, 1})) << "what the request's own reply begets is its own";
}

TEST_F(LoopOwnersTest, AConnectionThatAJobGivesBackMayBeWhatTheRequestHasWaitedFor) {
    owners_.tells_phases(ProcessId{}, {.timers = true, .immediates = true});
    job_amid(2, 1000);
    EXPECT_TRUE(send(3002, 2, 1210, {UnitId{2}, Evidence::thread, 1}));
    collect();
    ASSERT_TRUE(decided_.contains(3002));
    EXPECT_EQ(decided_[3002].evidence, Evidence::ambiguous) << "all connections were in use";
}

TEST_F(LoopOwnersTest, AThreadThatIsNoLoopMayReadWhatIsLeftOfEarlier) {
    request(1, 5000);
    EXPECT_FALSE(send(4000, 2, 5010, {UnitId{1}, Evidence::thread, 1}));
    respond(1, 5020);
    request(2, 5100);
    reply(4000, 2, 5200);
    EXPECT_FALSE(send(4001, 3, 5210, {UnitId{2}, Evidence::thread, 1}));
}

TEST_F(LoopOwnersTest, AThreadThatWaitsInReadsHasNoSimulationUntilItHasSeveralInFlight) {
    for (std::uint64_t id = 1; id <= 20; ++id) {
        one_by_one(id, static_cast<std::int64_t>(id) * 1000, 45);  // recvfrom
    }
    EXPECT_EQ(owners_.simulations(), 0U);
    request(31, 31000);
    request(32, 31100);
    EXPECT_EQ(owners_.simulations(), 1U);
    EXPECT_TRUE(send(2000, 1, 31110));
    respond(32, 31120);
    respond(31, 31130);
    owners_.finish();
    collect();
    EXPECT_EQ(decided_[2000].evidence, Evidence::ambiguous) << "nothing was learned of it";
}

TEST_F(LoopOwnersTest, AThreadThatPollsForWhatItAskedIsTakenAsALoopForAWhileOnly) {
    for (std::uint64_t id = 1; id <= 100; ++id) {
        one_by_one(id, static_cast<std::int64_t>(id) * 1000, 7);  // poll
    }
    EXPECT_EQ(owners_.simulations(), 0U);
    blocked(200000);
    EXPECT_EQ(owners_.simulations(), 1U) << "but for epoll";
}

TEST_F(LoopOwnersTest, AThreadThatWaitsInEpollForWhatItsOnlyUnitAskedIsNoLoop) {
    for (std::uint64_t id = 1; id <= 100; ++id) {
        one_by_one(id, static_cast<std::int64_t>(id) * 1000, 281);
    }
    EXPECT_EQ(owners_.simulations(), 0U);
    request(101, 101000);
    call(TS_OPERATION_CONNECT, 101010, 9, false);
    blocked(101090);
    EXPECT_EQ(owners_.simulations(), 0U) << "nor for a connection of its own";
    EXPECT_FALSE(send(2101, 9, 101100, {UnitId{101}, Evidence::thread, 1}));
    reply(2101, 9, 101200);
    blocked(101300);
    EXPECT_EQ(owners_.simulations(), 1U) << "but for something else";
}

TEST_F(LoopOwnersTest, AThreadThatWaitsInEpollForItsNextUnitIsALoop) {
    one_by_one(1, 1000, 281);
    EXPECT_EQ(owners_.simulations(), 0U);
    blocked(2000);
    EXPECT_EQ(owners_.simulations(), 1U);
}

TEST_F(LoopOwnersTest, AThreadOfWhichNothingTellsIsALoopWhenThereIsNoRoomForMore) {
    for (std::uint64_t id = 1; id <= LoopOwners::kMostHeld; ++id) {
        alone(id, static_cast<std::int64_t>(id) * 1000);
    }
    EXPECT_EQ(owners_.simulations(), 1U);
}

TEST_F(LoopOwnersTest, AThreadThatHasExitedIsForgotten) {
    alone(1, 1000);
    blocked(2000);
    request(2, 2000);
    EXPECT_FALSE(send(1002, 1, 2010, {UnitId{2}, Evidence::thread, 1}));
    EXPECT_EQ(owners_.simulations(), 1U);
    owners_.exited(kLoop);
    EXPECT_EQ(owners_.simulations(), 0U);
    owners_.answered(exchange(1002, 1, 2100));  // by another thread
    owners_.ended(unit(2));
    alone(3, 3000);  // the id is another's now
    owners_.finish();
}

TEST_F(LoopOwnersTest, ALossDecidesWhatWaitsAsAmbiguous) {
    request(1, 0);
    request(2, 100);
    EXPECT_TRUE(send(1, 1, 200));
    owners_.lost();
    collect();
    ASSERT_TRUE(decided_.contains(1));
    EXPECT_EQ(decided_[1].evidence, Evidence::ambiguous);
    EXPECT_EQ(decided_[1].unit, UnitId{});
}

TEST_F(LoopOwnersTest, NothingWaitsForEver) {
    request(1, 0);
    request(2, 100);
    EXPECT_TRUE(send(1, 1, 200));
    owners_.advance(us(200) + LoopOwners::kLongestWait + Duration(1));
    collect();
    EXPECT_EQ(decided_[1].evidence, Evidence::ambiguous);
    EXPECT_EQ(owners_.horizon(), Instant::max());
}

}  // namespace
}  // namespace timesink::attribute
