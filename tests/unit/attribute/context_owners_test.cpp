#include "attribute/context_owners.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};
constexpr ThreadId kLoop{11};
/// Contexts that are there all the time: the main task's, and that in which a connection is read.
constexpr std::uint64_t kMain = 1;
constexpr std::uint64_t kConnection = 2;

Instant us(std::int64_t at) {
    return Instant(std::chrono::seconds(1) + std::chrono::microseconds(at));
}

class ContextOwnersTest : public ::testing::Test {
protected:
    ContextOwnersTest() {
        made(-100, kMain, 0);
        made(-50, kConnection, kMain);
    }
    void made(std::int64_t at, std::uint64_t child, std::uint64_t parent) {
        owners_.on(event::Lineage{us(at), kLoop, kProcess, ContextId{child}, ContextId{parent}});
    }
    void begin(std::uint64_t id, std::int64_t at, std::uint64_t socket = 0) {
        auto live = std::make_unique<LiveUnit>();
        live->unit.id = UnitId{id};
        live->unit.process = kProcess;
        live->unit.socket = SocketId{socket != 0 ? socket : id};
        live->unit.read_begin = live->activated = us(at);
        owners_.began(*live);
        units_[id] = std::move(live);
    }
    void answer(std::uint64_t id, std::int64_t at, std::uint64_t context) {
        LiveUnit& live = *units_.at(id);
        live.unit.first_response = us(at);
        live.unit.answering_in = ContextId{context};
        owners_.answering(live.unit);
    }
    /// Returns whether all that the unit may have sent is known to be its own or not.
    bool end(std::uint64_t id, std::int64_t at, std::uint64_t context, std::uint64_t begun_in = 0, bool complete = true) {
        LiveUnit& live = *units_.at(id);
        live.unit.end = us(at);
        live.unit.complete = complete;
        if (begun_in != 0) {
            answer(id, at - 1, begun_in);
        }
        live.unit.answered_in = ContextId{context};
        return owners_.ended(live, decisions_);
    }
    /// Returns whether a decision is to come.
    bool send(std::uint64_t id, std::int64_t at, std::uint64_t context, Owner owner = {{}, Evidence::ambiguous, 0}) {
        request::Exchange exchange;
        exchange.id = ExchangeId{id};
        exchange.process = kProcess;
        exchange.sent_in = ContextId{context};
        exchange.sent = us(at);
        return owners_.sent(exchange, owner, decisions_);
    }
    const Owner* owner(std::uint64_t exchange) {
        for (const auto& decision : decisions_) {
            if (decision.exchange == ExchangeId{exchange}) {
                return &decision.owner;
            }
        }
        return nullptr;
    }
    void expect_context(std::uint64_t exchange, std::uint64_t unit) {
        ASSERT_NE(owner(exchange), nullptr);
        EXPECT_EQ(owner(exchange)->unit, UnitId{unit});
        EXPECT_EQ(owner(exchange)->evidence, Evidence::context);
    }
    void expect_ambiguous(std::uint64_t exchange) {
        ASSERT_NE(owner(exchange), nullptr);
        EXPECT_EQ(owner(exchange)->unit, UnitId{});
        EXPECT_EQ(owner(exchange)->evidence, Evidence::ambiguous);
    }

    ContextOwners owners_;
    std::map<std::uint64_t, std::unique_ptr<LiveUnit>> units_;
    std::vector<ContextOwners::Decision> decisions_;
};

TEST_F(ContextOwnersTest, ALongResponseOutlivesItsTaskWhoseAddressIsUsedAgain) {
    begin(1, 0);
    made(1, 20, kConnection);
    begin(2, 2);
    EXPECT_TRUE(send(1, 3, 20));
    answer(1, 4, 20);
    made(10, 20, kConnection);  // other tasks', at the same address
    made(12, 20, kConnection);
    end(1, 30, kMain);
    expect_context(1, 1);
}

