#include "request/engine_calls.hpp"

#include <gmock/gmock.h>

#include <string_view>
#include <vector>

namespace timesink::request {
namespace {

Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

event::Bytes bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

struct Told final : Listener {
    void began(const Unit&) override {}
    void ended(Unit&&) override {}
    void sent(const Exchange& exchange) override { begun.push_back(exchange.id); }
    void answered(Exchange&& exchange) override { over.push_back(std::move(exchange)); }
    void answering(const Unit&) override {}
    void lost(ProcessId, ThreadId) override {}
    std::vector<ExchangeId> begun;
    std::vector<Exchange> over;
};

class EngineCallsTest : public ::testing::Test {
protected:
    void open(std::uint64_t number, std::string_view file) {
        event::EngineName name{};
        name.process = kProcess;
        name.number = number;
        name.subject = TS_ENGINE_DATABASE;
        name.text = bytes(file);
        calls_.on(name);
    }
    void prepare(std::uint64_t number, std::string_view sql, std::uint64_t database = 1, bool cut = false) {
        event::EngineName name{};
        name.entered = us(1);
        name.at = us(3);
        name.thread = kThread;
        name.process = kProcess;
        name.number = number;
        name.database = database;
        name.subject = TS_ENGINE_STATEMENT;
        name.cut = cut;
        name.text = bytes(sql);
        calls_.on(name);
    }
    void begin(std::uint64_t execution, std::uint64_t statement, std::int64_t at = 10) {
        event::EngineCall call{};
        call.at = us(at);
        call.thread = kThread;
        call.process = kProcess;
        call.stage = TS_ENGINE_BEGIN;
        call.execution = execution;
        call.statement = statement;
        call.context = ContextId{4096};
        calls_.on(call);
    }
    void end(std::uint64_t execution, std::int32_t result = 101, std::int64_t at = 20) {
        event::EngineCall call{};
        call.at = call.first = call.last = us(at);
        call.thread = kThread;
        call.process = kProcess;
        call.stage = TS_ENGINE_END;
        call.execution = execution;
        call.inside = std::chrono::microseconds(1000000);  // more than there was
        call.rows = 4;
        call.result = result;
        calls_.on(call);
    }
    const Exchange& run(std::uint64_t statement, std::int32_t result = 101) {
        begin(++execution_, statement);
        end(execution_, result);
        return told_.over.back();
    }

