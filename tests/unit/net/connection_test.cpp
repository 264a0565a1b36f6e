#include "net/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace timesink::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

event::Bytes bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Writes down what it is told, one line each.
class Diary final : public MessageSink {
public:
    void head(Connection&, const proto::Head& head, const Moment& first) override {
        std::string line =
            head.direction == proto::Direction::request ? "? " + head.operation : "! " + std::to_string(head.status);
        lines.push_back(line + " " + when(first));
    }
    void end(Connection&, const proto::End& end, const Moment& last) override {
        const std::string mark = end.direction == proto::Direction::request ? "?." : "!.";
        lines.push_back(mark + (end.complete ? " " : " cut ") + when(last));
    }
    void lost(Connection&, ThreadId) override { lines.emplace_back("lost"); }
    void not_understood(Connection&, ThreadId) override { lines.emplace_back("not understood"); }
    void abandoned(Connection&) override { lines.emplace_back("abandoned"); }
    void closed(Connection&) override { lines.emplace_back("closed"); }

    static std::string when(const Moment& moment) {
        if (!moment.known) {
            return "never";
        }
        const auto text = [](Instant at) { return std::to_string(to_ns(at) / 1000); };
        return text(moment.arrived) + "/" + text(moment.entered) + "/" + text(moment.exited);
    }

    std::vector<std::string> lines;
};

class ConnectionTest : public ::testing::Test {
protected:
    static event::Socket socket(std::uint8_t is_server, ts_socket_origin origin, std::uint16_t family = 2) {
        event::Socket made{};
        made.socket = SocketId{1};
        made.is_server = is_server;
        made.origin = origin;
        made.family = family;
        made.process = ProcessId{9};
        return made;
    }

    static void transfer(Connection& connection, ts_operation operation, std::uint64_t position, std::string_view text,
                         std::int64_t entered, std::int64_t exited, std::int64_t length = -1, std::string_view tail = {}) {
        event::Call call{};
        call.operation = operation;
        call.socket = SocketId{1};
        call.process = ProcessId{9};
        call.thread = ThreadId{9};
        call.stream_begin = position;
        call.result = length < 0 ? static_cast<std::int64_t>(text.size()) : length;
        call.head = bytes_of(text);
        call.tail = bytes_of(tail);
        call.entered = us(entered);
        call.exited = us(exited);
        connection.on(call);
    }

    static void arrive(Connection& connection, std::uint64_t end, std::int64_t at) {
        connection.on(event::Arrival{us(at), SocketId{1}, end});
    }

    Diary diary_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";

TEST_F(ConnectionTest, AServersRequestHasTheTimeOfItsArrival) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    arrive(connection, kGet.size(), 10);
    transfer(connection, TS_OPERATION_READ, 0, kGet, 20, 21);
    transfer(connection, TS_OPERATION_WRITE, 0, kOk, 30, 31);
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 10/20/21", "?. 10/20/21", "! 200 30/30/31", "!. 30/30/31"));
    EXPECT_EQ(connection.protocol(), "http");
}

TEST_F(ConnectionTest, AClientsResponseMayComeInParts) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    arrive(connection, 20, 10);
    transfer(connection, TS_OPERATION_READ, 0, kOk.substr(0, 20), 11, 12);
    arrive(connection, kOk.size(), 30);
    transfer(connection, TS_OPERATION_READ, 20, kOk.substr(20), 31, 32);
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 1/1/2", "?. 1/1/2", "! 200 10/11/12", "!. 30/31/32"));
}

TEST_F(ConnectionTest, WhatOfAnAnswerNobodyToldToHaveArrivedHadArrivedWhenItWasRead) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    arrive(connection, 20, 10);
    transfer(connection, TS_OPERATION_READ, 0, kOk.substr(0, 20), 11, 12);
    transfer(connection, TS_OPERATION_READ, 20, kOk.substr(20), 13, 52);  // it waits for 39 of them
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 1/1/2", "?. 1/1/2", "! 200 10/11/12", "!. 52/13/52"));
    EXPECT_TRUE(connection.moment(proto::Direction::response, kOk.size() - 1).arrival_known);
    EXPECT_EQ(connection.summary().arrivals_missed, 1U);
}