TEST_F(ContextOwnersTest, WhatWasSentInTheTaskThatAnsweredIsTheUnits) {
    begin(1, 0);
    made(1, 20, kConnection);
    begin(2, 5);
    made(6, 21, kConnection);
    EXPECT_TRUE(send(1, 10, 20));
    EXPECT_TRUE(send(2, 11, 21));
    EXPECT_TRUE(send(3, 12, 20));
    EXPECT_EQ(owner(1), nullptr);
    end(2, 30, 21);
    EXPECT_EQ(owner(1), nullptr) << "its unit is still in flight";
    expect_context(2, 2);
    end(1, 40, 20);
    expect_context(1, 1);
    expect_context(3, 1);
}

TEST_F(ContextOwnersTest, ChildTasksAndWorkerThreadsRunInCopies) {
    begin(1, 0);
    begin(2, 0);
    made(1, 20, kConnection);
    made(2, 30, 20);
    made(3, 40, 30);
    send(1, 10, 30);
    send(2, 11, 40);
    end(1, 20, 20);
    expect_context(1, 1);
    expect_context(2, 1);
}

TEST_F(ContextOwnersTest, WhereTheLoopSendsTheRestItsBeginTellsWhoAnswered) {
    begin(1, 0);
    begin(2, 0);
    made(1, 20, kConnection);
    send(1, 2, 20);
    end(1, 10, kMain, 20);
    expect_context(1, 1);
}

TEST_F(ContextOwnersTest, ABeginAndAnEndOfTwoTasksTellNothing) {
    begin(1, 0);
    begin(2, 0);
    made(1, 20, kConnection);
    made(2, 21, kConnection);
    send(1, 3, 20);
    send(2, 4, 21);
    end(1, 10, 20, 21);
    end(2, 11, 0);
    expect_ambiguous(1);
    expect_ambiguous(2);
}

TEST_F(ContextOwnersTest, AResponseThatAChildWritesIsItsParentsAsWell) {
    begin(1, 0);
    begin(2, 0);
    made(1, 20, kConnection);
    send(1, 2, 20);
    made(3, 30, 20);
    end(1, 20, 30);
    expect_context(1, 1);
}

TEST_F(ContextOwnersTest, AnIdThatIsUsedAgainIsAnotherContext) {
    begin(1, 0);
    made(1, 20, kConnection);
    made(2, 50, 20);  // a child task of the first
    send(1, 3, 50);
    begin(2, 5);
    made(6, 50, kConnection);  // now the second's own
    send(2, 7, 50);
    end(2, 10, 50);
    EXPECT_EQ(owner(1), nullptr);
    expect_context(2, 2);
    end(1, 20, 20);
    expect_context(1, 1);
}

TEST_F(ContextOwnersTest, WorkAfterTheResponseIsNotTheNextRequests) {
    begin(1, 0);
    made(1, 20, kConnection);
    end(1, 10, 20);
    begin(2, 11);
    made(12, 21, kConnection);
    EXPECT_TRUE(send(1, 13, 20, {UnitId{2}, Evidence::thread, 1}));
    end(2, 20, 21);
    expect_context(1, 1);
    EXPECT_NE(owner(1)->after, nullptr);
}

TEST_F(ContextOwnersTest, WhatAResponseThatWasCutOffLeavesBehindIsNobodys) {
    begin(1, 0);
    made(1, 20, kConnection);
    end(1, 10, 20, 0, false);
    begin(2, 11);
    made(12, 21, kConnection);
    send(1, 13, 20);
    end(2, 20, 21);
    ASSERT_NE(owner(1), nullptr);
    EXPECT_EQ(owner(1)->unit, UnitId{});
    EXPECT_EQ(owner(1)->evidence, Evidence::none);
}

TEST_F(ContextOwnersTest, TheOnlyUnitInFlightDoesNotGetWhatAnotherTaskSent) {
    made(-10, 60, kMain);  // runs on, whoever asks
    begin(1, 0);
    made(1, 20, kConnection);
    EXPECT_TRUE(send(1, 5, 60, {UnitId{1}, Evidence::thread, 1}));
    EXPECT_TRUE(send(2, 6, 20, {UnitId{1}, Evidence::thread, 1}));
    end(1, 10, 20);
    expect_ambiguous(1);
    ASSERT_NE(owner(2), nullptr);
    EXPECT_EQ(owner(2)->unit, UnitId{1});
    EXPECT_EQ(owner(2)->evidence, Evidence::thread);
}

