#include <gtest/gtest.h>

#include <memory>

#include "attribute/context_owners.hpp"

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};
constexpr ThreadId kThread{11};
/// What goroutines run: the same function each time, ended often enough to be believed; and another.
constexpr std::uint32_t kTask = 100;
constexpr std::uint32_t kWorker = 200;
constexpr std::uint32_t kBackground = 300;

Instant us(std::int64_t at) {
    return Instant(std::chrono::seconds(1) + std::chrono::microseconds(at));
}
ContextId goroutine(std::uint64_t number) {
    return ContextId{number == 0 ? 0 : number | TS_CONTEXT_GOROUTINE};
}
ContextId birth(std::uint64_t address) {
    return ContextId{address | TS_CONTEXT_BIRTH};
}

class GoroutineOwnersTest : public ::testing::Test {
protected:
    GoroutineOwnersTest() {
        for (std::int64_t i = 0; i < 10; i++) {
            told(-100 + i, birth(0x1000), {}, kTask);
        }
    }
    void told(std::int64_t at, ContextId child, ContextId parent, std::uint32_t start) {
        owners_.on(event::Lineage{us(at), kThread, kProcess, child, parent, start});
    }
    /// Made by `maker` at a g of its own.
    void made(std::int64_t at, std::uint64_t child, std::uint64_t maker, std::uint32_t start = kTask) {
        told(at, birth(0x10000 + child * 64), goroutine(maker), start);
    }
    /// Makes its first call.
    void named(std::int64_t at, std::uint64_t child) { told(at, goroutine(child), birth(0x10000 + child * 64), 0); }
    void begin(std::uint64_t id, std::int64_t at, std::uint64_t reader) {
        auto live = std::make_unique<LiveUnit>();
        live->unit.id = UnitId{id};
        live->unit.socket = SocketId{id};
        live->unit.process = kProcess;
        live->unit.read_begin = live->activated = us(at);
        live->unit.read_in = goroutine(reader);
        owners_.began(*live);
        units_[id] = std::move(live);
    }
    void end(std::uint64_t id, std::int64_t at, std::uint64_t writer) {
        LiveUnit& live = *units_.at(id);
        live.unit.end = us(at);
        live.unit.complete = true;
        live.unit.answered_in = goroutine(writer);
        known_ = owners_.ended(live, decisions_);
    }
    void send(std::uint64_t id, std::int64_t at, std::uint64_t sender, Owner owner = {{}, Evidence::ambiguous, 0}) {
        request::Exchange exchange;
        exchange.id = ExchangeId{id};
        exchange.process = kProcess;
        exchange.sent_in = goroutine(sender);
        exchange.sent = us(at);
        if (!owners_.sent(exchange, owner, decisions_)) {
            decisions_.push_back({exchange.id, owner});
        }
    }
    std::pair<std::uint64_t, Evidence> owner(std::uint64_t exchange) {
        owners_.finish(decisions_);
        for (const auto& decision : decisions_) {
            if (decision.exchange == ExchangeId{exchange}) {
                return {number(decision.owner.unit), decision.owner.evidence};
            }
        }
        return {0, Evidence::propagated};  // which nothing here gives
    }
    /// Whose background work it is; 0: nobody's.
    std::uint64_t after(std::uint64_t exchange) {
        owners_.finish(decisions_);
        for (const auto& decision : decisions_) {
            if (decision.exchange == ExchangeId{exchange} && decision.owner.after != nullptr) {
                return number(decision.owner.after->id);
            }
        }
        return 0;
    }
    /// Three goroutines have gone on for their unit, and have ended: `within` calls before it was over, `calls` after.
    void background_ran(std::uint32_t start, int within, int calls) {
        for (std::uint64_t i = 1; i <= 3; ++i) {
            const auto from = -90'000 + static_cast<std::int64_t>(i) * 1000;
            begin(900 + i, from, 70 + i);
            told(from + 1, birth(0x5000), goroutine(70 + i), start);
            told(from + 2, goroutine(80 + i), birth(0x5000), 0);
            for (int call = 0; call < within; ++call) {
                send(9000 + i, from + 3, 80 + i);
            }
            end(900 + i, from + 10, 70 + i);
            for (int call = 0; call < calls; ++call) {
                send(9000 + i, from + 20, 80 + i);
            }
        }
        told(-80'000, birth(0x5000), {}, start);
    }
    static std::pair<std::uint64_t, Evidence> of(std::uint64_t unit) { return {unit, Evidence::goroutine}; }
    static std::pair<std::uint64_t, Evidence> nobodys(Evidence evidence) { return {0, evidence}; }

    ContextOwners owners_;
    bool known_ = false;  // of the unit that ended last, all that it sent
    std::map<std::uint64_t, std::unique_ptr<LiveUnit>> units_;
    std::vector<ContextOwners::Decision> decisions_;
};

TEST_F(GoroutineOwnersTest, AGoroutineServesOneRequestAfterAnother) {
    begin(1, 0, 7);
    begin(2, 1, 8);
    send(1, 5, 7);
    send(2, 6, 8);
    end(1, 10, 7);
    begin(3, 20, 7);
    send(3, 25, 7);
    end(3, 30, 7);
    end(2, 40, 8);
    EXPECT_TRUE(known_);
    EXPECT_EQ(owner(1), of(1));
    EXPECT_EQ(owner(2), of(2));
    EXPECT_EQ(owner(3), of(3));
}

TEST_F(GoroutineOwnersTest, NetHttpReadsAheadInAChildOfTheConnections) {
    begin(1, 0, 7);
    made(1, 9, 7);
    named(2, 9);
    end(1, 10, 7);
    begin(2, 11, 9);
    send(1, 12, 7);
    end(2, 20, 7);
    EXPECT_EQ(owner(1), of(2));
}

TEST_F(GoroutineOwnersTest, ChildrenWorkForTheUnitInWhoseTimeTheyWereMade) {
    begin(1, 0, 7);
    begin(2, 0, 8);
    made(1, 20, 7);
    named(2, 20);  // which makes no call, but another goroutine
    made(2, 21, 20);
    named(3, 21);
    send(1, 4, 21);
    end(1, 10, 7);
    end(2, 10, 8);
    EXPECT_EQ(owner(1), of(1));
}

TEST_F(GoroutineOwnersTest, WhatTheUnitBeforeLeftBehindIsNotTheNextOnes) {
    begin(1, 0, 7);
    made(1, 20, 7);
    end(1, 10, 7);
    begin(2, 11, 7);
    named(12, 20);
    send(1, 13, 20);
    end(2, 20, 7);
    EXPECT_EQ(owner(1), of(1)) << "it goes on for the one in whose time it was made";
    EXPECT_EQ(after(1), 1U);
}

TEST_F(GoroutineOwnersTest, AGoroutineOfWhichNothingIsKnownOwnsNothing) {
    begin(1, 0, 7);
    begin(2, 0, 8);
    send(1, 5, 30);
    end(1, 10, 7);
    end(2, 10, 8);
    EXPECT_EQ(owner(1), nobodys(Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, AWorkerThatOutlivesItsMakersUnitIsNotBelieved) {
    begin(1, 0, 7);
    begin(2, 0, 8);
    made(1, 20, 7, kWorker);
    named(2, 20);
    send(1, 5, 20);  // for the second
    end(2, 8, 8);
    end(1, 10, 7);
    EXPECT_EQ(owner(1), nobodys(Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, WhatTheOnlyUnitInFlightHadMadeIsLikelyItsOwn) {
    const Owner alone{UnitId{1}, Evidence::inferred, 0.9};
    made(-10, 6, 5, kWorker);
    begin(1, 0, 5);
    made(10, 7, 5, kWorker);
    named(20, 7);
    named(20, 6);
    send(1, 30, 7, alone);
    send(2, 30, 6, alone);  // made for the unit before
    send(3, 30, 7);         // another unit is in flight, or was
    end(1, 40, 5);
    EXPECT_EQ(owner(1), std::pair(std::uint64_t{1}, Evidence::inferred));
    EXPECT_EQ(owner(2), std::pair(std::uint64_t{0}, Evidence::ambiguous));
    EXPECT_EQ(owner(3), std::pair(std::uint64_t{0}, Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, AFunctionWhoseGoroutinesGoOnIsBelievedNoLonger) {
    begin(1, 0, 7);
    made(1, 20, 7);
    named(1, 20);
    end(1, 10, 7);
    send(1, 12, 20);  // one of ten
    begin(2, 20, 8);
    made(21, 22, 8);
    named(21, 22);
    send(2, 22, 22);
    end(2, 30, 8);
    EXPECT_EQ(owner(2), nobodys(Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, AnEventLoopOwnsNothing) {
    begin(1, 0, 7);
    begin(2, 1, 7);
    send(1, 5, 7);
    end(1, 10, 7);
    end(2, 11, 7);
    begin(3, 20, 7);
    send(2, 21, 7);
    end(3, 30, 7);
    EXPECT_EQ(owner(1), nobodys(Evidence::ambiguous));
    EXPECT_EQ(owner(2), nobodys(Evidence::ambiguous)) << "what it was once, it may be again";
}

TEST_F(GoroutineOwnersTest, ReadByOneAndAnsweredByAnotherTellsNothing) {
    begin(1, 0, 7);
    begin(2, 0, 8);
    send(1, 5, 9);
    end(1, 10, 9);
    EXPECT_FALSE(known_);
    EXPECT_EQ(owner(1), nobodys(Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, AGoroutineForEachRequestIsItsRoot) {
    begin(1, 0, 7);
    begin(2, 0, 7);
    made(1, 20, 7);
    made(1, 21, 7);
    named(2, 20);
    named(2, 21);
    send(1, 3, 20);
    send(2, 3, 21);
    end(1, 10, 20);
    end(2, 11, 21);
    EXPECT_EQ(owner(1), of(1));
    EXPECT_EQ(owner(2), of(2));
}

TEST_F(GoroutineOwnersTest, AGThatIsUsedAgainIsAnotherGoroutine) {
    begin(1, 0, 7);
    begin(2, 0, 8);
    told(1, birth(0x9000), goroutine(7), kTask);
    told(2, goroutine(20), birth(0x9000), 0);
    send(1, 3, 20);
    told(4, birth(0x9000), goroutine(8), kTask);
    told(5, goroutine(21), birth(0x9000), 0);
    send(2, 6, 21);
    send(3, 7, 20);
    end(1, 10, 7);
    end(2, 10, 8);
    EXPECT_EQ(owner(1), of(1));
    EXPECT_EQ(owner(2), of(2));
    EXPECT_EQ(owner(3), of(1));
}

TEST_F(GoroutineOwnersTest, ALossLeavesWhatWasReadBeforeItInDoubt) {
    const auto certain = [&](std::uint64_t sender) {
        request::Exchange exchange;
        exchange.process = kProcess;
        exchange.sent_in = goroutine(sender);
        exchange.sent = us(50);
        return owners_.certain(exchange);
    };
    begin(1, 0, 7);
    EXPECT_TRUE(certain(7));
    owners_.lost(us(10));
    EXPECT_FALSE(certain(7));
    begin(2, 20, 7);
    EXPECT_TRUE(certain(7));
}

TEST_F(GoroutineOwnersTest, GoroutinesThatOnlyGoOnAreTheirMakersBackgroundWork) {
    background_ran(kBackground, 0, 2);
    begin(1, 0, 7);
    made(1, 20, 7, kBackground);
    end(1, 10, 7);
    begin(2, 11, 7);
    named(12, 20);
    send(1, 13, 20);
    end(2, 20, 7);
    send(2, 30, 20);
    EXPECT_EQ(after(1), 1U);
    EXPECT_EQ(after(2), 1U) << "not the connection's latest unit";
}

TEST_F(GoroutineOwnersTest, WhoSendsBeforeAndAfterMayBeAWorkerOfAPool) {
    background_ran(kBackground, 1, 2);
    begin(1, 0, 7);
    made(1, 20, 7, kBackground);
    end(1, 10, 7);
    begin(2, 11, 8);
    named(12, 20);
    send(1, 13, 20);
    end(2, 20, 8);
    EXPECT_EQ(owner(1), nobodys(Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, WhoSendsNowLittleNowMuchMayBeAWorkerOfAPool) {
    background_ran(kBackground, 0, 1);
    background_ran(kBackground, 0, 50);
    begin(1, 0, 7);
    made(1, 20, 7, kBackground);
    end(1, 10, 7);
    begin(2, 11, 8);
    named(12, 20);
    send(1, 13, 20);
    end(2, 20, 8);
    EXPECT_EQ(owner(1), nobodys(Evidence::ambiguous));
}

TEST_F(GoroutineOwnersTest, WhatItsServerDoesAfterTheAnswerIsTheUnitsThoughTheNextIsBeingRead) {
    begin(1, 0, 7);
    end(1, 10, 7);
    send(1, 15, 7);
    begin(2, 20, 8);
    send(2, 21, 7);
    begin(3, 12, 7);  // its first byte was read ahead, its head is whole now
    send(3, 30, 7);
    end(3, 40, 7);
    end(2, 50, 8);
    EXPECT_EQ(after(1), 1U);
    EXPECT_EQ(after(2), 1U);
    EXPECT_EQ(owner(3), of(3));
    EXPECT_EQ(after(3), 0U);
}

TEST_F(GoroutineOwnersTest, AnAnswerToAUnitThatAnUnknownReadEndsTheOneBefore) {
    begin(1, 0, 7);
    end(1, 10, 7);
    begin(2, 20, 30);  // by a goroutine of which it is not known who made it
    end(2, 30, 7);
    begin(3, 35, 8);
    send(1, 40, 7);
    end(3, 50, 8);
    EXPECT_EQ(after(1), 0U);
}

}  // namespace
}  // namespace timesink::attribute