TEST_F(ConnectionTest, WhatOfARequestNobodyToldToHaveArrivedMayHaveWaitedForLong) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    arrive(connection, 5, 10);
    transfer(connection, TS_OPERATION_READ, 0, kGet, 20, 21);
    EXPECT_TRUE(connection.moment(proto::Direction::request, 0).arrival_known);
    EXPECT_FALSE(connection.moment(proto::Direction::request, kGet.size() - 1).arrival_known);
    EXPECT_EQ(connection.summary().arrivals_missed, 0U);
}

TEST_F(ConnectionTest, AResponseThatIsReadAfterItsServerResetTheConnectionIsWhole) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    arrive(connection, kOk.size() + 24, 10);
    connection.on(event::SocketState{.at = us(20), .socket = SocketId{1}, .old_state = 1, .new_state = 7});
    transfer(connection, TS_OPERATION_READ, 0, kOk, 31, 32);
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 1/1/2", "?. 1/1/2", "! 200 10/31/32", "!. 10/31/32"));
    EXPECT_TRUE(connection.summary().open) << "until the target closes it";
}

TEST_F(ConnectionTest, AResponseThatIsReadAfterBothEndsShutTheirWayDownIsWhole) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    connection.on(event::Call{.operation = TS_OPERATION_SHUTDOWN});
    arrive(connection, kOk.size() + 1, 10);
    connection.on(event::SocketState{.at = us(20), .socket = SocketId{1}, .old_state = 5, .new_state = 7});
    transfer(connection, TS_OPERATION_READ, 0, kOk, 31, 32);
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 1/1/2", "?. 1/1/2", "! 200 10/31/32", "!. 10/31/32"));
}

TEST_F(ConnectionTest, AResetWithNothingToReadIsTheEnd) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    arrive(connection, 1, 10);  // a FIN
    connection.on(event::SocketState{.at = us(20), .socket = SocketId{1}, .old_state = 8, .new_state = 7});
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 1/1/2", "?. 1/1/2", "closed"));
    EXPECT_FALSE(connection.summary().open);
}

TEST_F(ConnectionTest, APairByWhichALoopIsWokenAsksNobody) {
    constexpr std::uint8_t kUnknown = 2;
    constexpr std::uint16_t kUnix = 1;
    Connection connection(socket(kUnknown, TS_SOCKET_SEEN, kUnix), false, diary_);
    for (int at = 0; at < 20; ++at) {
        transfer(connection, TS_OPERATION_READ, static_cast<std::uint64_t>(at), std::string_view("\0", 1), at, at + 1);
    }
    EXPECT_THAT(diary_.lines, IsEmpty());
    EXPECT_EQ(connection.summary().bytes_read, 20U);
}

TEST_F(ConnectionTest, ARequestThatComesInPartsIsRecognisedAllTheSame) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    arrive(connection, kGet.size(), 10);
    for (std::size_t at = 0; at < kGet.size(); ++at) {
        transfer(connection, TS_OPERATION_READ, at, kGet.substr(at, 1), 20, 21);
    }
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 10/20/21", "?. 10/20/21"));
}

TEST_F(ConnectionTest, BytesBeyondTheCaptureAreCountedAndTimed) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    constexpr std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    const auto total = static_cast<std::int64_t>(head.size() + 100000);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    arrive(connection, static_cast<std::uint64_t>(total), 10);
    transfer(connection, TS_OPERATION_READ, 0, head, 11, 12, total, "zz");
    EXPECT_THAT(diary_.lines, ElementsAre("? GET 1/1/2", "?. 1/1/2", "! 200 10/11/12", "!. 10/11/12"));
    EXPECT_EQ(connection.summary().bytes_not_captured, 100000U - 2U);
    EXPECT_EQ(connection.summary().bytes_read, static_cast<std::uint64_t>(total));
}

TEST_F(ConnectionTest, ALostReadIsToldAndCounted) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    transfer(connection, TS_OPERATION_READ, 0, kGet, 1, 2);
    transfer(connection, TS_OPERATION_WRITE, 0, kOk, 3, 4);
    diary_.lines.clear();
    transfer(connection, TS_OPERATION_READ, 2 * kGet.size(), kGet, 5, 6);
    ASSERT_FALSE(diary_.lines.empty());
    EXPECT_THAT(diary_.lines, ::testing::Contains("lost"));
    EXPECT_EQ(connection.summary().bytes_lost, kGet.size());
}