TEST_F(ContextOwnersTest, AThreadsOwnContextSaysNothingAgainstTheThread) {
    begin(1, 0);
    EXPECT_TRUE(send(1, 5, kMain, {UnitId{1}, Evidence::thread, 1}));
    end(1, 10, kMain);
    ASSERT_NE(owner(1), nullptr);
    EXPECT_EQ(owner(1)->unit, UnitId{1});
    EXPECT_EQ(owner(1)->evidence, Evidence::thread);
}

TEST_F(ContextOwnersTest, AContextOlderThanTheUnitIsNoRoot) {
    begin(1, 0);
    begin(2, 0);
    send(1, 5, kConnection);
    end(1, 10, kConnection);
    EXPECT_EQ(owner(1), nullptr);
    end(2, 20, kConnection);
    expect_ambiguous(1);
}

TEST_F(ContextOwnersTest, TwoUnitsThatClaimOneRootContradictEachOther) {
    begin(1, 0);
    begin(2, 1);
    made(2, 20, kConnection);
    end(1, 10, 20);
    send(1, 11, 20);
    end(2, 20, 20);
    ASSERT_NE(owner(1), nullptr);
    EXPECT_EQ(owner(1)->unit, UnitId{});
}

TEST_F(ContextOwnersTest, APipelinedRequestBeginsWhenTheOneBeforeIsAnswered) {
    begin(1, 0);
    begin(2, 0);  // read in the same call
    made(1, 20, kConnection);
    send(1, 2, 20);
    made(10, 21, 20);  // uvicorn starts it where it ends the first
    end(1, 10, 20);
    units_.at(2)->activated = us(10);
    send(2, 12, 21);
    end(2, 20, 21);
    expect_context(1, 1);
    expect_context(2, 2);
}

TEST_F(ContextOwnersTest, AfterALossContextsAreNotWhatTheyWere) {
    begin(1, 0);
    begin(2, 0);
    made(1, 20, kConnection);
    owners_.lost(us(5));
    send(1, 6, 20);
    end(1, 10, 20);
    end(2, 11, 0);
    expect_ambiguous(1);
}

