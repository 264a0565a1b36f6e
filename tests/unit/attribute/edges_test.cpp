#include "attribute/edges.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace timesink::attribute {
namespace {

Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

const event::Endpoint kCaller{"127.0.0.1", 40001};
const event::Endpoint kServer{"127.0.0.1", 8001};

class EdgesTest : public ::testing::Test {
protected:
    static request::Exchange exchange(std::uint64_t id, std::int64_t sent, std::uint64_t position = 0) {
        request::Exchange made;
        made.id = ExchangeId{id};
        made.local = kCaller;
        made.remote = kServer;
        made.network_namespace = 1;
        made.sent = us(sent);
        made.position = position;
        return made;
    }
    static request::Unit unit(std::int64_t begin, std::uint64_t position = 0) {
        request::Unit made;
        made.client = kCaller;
        made.server = kServer;
        made.network_namespace = 1;
        made.begin = us(begin);
        made.position = position;
        return made;
    }
    Edges edges_;
};

TEST_F(EdgesTest, TheUnitThatCameInOnTheOtherEnd) {
    edges_.sent(exchange(1, 10));
    EXPECT_EQ(edges_.began(unit(12)), ExchangeId{1});
    edges_.answered(exchange(1, 10));
    edges_.sent(exchange(2, 30));
    EXPECT_EQ(edges_.began(unit(31)), ExchangeId{2});
}

TEST_F(EdgesTest, AnExchangeHasOneUnit) {
    edges_.sent(exchange(1, 10));
    EXPECT_EQ(edges_.began(unit(12)), ExchangeId{1});
    EXPECT_EQ(edges_.began(unit(13)), ExchangeId{});
}

TEST_F(EdgesTest, WhatWasAnsweredOrSentLaterIsNotIt) {
    edges_.sent(exchange(1, 10));
    EXPECT_EQ(edges_.began(unit(9)), ExchangeId{});
    edges_.answered(exchange(1, 10));
    EXPECT_EQ(edges_.began(unit(12)), ExchangeId{});
}

TEST_F(EdgesTest, OtherEndsAreOtherConnections) {
    edges_.sent(exchange(1, 10));
    request::Unit other_port = unit(12);
    other_port.client.port = 40002;
    EXPECT_EQ(edges_.began(other_port), ExchangeId{});
    request::Unit other_host = unit(12);
    other_host.network_namespace = 2;
    EXPECT_EQ(edges_.began(other_host), ExchangeId{}) << "loopback of another container";
}

TEST_F(EdgesTest, ContainersReachEachOtherByTheirAddresses) {
    request::Exchange call = exchange(1, 10);
    request::Unit answering = unit(12);
    call.local = answering.client = {"172.17.0.2", 40001};
    call.remote = answering.server = {"172.17.0.3", 80};
    answering.network_namespace = 2;
    edges_.sent(call);
    EXPECT_EQ(edges_.began(answering), ExchangeId{1});
}

TEST_F(EdgesTest, OfSeveralInFlightThePositionDecides) {
    edges_.sent(exchange(1, 10, 100));
    edges_.sent(exchange(2, 10, 250));
    EXPECT_EQ(edges_.began(unit(12, 250)), ExchangeId{2});
    edges_.sent(exchange(3, 11, 400));
    EXPECT_EQ(edges_.began(unit(13, 7)), ExchangeId{}) << "no guess";
}

TEST_F(EdgesTest, UnixSocketsHaveNoEnds) {
    request::Exchange call = exchange(1, 10);
    request::Unit answering = unit(12);
    call.local = call.remote = answering.client = answering.server = {"/run/app.sock", 0};
    edges_.sent(call);
    EXPECT_EQ(edges_.began(answering), ExchangeId{});
}

class InsideTest : public ::testing::Test {
protected:
    static OwnedExchange call(std::int64_t on_path_us) {
        OwnedExchange made;
        made.exchange.id = ExchangeId{5};
        made.exchange.callee = UnitId{9};
        made.on_path = std::chrono::microseconds(on_path_us);
        return made;
    }
    static Piece piece(std::int64_t begin, std::int64_t end, Cause cause, std::uint64_t exchange = 0) {
        return {{us(begin), us(end)}, cause, ExchangeId{exchange}};
    }
    static Duration of(const Inside& inside, Cause cause) { return inside.by_cause[static_cast<std::size_t>(cause)]; }
    InsideCalls inside_;
};

TEST_F(InsideTest, WhatTheCalleeDidAndTheWayToIt) {
    inside_.expect(UnitId{9});
    inside_.drawn(UnitId{9},
                  {piece(110, 120, Cause::backlog), piece(120, 170, Cause::db_server, 77), piece(170, 180, Cause::cpu)});
    const auto inside = inside_.of(call(100), {piece(0, 100, Cause::cpu), piece(100, 200, Cause::provider_first_byte, 5)});
    ASSERT_NE(inside, nullptr);
    EXPECT_EQ(of(*inside, Cause::db_server), std::chrono::microseconds(50));
    EXPECT_EQ(of(*inside, Cause::backlog), std::chrono::microseconds(10));
    EXPECT_EQ(inside->between, std::chrono::microseconds(30));
}

TEST_F(InsideTest, OnlyWhatIsOnThePathCounts) {
    inside_.expect(UnitId{9});
    inside_.drawn(UnitId{9}, {piece(110, 190, Cause::db_server, 77)});
    const auto inside =
        inside_.of(call(40), {piece(100, 120, Cause::provider_first_byte, 5), piece(120, 170, Cause::db_server, 6),
                              piece(170, 190, Cause::provider_first_byte, 5), piece(190, 195, Cause::cpu)});
    ASSERT_NE(inside, nullptr);
    EXPECT_EQ(of(*inside, Cause::db_server), std::chrono::microseconds(30));
    const Duration sum = std::accumulate(inside->by_cause.begin(), inside->by_cause.end(), inside->between);
    EXPECT_EQ(sum, std::chrono::microseconds(40));
}

TEST_F(InsideTest, ACalleeWithoutAnAccountIsNotOpened) {
    inside_.expect(UnitId{9});
    EXPECT_EQ(inside_.of(call(10), {piece(0, 10, Cause::provider_body, 5)}), nullptr) << "not drawn yet";
    inside_.drawn(UnitId{9}, {piece(0, 10, Cause::cpu)});
    inside_.forget(UnitId{9});
    EXPECT_EQ(inside_.of(call(10), {piece(0, 10, Cause::provider_body, 5)}), nullptr);
}

}  // namespace
}  // namespace timesink::attribute