TEST_F(ConnectionTest, UntilAMessageBeginsAfterALossNothingIsUnderstood) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nContent-Length: 8\r\n\r\n";
    transfer(connection, TS_OPERATION_READ, 0, kPost, 1, 2);
    transfer(connection, TS_OPERATION_READ, kPost.size() + 2, "cdef", 3, 4);
    transfer(connection, TS_OPERATION_READ, kPost.size() + 6, "gh", 5, 6);
    EXPECT_EQ(std::count(diary_.lines.begin(), diary_.lines.end(), "not understood"), 2);
    diary_.lines.clear();
    transfer(connection, TS_OPERATION_READ, kPost.size() + 8, kGet, 7, 8);
    EXPECT_THAT(diary_.lines, ::testing::Contains("? GET 7/7/8"));
    EXPECT_THAT(diary_.lines, ::testing::Not(::testing::Contains("not understood")));
}

TEST_F(ConnectionTest, WhoseSocketWasNeverToldIsNotUnderstoodUntilItSpeaks) {
    Connection connection(socket(2, TS_SOCKET_SEEN, 0), false, diary_);
    transfer(connection, TS_OPERATION_WRITE, 0, "\x01\x02", 1, 2);
    EXPECT_THAT(diary_.lines, ElementsAre("not understood"));
}

TEST_F(ConnectionTest, PeekingMovesNothing) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    event::Call peek{};
    peek.operation = TS_OPERATION_READ;
    peek.flags = TS_CALL_PEEK;
    peek.result = 10;
    peek.socket = SocketId{1};
    connection.on(peek);
    EXPECT_EQ(connection.summary().bytes_read, 0U);
    transfer(connection, TS_OPERATION_READ, 0, kGet, 1, 2);
    EXPECT_EQ(diary_.lines.size(), 2U);
}

TEST_F(ConnectionTest, AForkedChildThatClosesItsCopyDoesNotEndTheConnection) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    event::Call connect{};
    connect.operation = TS_OPERATION_CONNECT;
    connect.process = ProcessId{9};
    connection.on(connect);
    event::Call close{};
    close.operation = TS_OPERATION_CLOSE;
    close.process = ProcessId{77};
    connection.on(close);
    EXPECT_TRUE(connection.summary().open);
    close.process = ProcessId{9};
    connection.on(close);
    EXPECT_FALSE(connection.summary().open);
}

TEST_F(ConnectionTest, WhoPassesAConnectionOnAndClosesItsOwnDoesNotEndIt) {
    Connection connection(socket(1, TS_SOCKET_PASSIVE), false, diary_);
    connection.on(event::SocketState{.at = us(1), .socket = SocketId{1}, .old_state = 3, .new_state = 1});
    event::Call call{};
    call.operation = TS_OPERATION_ACCEPT;
    call.process = ProcessId{9};
    connection.on(call);
    call.operation = TS_OPERATION_CLOSE;
    connection.on(call);
    EXPECT_TRUE(connection.summary().open) << "TCP has not begun to end it";
    connection.on(event::SocketState{.at = us(20), .socket = SocketId{1}, .old_state = 1, .new_state = 4});
    connection.on(call);
    EXPECT_FALSE(connection.summary().open);
}

TEST_F(ConnectionTest, ARefusedConnectIsAFailure) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    event::Call connect{};
    connect.operation = TS_OPERATION_CONNECT;
    connect.result = -ECONNREFUSED;
    connection.on(connect);
    EXPECT_EQ(connection.failure(), std::strerror(ECONNREFUSED));
    EXPECT_EQ(connection.connected(), Instant{});
}

TEST_F(ConnectionTest, WhatNoParserKnowsIsTurns) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), false, diary_);
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    for (int turn = 0; turn < 20; ++turn) {
        transfer(connection, TS_OPERATION_WRITE, asked, "\x01\x02\x03\xff", turn * 10, turn * 10 + 1);
        asked += 4;
        answered += 4;
        arrive(connection, answered, turn * 10 + 5);
        transfer(connection, TS_OPERATION_READ, answered - 4, "\x81\x02\x03\xff", turn * 10 + 6, turn * 10 + 7);
    }
    connection.close(us(1000));
    EXPECT_EQ(connection.protocol(), "unknown");
    const auto turns = std::count_if(diary_.lines.begin(), diary_.lines.end(),
                                     [](const std::string& line) { return line.starts_with("? turn"); });
    EXPECT_EQ(turns, 20);
    EXPECT_THAT(diary_.lines, ::testing::Contains("! 0 5/6/7"));
}