TEST_F(ContextOwnersTest, ATimerThatSetsItselfAgainDoesNotGrowForEver) {
    Contexts contexts;
    for (std::uint64_t i = 0; i < 100'000; i++) {
        contexts.on({us(static_cast<std::int64_t>(i)), kLoop, kProcess, ContextId{100 + i % 2}, ContextId{100 + (i + 1) % 2}});
    }
    unsigned length = 0;
    for (ContextRef at = contexts.find(kProcess, ContextId{101}, us(200'000)); at != nullptr; at = at->parent) {
        ++length;
    }
    EXPECT_LE(length, Contexts::kDeepest + 1);
    EXPECT_GE(length, Contexts::kDeepest / 2);
}

TEST_F(ContextOwnersTest, WhatATaskDoesAfterItsResponseIsItsBackgroundWork) {
    begin(1, 0);
    made(1, 20, kConnection);
    made(2, 30, 20);
    begin(2, 3);
    made(4, 21, kConnection);
    end(1, 10, 20);
    EXPECT_TRUE(send(1, 11, 20));
    EXPECT_TRUE(send(2, 12, 30));
    EXPECT_TRUE(send(3, 13, 21));
    end(2, 20, 21);
    for (const std::uint64_t exchange : {1, 2}) {
        expect_context(exchange, 1);
        ASSERT_NE(owner(exchange)->after, nullptr);
        EXPECT_EQ(owner(exchange)->after->id, UnitId{1});
        EXPECT_EQ(owner(exchange)->after->end, us(10));
    }
    expect_context(3, 2);
    EXPECT_EQ(owner(3)->after, nullptr);
}

TEST_F(ContextOwnersTest, WithNoUnitInFlightBackgroundWorkIsKnownAtOnce) {
    begin(1, 0);
    made(1, 20, kConnection);
    end(1, 10, 20);
    request::Exchange exchange;
    exchange.process = kProcess;
    exchange.sent_in = ContextId{20};
    exchange.sent = us(11);
    Owner owner;
    EXPECT_FALSE(owners_.sent(exchange, owner, decisions_));
    ASSERT_NE(owner.after, nullptr);
    EXPECT_EQ(owner.unit, UnitId{1});
    EXPECT_EQ(owner.evidence, Evidence::context);
}

TEST_F(ContextOwnersTest, MessagesAfterAHandshakeAreOfItsTaskOnceThatIsKnownForTheConnections) {
    std::uint64_t id = 0;
    for (const std::uint64_t task : {20, 21}) {
        begin(++id, static_cast<std::int64_t>(task), task);
        made(static_cast<std::int64_t>(task), task, kMain);
        units_.at(id)->unit.status = 101;
        end(id, static_cast<std::int64_t>(task), task);
    }
    for (std::int64_t at = 100; at < 130; at += 10) {
        begin(++id, at, 20);
        begin(++id, at, 21);
        send(2 * id, at + 1, 20);
        send(2 * id + 1, at + 2, 21);
        end(id - 1, at + 3, 20);
        end(id, at + 4, 21);
    }
    expect_ambiguous(2 * 4);
    ASSERT_NE(owner(2 * id), nullptr);
    EXPECT_EQ(owner(2 * id)->unit, UnitId{id - 1});
    EXPECT_EQ(owner(2 * id)->evidence, Evidence::inferred);
    ASSERT_NE(owner(2 * id + 1), nullptr);
    EXPECT_EQ(owner(2 * id + 1)->unit, UnitId{id});
}

TEST_F(ContextOwnersTest, WhatAnEarlierCopyOfItsConnectionsContextSentMayBeTheUnits) {
    std::uint64_t id = 0;
    for (int i = 0; i < 4; ++i) {
        for (const std::uint64_t connection : {20, 21}) {
            const auto at = static_cast<std::int64_t>(10 * ++id);
            begin(id, at, connection);
            if (i == 0) {
                made(at + 1, connection, kMain);
            }
            end(id, at + 5, connection);
        }
    }
    made(100, 30, 20);
    begin(49, 105, 22);  // as long as it runs it may claim all
    begin(50, 110, 20);
    send(1, 111, 30);
    EXPECT_FALSE(end(50, 120, 20)) << "made for the unit before it was read, or left behind by the one before";
    begin(51, 130, 21);
    send(2, 131, 30);
    EXPECT_TRUE(end(51, 140, 21)) << "another connection's";
}

TEST_F(ContextOwnersTest, ATaskThatAnswersAnotherRequestIsTheConnectionsOwn) {
    begin(1, 0);
    made(1, 20, kConnection);
    end(1, 10, 20);
    begin(2, 20);
    send(1, 21, 20);
    end(2, 30, 20);
    ASSERT_NE(owner(1), nullptr);
    EXPECT_EQ(owner(1)->after, nullptr);
    begin(3, 35);
    send(2, 40, 20);
    end(3, 50, kMain);
    ASSERT_NE(owner(2), nullptr);
    EXPECT_EQ(owner(2)->after, nullptr) << "what it sends between two requests is neither's";
}

TEST_F(ContextOwnersTest, ARequestServedBelowThatOfAnAnsweredOneHasItsOwn) {
    begin(1, 0);
    made(1, 20, kConnection);
    end(1, 10, 20);
    begin(2, 11);
    made(12, 21, 20);  // pipelined: its task was started by the one before
    send(1, 13, 20);
    send(2, 14, 21);
    end(2, 20, 21);
    ASSERT_NE(owner(1), nullptr);
    ASSERT_NE(owner(1)->after, nullptr);
    EXPECT_EQ(owner(1)->after->id, UnitId{1});
    expect_context(2, 2);
    EXPECT_EQ(owner(2)->after, nullptr);
}

TEST_F(ContextOwnersTest, AfterALossNothingIsTakenForBackgroundWork) {
    begin(1, 0);
    made(1, 20, kConnection);
    end(1, 10, 20);
    owners_.lost(us(11));
    begin(2, 12);
    send(1, 13, 20);
    end(2, 20, kMain);
    ASSERT_NE(owner(1), nullptr);
    EXPECT_EQ(owner(1)->after, nullptr);
}

}  // namespace
}  // namespace timesink::attribute
