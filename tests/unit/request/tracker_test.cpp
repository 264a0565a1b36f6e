#include "request/tracker.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace timesink::request {
namespace {

Instant ms(std::int64_t at) {
    return Instant(std::chrono::milliseconds(at));
}

net::Moment moment(std::int64_t at) {
    net::Moment made;
    made.arrived = made.entered = made.exited = ms(at);
    made.known = made.arrival_known = true;
    return made;
}

struct Exchanges final : Listener {
    void began(const Unit&) override {}
    void ended(Unit&& unit) override { units.push_back(std::move(unit)); }
    void sent(const Exchange&) override {}
    void answered(Exchange&& exchange) override { all.push_back(std::move(exchange)); }
    void answering(const Unit&) override {}
    void lost(ProcessId, ThreadId) override {}
    std::vector<Exchange> all;
    std::vector<Unit> units;
};

class TrackerTest : public ::testing::Test {
protected:
    static event::Socket socket() {
        event::Socket made{};
        made.socket = SocketId{1};
        made.origin = TS_SOCKET_CONNECT;
        made.family = 2;
        return made;
    }
    /// Two requests at 1 and 2 ms, answered at 10 ms (the first) and 11 ms.
    void two_exchanges(bool answers_in_order) {
        for (std::uint64_t number : {1, 2}) {
            tracker_.head(connection_,
                          {.correlation = proto::Correlation{number},
                           .begin = 100 * number,
                           .operation = "GET",
                           .answers_in_order = answers_in_order},
                          moment(static_cast<std::int64_t>(number)));
            tracker_.end(connection_, {.correlation = proto::Correlation{number}, .end = 100 * number + 50, .bytes = 30},
                         moment(static_cast<std::int64_t>(number)));
        }
        for (std::uint64_t number : {1, 2}) {
            const auto at = static_cast<std::int64_t>(number) + 9;
            tracker_.head(connection_,
                          {.direction = proto::Direction::response,
                           .correlation = proto::Correlation{number},
                           .begin = 1000 * number,
                           .answers_in_order = answers_in_order},
                          moment(at));
            tracker_.end(
                connection_,
                {.direction = proto::Direction::response, .correlation = proto::Correlation{number}, .end = 1000 * number + 500},
                moment(at));
        }
    }

    Exchanges exchanges_;
    RouteTable routes_;
    Tracker tracker_{exchanges_, routes_};
    net::Connection connection_{socket(), false, tracker_};
};

TEST_F(TrackerTest, AnExchangeBehindAnotherWaitsForItsAnswer) {
    two_exchanges(true);
    ASSERT_EQ(exchanges_.all.size(), 2U);
    EXPECT_EQ(exchanges_.all[1].server_free, ms(10));
}

TEST_F(TrackerTest, AStreamOfItsOwnWaitsForNobody) {
    two_exchanges(false);
    ASSERT_EQ(exchanges_.all.size(), 2U);
    EXPECT_EQ(exchanges_.all[1].server_free, exchanges_.all[1].sent);
}

TEST_F(TrackerTest, BytesAreItsOwnWhereTheParserCountsThem) {
    two_exchanges(false);
    ASSERT_EQ(exchanges_.all.size(), 2U);
    EXPECT_EQ(exchanges_.all[0].bytes_out, 30U);
    EXPECT_EQ(exchanges_.all[0].bytes_in, 500U);
}

TEST(Tracker, AnAnswerOfGrpcThatIsTheClientsFaultIsNoFailedRequest) {
    Exchanges told;
    RouteTable routes;
    Tracker tracker(told, routes);
    event::Socket socket{};
    socket.socket = SocketId{1};
    socket.origin = TS_SOCKET_ACCEPT;
    socket.family = 2;
    net::Connection connection(socket, false, tracker);
    const auto answer = [&](std::uint64_t number, const char* status, const char* error) {
        const proto::Correlation correlation{number};
        tracker.head(connection, {.correlation = correlation, .operation = "POST", .target = "/a.B/C"}, moment(1));
        tracker.end(connection, {.correlation = correlation, .end = 10}, moment(1));
        tracker.head(connection, {.direction = proto::Direction::response, .correlation = correlation, .status = 200}, moment(2));
        tracker.end(connection,
                    {.direction = proto::Direction::response,
                     .correlation = correlation,
                     .end = 10,
                     .error = error,
                     .attributes = {{"rpc.grpc.status_code", status}}},
                    moment(2));
    };
    answer(1, "5", "NOT_FOUND");
    answer(2, "13", "INTERNAL");
    ASSERT_EQ(told.units.size(), 2U);
    EXPECT_EQ(told.units[0].error, "");
    EXPECT_EQ(told.units[1].error, "INTERNAL");
}

}  // namespace
}  // namespace timesink::request