TEST_F(ConnectionTest, ARequestIsFoundBehindTheRestOfAnAnswerThatWasUnderWay) {
    Connection connection(socket(0, TS_SOCKET_CONNECT), true, diary_);
    transfer(connection, TS_OPERATION_READ, 0, "the end of a body, of which nothing is known", 1, 2);
    transfer(connection, TS_OPERATION_WRITE, 0, kGet, 3, 4);
    EXPECT_EQ(std::count_if(diary_.lines.begin(), diary_.lines.end(),
                            [](const std::string& line) { return line.starts_with("? GET"); }),
              1);
}

/// Ten requests in one call, of which a head, a tail of ten bytes, and pieces were captured.
class PiecesTest : public ConnectionTest {
protected:
    PiecesTest() {
        for (int request = 0; request < 10; ++request) {
            text_ += kGet;
        }
    }
    void piece(std::size_t from, std::size_t to, ts_operation operation = TS_OPERATION_READ) {
        connection_.on(event::Payload{
            .socket = SocketId{1}, .operation = operation, .position = from, .bytes = bytes_of(text_).subspan(from, to - from)});
    }
    std::ptrdiff_t requests() {
        const auto length = static_cast<std::int64_t>(text_.size());
        transfer(connection_, TS_OPERATION_READ, 0, text_.substr(0, 40), 1, 2, length, text_.substr(text_.size() - 10));
        return std::count_if(diary_.lines.begin(), diary_.lines.end(),
                             [](const std::string& line) { return line.starts_with("?. "); });
    }
    std::string text_;
    Connection connection_{socket(1, TS_SOCKET_PASSIVE), false, diary_};
};

TEST_F(PiecesTest, WithoutThemTheMiddleIsMissing) {
    EXPECT_EQ(requests(), 1);
    EXPECT_EQ(connection_.summary().bytes_not_captured, text_.size() - 50);
}

TEST_F(PiecesTest, TheyFillTheMiddleOfTheirCall) {
    piece(40, 100);
    piece(0, 10, TS_OPERATION_WRITE);  // of a call in the other direction that is under way
    piece(100, text_.size() - 10);
    EXPECT_EQ(requests(), 10);
    EXPECT_EQ(connection_.summary().bytes_not_captured, 0);
}

TEST_F(PiecesTest, OneThatIsMissingIsAGap) {
    piece(40, 100);
    piece(120, text_.size() - 10);
    EXPECT_LT(requests(), 10);
    EXPECT_EQ(connection_.summary().bytes_not_captured, 20);
}

TEST_F(PiecesTest, ThoseThatDoNotFitAreDropped) {
    piece(30, 100);           // into the head
    piece(40, text_.size());  // into the tail
    piece(40, 100);
    piece(90, text_.size() - 10);  // into the piece before
    EXPECT_LT(requests(), 10);
    EXPECT_EQ(connection_.summary().bytes_not_captured, text_.size() - 10 - 100);
}

TEST_F(PiecesTest, ThoseOfCallsWhoseRecordsWereLostGiveWay) {
    for (int other = 0; other < 1000; ++other) {
        piece(0, 10);
    }
    piece(40, text_.size() - 10);
    EXPECT_EQ(requests(), 10);
}

TEST_F(ConnectionTest, AnInheritedSocketShowsItsRoleByWhoAsks) {
    Connection server(socket(2, TS_SOCKET_SEEN, 1), false, diary_);
    transfer(server, TS_OPERATION_READ, 0, kGet, 1, 2);
    EXPECT_EQ(server.role(), Role::server);
    Connection client(socket(2, TS_SOCKET_SEEN, 1), false, diary_);
    transfer(client, TS_OPERATION_WRITE, 0, kGet, 1, 2);
    EXPECT_EQ(client.role(), Role::client);
}

}  // namespace
}  // namespace timesink::net