    static constexpr ProcessId kProcess{7};
    static constexpr ThreadId kThread{8};
    std::uint64_t execution_ = 1000;
    Told told_;
    RouteTable routes_;
    Tracker tracker_{told_, routes_};
    EngineCalls calls_{told_, tracker_};
};

TEST_F(EngineCallsTest, AStatementHasItsShapeItsFileAndItsTimes) {
    open(1, "file:/srv/data/shop.sqlite?mode=ro");
    prepare(2, "select name from item where id = 17 -- the seventeenth");
    const Exchange& exchange = run(2);
    EXPECT_EQ(exchange.protocol, "sqlite");
    EXPECT_EQ(exchange.operation, "SELECT");
    EXPECT_EQ(exchange.statement, shape_of_sql("select name from item where id = 17").text);
    EXPECT_EQ(exchange.fingerprint, fingerprint_of(exchange.statement));
    EXPECT_EQ(exchange.remote.address, "shop.sqlite");
    EXPECT_EQ(exchange.sent, us(10));
    EXPECT_EQ(exchange.read_end, us(20));
    EXPECT_EQ(exchange.sent_in, ContextId{4096});
    EXPECT_EQ(exchange.rows, 4U);
    EXPECT_TRUE(exchange.complete);
    EXPECT_EQ(exchange.engine->inside, std::chrono::microseconds(10));  // never more than from begin to end
    EXPECT_EQ(told_.begun.back(), exchange.id);
}

TEST_F(EngineCallsTest, ThePreparationIsHousekeeping) {
    prepare(2, "SELECT 1");
    ASSERT_EQ(told_.over.size(), 1U);
    EXPECT_TRUE(told_.over[0].housekeeping);
    EXPECT_EQ(told_.over[0].operation, "PREPARE");
    EXPECT_EQ(told_.over[0].read_end - told_.over[0].sent, std::chrono::microseconds(2));
}

TEST_F(EngineCallsTest, WhatWasPreparedBeforeTheAttachIsCountedWithoutAName) {
    const Exchange& exchange = run(0);
    EXPECT_EQ(exchange.statement, EngineCalls::kOlder);
    EXPECT_EQ(exchange.operation, "EXECUTE");
    EXPECT_EQ(run(99).statement, EngineCalls::kOlder);  // its record was lost
}

TEST_F(EngineCallsTest, ResultCodesAreErrorsByName) {
    prepare(2, "INSERT INTO t VALUES (1)");
    EXPECT_EQ(run(2, 101).error, "");
    EXPECT_EQ(run(2, 100).error, "");
    EXPECT_EQ(run(2, 5).error, "SQLITE_BUSY");
    EXPECT_EQ(run(2, 5 | 2 << 8).error, "SQLITE_BUSY");  // SQLITE_BUSY_SNAPSHOT
    EXPECT_EQ(run(2, 19 | 8 << 8).error, "SQLITE_CONSTRAINT");
    EXPECT_EQ(run(2, 77).error, "SQLITE 77");
    EXPECT_EQ(run(2, -1).error, "SQLITE -1");
}

TEST_F(EngineCallsTest, TransactionsAreFollowedByTheirStatements) {
    prepare(2, "BEGIN IMMEDIATE");
    prepare(3, "SELECT 1");
    prepare(4, "ROLLBACK TO here");
    prepare(5, "COMMIT");
    prepare(6, "SELECT 1", 9);  // of another database
    EXPECT_FALSE(run(3).in_transaction);
    EXPECT_FALSE(run(2, 5).in_transaction);  // refused
    EXPECT_TRUE(run(2).in_transaction);
    EXPECT_TRUE(run(3).in_transaction);
    EXPECT_FALSE(run(6).in_transaction);
    EXPECT_TRUE(run(4).in_transaction);
    EXPECT_FALSE(run(5).in_transaction);
}

TEST_F(EngineCallsTest, WhatHasNoEndIsIncomplete) {
    prepare(2, "SELECT 1");
    begin(5, 2);
    calls_.ended(ProcessId{70});
    EXPECT_EQ(told_.over.size(), 1U);
    calls_.ended(kProcess);
    ASSERT_EQ(told_.over.size(), 2U);
    EXPECT_FALSE(told_.over.back().complete);
    EXPECT_EQ(told_.over.back().error, "process ended");
    end(5);  // comes too late
    EXPECT_EQ(told_.over.size(), 2U);
    begin(6, 2);
    calls_.lost();
    calls_.finish();
    EXPECT_TRUE(told_.over.back().touched_by_loss);
    EXPECT_EQ(told_.over.size(), 3U);
}

TEST_F(EngineCallsTest, MemoryIsBounded) {
    prepare(1, "SELECT used");
    for (std::uint64_t number = 2; number < 3 * EngineCalls::kMostNames; ++number) {
        prepare(number, "SELECT other");
        if (number % 1000 == 0) {
            EXPECT_EQ(run(1).statement, "SELECT used");
        }
        told_.over.clear();
        told_.begun.clear();
    }
    EXPECT_EQ(run(2).statement, EngineCalls::kOlder);
    for (std::uint64_t execution = 1; execution <= EngineCalls::kMostOpen + 1; ++execution) {
        begin(100'000'000 + execution, 1);
    }
    EXPECT_EQ(told_.over.back().error, "not seen to its end");
}

TEST_F(EngineCallsTest, ATextThatWasCutHasTheShapeOfItsBegin) {
    prepare(2, "SELECT a, b FROM t WHERE x IN (1, 2", 1, true);
    EXPECT_EQ(run(2).statement, shape_of_sql("SELECT a, b FROM t WHERE x IN (1, 2", true).text);
}

}  // namespace
}  // namespace timesink::request
