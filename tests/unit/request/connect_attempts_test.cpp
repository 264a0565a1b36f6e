#include "request/connect_attempts.hpp"

#include <gmock/gmock.h>

#include <cerrno>

#include "net/connections.hpp"
#include "request/tracker.hpp"

namespace timesink::request {
namespace {

constexpr std::uint8_t kSynSent = 2;
constexpr std::uint8_t kClose = 7;
constexpr std::uint8_t kEstablished = 1;

Instant ms(std::int64_t at) {
    return Instant(std::chrono::milliseconds(at));
}

struct Told final : Listener {
    void began(const Unit&) override {}
    void ended(Unit&&) override {}
    void sent(const Exchange& exchange) override { sends.push_back(exchange); }
    void answered(Exchange&& exchange) override { all.push_back(std::move(exchange)); }
    void answering(const Unit&) override {}
    void lost(ProcessId, ThreadId) override {}
    std::vector<Exchange> sends;
    std::vector<Exchange> all;
};

struct NoSummaries final : net::ConnectionSink {
    void connection(const net::ConnectionSummary&) override {}
};

class ConnectAttemptsTest : public ::testing::Test {
protected:
    void connect(std::int64_t at, std::int64_t until, std::int64_t result, std::uint64_t socket = 1) {
        event::Call call{};
        call.entered = ms(at);
        call.exited = ms(until);
        call.result = result;
        call.socket = SocketId{socket};
        call.operation = TS_OPERATION_CONNECT;
        call.thread = ThreadId{5};
        call.process = ProcessId{4};
        call.context = ContextId{77};
        connections_.on(call);
    }
    void socket(std::uint16_t family = 2, std::uint8_t type = 1, std::uint64_t id = 1) {
        event::Socket made{};
        made.socket = SocketId{id};
        made.origin = TS_SOCKET_CONNECT;
        made.family = family;
        made.type = type;
        made.process = ProcessId{4};
        made.remote = {"10.0.0.1", 5432};
        connections_.on(made);
    }
    void state(std::int64_t at, std::uint8_t from, std::uint8_t to, int error, std::uint64_t id = 1) {
        connections_.on(event::SocketState{ms(at), SocketId{id}, from, to, static_cast<std::uint16_t>(error)});
    }
    void close(std::int64_t at, std::uint64_t id = 1) {
        event::Call call{};
        call.entered = call.exited = ms(at);
        call.socket = SocketId{id};
        call.operation = TS_OPERATION_CLOSE;
        call.process = ProcessId{4};
        connections_.on(call);
    }

    Told told_;
    RouteTable routes_;
    Tracker tracker_{told_, routes_};
    NoSummaries summaries_;
    net::Connections connections_{tracker_, summaries_};
};

TEST_F(ConnectAttemptsTest, RefusedWhileTheCallWaited) {
    connect(10, 13, -ECONNREFUSED);
    socket();
    state(12, kSynSent, kClose, ECONNREFUSED);
    close(20);
    ASSERT_EQ(told_.all.size(), 1U);
    const Exchange& attempt = told_.all.front();
    EXPECT_EQ(attempt.protocol, "tcp");
    EXPECT_EQ(attempt.operation, "connect");
    EXPECT_EQ(attempt.error, "Connection refused");
    EXPECT_EQ(attempt.sent, ms(10));
    EXPECT_EQ(attempt.arrived, ms(12));
    EXPECT_EQ(attempt.read_end, ms(13));
    EXPECT_EQ(attempt.remote.port, 5432);
    EXPECT_EQ(attempt.sent_in, ContextId{77});
    EXPECT_TRUE(attempt.complete);
}

/// A call that takes longer than event::Merge::kLateness comes in the order of its exit.
TEST_F(ConnectAttemptsTest, TheCallThatWaitedComesLast) {
    socket();
    state(140, kSynSent, kClose, ETIMEDOUT);
    EXPECT_THAT(told_.all, ::testing::IsEmpty());
    connect(10, 141, -ETIMEDOUT);
    ASSERT_EQ(told_.all.size(), 1U);
    const Exchange& attempt = told_.all.front();
    EXPECT_EQ(attempt.error, "Connection timed out");
    EXPECT_EQ(attempt.sent, ms(10));
    EXPECT_EQ(attempt.arrived, ms(140));
    EXPECT_EQ(attempt.sent_in, ContextId{77});
}

TEST_F(ConnectAttemptsTest, TimedOutBehindTheProgramsBack) {
    connect(10, 10, -EINPROGRESS);
    socket();
    state(900, kSynSent, kClose, ETIMEDOUT);
    ASSERT_EQ(told_.all.size(), 1U);
    EXPECT_EQ(told_.all.front().error, "Connection timed out");
    EXPECT_EQ(told_.all.front().read_end, ms(900));
}

TEST_F(ConnectAttemptsTest, GivenUpByTheProgram) {
    connect(10, 10, -EINPROGRESS);
    socket();
    state(50, kSynSent, kClose, 0);
    close(50);
    ASSERT_EQ(told_.all.size(), 1U);
    EXPECT_EQ(told_.all.front().error, "Connection given up");
}

TEST_F(ConnectAttemptsTest, ItsNumberIsFromWhenItWasMade) {
    connect(10, 10, -EINPROGRESS);
    socket();
    const ExchangeId later = tracker_.next_exchange();
    state(900, kSynSent, kClose, ETIMEDOUT);
    ASSERT_EQ(told_.all.size(), 1U);
    EXPECT_LT(told_.all.front().id, later);
}

TEST_F(ConnectAttemptsTest, OneThatCameToSomethingIsNone) {
    connect(10, 10, -EINPROGRESS);
    socket();
    state(11, kSynSent, kEstablished, 0);
    close(20);
    EXPECT_TRUE(told_.all.empty());
}

TEST_F(ConnectAttemptsTest, DatagramsAreNotConnected) {
    connect(10, 10, -ENETUNREACH);
    socket(2, 2);
    close(20);
    EXPECT_TRUE(told_.all.empty());
}

TEST_F(ConnectAttemptsTest, APathWhereNobodyListensIsKnownAtTheClose) {
    connect(10, 10, -ENOENT);
    socket(1);
    close(20);
    ASSERT_EQ(told_.all.size(), 1U);
    EXPECT_EQ(told_.all.front().protocol, "unix");
    EXPECT_EQ(told_.all.front().read_end, ms(10));
    EXPECT_EQ(told_.all.front().error, "No such file or directory");
}

TEST_F(ConnectAttemptsTest, WhatSpeaksThereIsKnownFromBefore) {
    ConnectAttempts attempts;
    attempts.spoke({"10.0.0.1", 5432}, "postgresql");
    net::Connection connection(
        [] {
            event::Socket made{};
            made.family = 2;
            made.type = 1;
            made.remote = {"10.0.0.1", 5432};
            return made;
        }(),
        false, tracker_);
    event::Call call{};
    call.entered = call.exited = ms(1);
    call.result = -ETIMEDOUT;
    call.operation = TS_OPERATION_CONNECT;
    connection.on(call);
    const auto failed = attempts.failed(connection, ExchangeId{9});
    ASSERT_TRUE(failed);
    EXPECT_THAT(failed->attributes, ::testing::ElementsAre(::testing::Pair("connect.for", "postgresql")));
}

}  // namespace
}  // namespace timesink::request
