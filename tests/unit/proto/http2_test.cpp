#include "proto/http2/http2.hpp"

#include <gmock/gmock.h>

#include "proto/http1/http1.hpp"
#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

enum : std::uint8_t {
    kData = 0,
    kHeaders = 1,
    kReset = 3,
    kSettings = 4,
    kPush = 5,
    kPing = 6,
    kGoaway = 7,
    kWindow = 8,
    kMore = 9
};
enum : std::uint8_t { kEnd = 1, kWhole = 4, kPadding = 8, kPriority = 32 };

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
    std::string out;
    for (const int shift : {16, 8, 0}) {
        out.push_back(static_cast<char>(payload.size() >> shift));
    }
    out.push_back(static_cast<char>(type));
    out.push_back(static_cast<char>(flags));
    for (const int shift : {24, 16, 8, 0}) {
        out.push_back(static_cast<char>(stream >> shift));
    }
    return out + payload;
}
/// A literal field of HPACK: 0x00 stays out of the table, 0x40 goes into it.
std::string field(const std::string& name, const std::string& value, char how = '\0') {
    return std::string(1, how) + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}
std::string indexed(int index) {
    return std::string(1, static_cast<char>(0x80 | index));
}

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const std::string kStart = kPreface + frame(kSettings, 0, 0, raw("\0\3\0\0\0\x64")) + frame(kWindow, 0, 0, raw("\0\1\0\0"));
const std::string kServerStart = frame(kSettings, 0, 0, raw("\0\4\0\1\0\0")) + frame(kSettings, kEnd, 0, "");

std::string get(const std::string& path) {
    return indexed(2) + indexed(6) + field(":path", path) + field(":authority", "h");
}
std::string post(const std::string& path) {
    return indexed(3) + indexed(6) + field(":path", path) + field(":authority", "h");
}
std::string asks(std::uint32_t stream, const std::string& path) {
    return frame(kHeaders, kEnd | kWhole, stream, get(path));
}
/// :status 200 is static entry 8, 204 is 9.
std::string answers(std::uint32_t stream, const std::string& body) {
    return frame(kHeaders, kWhole, stream, indexed(8)) + frame(kData, kEnd, stream, body);
}
std::vector<Step> probe(int round) {
    const std::uint32_t stream = 1001 + 2 * static_cast<std::uint32_t>(round);
    return {client(asks(stream, "/probe")), server(frame(kHeaders, kEnd | kWhole, stream, indexed(9)))};
}

const std::string kVersion = "network.protocol.version=2";
const std::string kGrpc = indexed(3) + indexed(6) + field(":path", "/shop.Cart/Add") + field("content-type", "application/grpc");
const std::string kGrpcLine =
    "POST /shop.Cart/Add {http.request.header.content-type=application/grpc, network.protocol.version=2, rpc.system=grpc, "
    "rpc.service=shop.Cart, rpc.method=Add}";
const std::string kGrpcOk = frame(kHeaders, kWhole, 1, indexed(8) + field("content-type", "application/grpc+proto"));

const Case kCases[] = {
    {"a request and its response",
     {client(kStart + asks(1, "/a")), server(kServerStart + answers(1, "hello"))},
     {"GET /a @h {" + kVersion + "} -> 200 body=5"}},
    {"streams answered in another order than asked, their frames between each other's",
     {client(kStart), server(kServerStart), client(asks(1, "/a") + asks(3, "/b")),
      server(frame(kHeaders, kWhole, 3, indexed(8)) + frame(kHeaders, kWhole, 1, indexed(13)) + frame(kData, 0, 3, "bb") +
             frame(kData, kEnd, 1, "a") + frame(kData, kEnd, 3, "b"))},
     {"GET /a @h {" + kVersion + "} -> 404 body=1", "GET /b @h {" + kVersion + "} -> 200 body=3"}},
    {"a body in several frames, padded, with a window update between",
     {client(kStart + frame(kHeaders, kWhole, 1, post("/up"))),
      client(frame(kData, 0, 1, "12345") + frame(kPing, 0, 0, "12345678")),
      server(kServerStart + frame(kWindow, 0, 1, raw("\0\0\1\0"))), client(frame(kData, kPadding | kEnd, 1, raw("\3abc\0\0\0"))),
      server(frame(kHeaders, kEnd | kWhole, 1, indexed(9)))},
     {"POST /up @h {" + kVersion + "} [8] -> 204"}},
    {"a header block in three frames, padded and with a priority",
     {client(kStart + frame(kHeaders, kEnd | kPadding | kPriority, 1, raw("\2\0\0\0\0\x10") + indexed(2) + raw("\0\0")) +
             frame(kMore, 0, 1, indexed(6)) + frame(kMore, kWhole, 1, field(":path", "/long"))),
      server(kServerStart + answers(1, "x"))},
     {"GET /long {" + kVersion + "} -> 200 body=1"}},
    {"interim responses answer nothing, trailers end",
     {client(kStart + asks(1, "/a")),
      server(kServerStart + frame(kHeaders, kWhole, 1, field(":status", "103")) + frame(kHeaders, kWhole, 1, indexed(8)) +
             frame(kData, 0, 1, "abc") + frame(kHeaders, kEnd | kWhole, 1, field("x-sum", "1")))},
     {"GET /a @h {" + kVersion + "} -> 200 body=3"}},
    {"what went into the table is named by its place",
     {client(kStart + frame(kHeaders, kEnd | kWhole, 1, indexed(2) + field(":path", "/known", 0x40))),
      server(kServerStart + answers(1, "x")), client(frame(kHeaders, kEnd | kWhole, 3, indexed(2) + indexed(62))),
      server(answers(3, "yy"))},
     {"GET /known {" + kVersion + "} -> 200 body=1", "GET /known {" + kVersion + "} -> 200 body=2"}},
    {"fields that are kept, and secrets that are not",
     {client(kStart + frame(kHeaders, kEnd | kWhole, 1,
                            get("/a") + field("traceparent", "00-1-2-01") + field("authorization", "Bearer secret"))),
      server(kServerStart + frame(kHeaders, kEnd | kWhole, 1, indexed(9) + field("x-request-id", "r1")))},
     {"GET /a @h {http.request.header.traceparent=00-1-2-01, http.request.header.authorization=Bearer, " + kVersion +
      "} -> 204 {http.response.header.x-request-id=r1}"}},
    {"a refused stream is answered by its reset",
     {client(kStart + asks(1, "/a")), server(kServerStart + frame(kReset, 0, 1, raw("\0\0\0\7")))},
     {"GET /a @h {" + kVersion + "} -> REFUSED_STREAM"}},
    {"a request that its client cancels is incomplete",
     {client(kStart + asks(1, "/a")), server(kServerStart + frame(kHeaders, kWhole, 1, indexed(8)) + frame(kData, 0, 1, "abc")),
      client(frame(kReset, 0, 1, raw("\0\0\0\x08")))},
     {"GET /a @h {" + kVersion + "} -> 200 CANCEL body=3 cut"}},
    {"an early answer, and the server does not want the rest",
     {client(kStart + frame(kHeaders, kWhole, 1, post("/up")) + frame(kData, 0, 1, "12345")),
      server(kServerStart + frame(kHeaders, kEnd | kWhole, 1, indexed(12)) + frame(kReset, 0, 1, raw("\0\0\0\0")))},
     {"POST /up @h {" + kVersion + "} ... -> 400"}},
    {"pushed streams keep the table right and are passed over",
     {client(kStart + asks(1, "/a")),
      server(kServerStart + frame(kPush, kWhole, 1, raw("\0\0\0\2") + indexed(2) + field("x-request-id", "r2", 0x40)) +
             frame(kHeaders, kEnd | kWhole, 2, indexed(8)) + frame(kHeaders, kEnd | kWhole, 1, indexed(8) + indexed(62)))},
     {"GET /a @h {" + kVersion + "} -> 200 {http.response.header.x-request-id=r2}"}},
    {"unknown frames are ignored",
     {client(kStart + frame(0xfa, 0, 7, "grease") + asks(1, "/a")), server(kServerStart + answers(1, "x"))},
     {"GET /a @h {" + kVersion + "} -> 200 body=1"}},
    {"a connection closed in the middle of a body",
     {client(kStart + asks(1, "/a")), server(kServerStart + frame(kHeaders, kWhole, 1, indexed(8)) + frame(kData, 0, 1, "abc"))},
     {"GET /a @h {" + kVersion + "} -> 200 body=3 cut"},
     Closes::by_server},
    {"gRPC: one message each way, the status in trailers",
     {client(kStart + frame(kHeaders, kWhole, 1, kGrpc) + frame(kData, kEnd, 1, raw("\0\0\0\0\2hi"))),
      server(kServerStart + kGrpcOk + frame(kData, 0, 1, raw("\0\0\0\0\2ho")) +
             frame(kHeaders, kEnd | kWhole, 1, field("grpc-status", "0")))},
     {kGrpcLine + " [7] -> 200 {http.response.header.content-type=application/grpc+proto} body=7 {rpc.grpc.status_code=0}"}},
    {"gRPC: an error without a message",
     {client(kStart + frame(kHeaders, kWhole, 1, kGrpc) + frame(kData, kEnd, 1, raw("\0\0\0\0\2hi"))),
      server(kServerStart + frame(kHeaders, kEnd | kWhole, 1,
                                  indexed(8) + field("content-type", "application/grpc") + field("grpc-status", "14")))},
     {kGrpcLine + " [7] -> 200 {http.response.header.content-type=application/grpc} UNAVAILABLE {rpc.grpc.status_code=14}"}},
    {"gRPC: streams both ways, and the server ends first",
     {client(kStart + frame(kHeaders, kWhole, 1, kGrpc) + frame(kData, 0, 1, raw("\0\0\0\0\1a"))), server(kServerStart + kGrpcOk),
      server(frame(kData, 0, 1, raw("\0\0\0\0\1A"))), client(frame(kData, 0, 1, raw("\0\0\0\0\1b"))),
      server(frame(kData, 0, 1, raw("\0\0\0\0\1B")) + frame(kHeaders, kEnd | kWhole, 1, field("grpc-status", "0"))),
      client(frame(kReset, 0, 1, raw("\0\0\0\x08")))},
     {kGrpcLine + " ... -> 200 {http.response.header.content-type=application/grpc+proto} body=12 {rpc.grpc.status_code=0}"}},
    {"attached in mid-connection: new streams are known, their old names are not",
     {client(frame(kHeaders, kEnd | kWhole, 21, indexed(2) + indexed(62) + field("traceparent", "00-1-2-01", 0x40))),
      server(answers(19, "old") + answers(21, "new")),
      client(frame(kHeaders, kEnd | kWhole, 23, indexed(2) + indexed(62) + indexed(63))), server(answers(23, "x"))},
     {"GET {http.request.header.traceparent=00-1-2-01, " + kVersion + "} -> 200 body=3",
      "GET {http.request.header.traceparent=00-1-2-01, " + kVersion + "} -> 200 body=1"}},
    {"not HTTP/2", {client("PRI * HTTP/1.1\r\n\r\n")}, {"not mine"}},
    {"not HTTP/2 either", {server("220 mail ESMTP ready\r\n")}, {"not mine"}},
};

class Http2Cases : public ::testing::TestWithParam<Case> {};

TEST_P(Http2Cases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), http2::make, probe);
}
INSTANTIATE_TEST_SUITE_P(Http2, Http2Cases, ::testing::ValuesIn(kCases));

const Case kUpgrades[] = {
    {"Upgrade: h2c: the request is stream 1",
     {client("GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
             "AAMAAABk\r\n\r\n"),
      server("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + kServerStart +
             answers(1, "hello")),
      client(kStart + asks(3, "/b")), server(answers(3, "b"))},
     {"GET /a @h -> 200 body=5", "GET /b @h {" + kVersion + "} -> 200 body=1"},
     Closes::no,
     false},
};

TEST(Http2, AnUpgradedConnectionGoesOnWithTheRequestThatUpgradedIt) {
    run_case(kUpgrades[0], http1::make, [](int) { return std::vector<Step>{}; });
}

class Talk {
public:
    void give(Direction direction, const std::string& bytes, bool ends_call = true) {
        parser_->parse({direction, at(direction), std::as_bytes(std::span(bytes)), ends_call}, seen);
        at(direction) += bytes.size();
    }
    void gap(Direction direction, std::uint64_t length) {
        parser_->gap(direction, at(direction), at(direction) + length, seen);
        at(direction) += length;
    }
    std::uint64_t& at(Direction direction) { return at_[direction == Direction::request ? 0 : 1]; }
    Recorder seen;

private:
    std::unique_ptr<Parser> parser_ = http2::make();
    std::uint64_t at_[2] = {};
};

TEST(Http2, ABodyOf64MbWhoseFramesWereNotCapturedEndsByItsLength) {
    Talk talk;
    talk.give(Direction::request, kStart + asks(1, "/big"));
    constexpr std::uint64_t kBody = 64 << 20;
    talk.give(Direction::response, kServerStart + frame(kHeaders, kWhole, 1, indexed(8) + field("content-length", "67108864")));
    const std::string first = frame(kData, 0, 1, std::string(16384, 'x'));
    talk.give(Direction::response, first.substr(0, 4096), false);
    // All of it in calls of 64 KiB, of which 4,096 bytes and 64 are seen.
    std::uint64_t left = kBody + kBody / 16384 * 9 - 4096;
    while (left > 65536) {
        talk.gap(Direction::response, 65536 - 4160);
        talk.give(Direction::response, std::string(64, 'y'));
        talk.give(Direction::response, std::string(4096, 'z'), false);
        left -= 65536;
    }
    EXPECT_FALSE(talk.seen.exchanges[0].response_over);
    talk.gap(Direction::response, left - 64);
    talk.give(Direction::response, std::string(64, 'y'));
    ASSERT_TRUE(talk.seen.exchanges[0].response_over);
    EXPECT_TRUE(talk.seen.exchanges[0].response_end.complete);
    EXPECT_EQ(talk.seen.exchanges[0].response_end.body_bytes, kBody);
    talk.give(Direction::request, asks(3, "/next"));
    talk.give(Direction::response, answers(3, "x"));
    EXPECT_TRUE(talk.seen.exchanges[1].response_end.complete);
}

TEST(Http2, TrailersBehindAGapEndTheirStream) {
    Talk talk;
    talk.give(Direction::request, kStart + frame(kHeaders, kEnd | kWhole, 1, kGrpc));
    talk.give(Direction::response, kServerStart + kGrpcOk + frame(kData, 0, 1, std::string(9000, 'x')).substr(0, 1000), false);
    talk.gap(Direction::response, 30000);
    talk.give(Direction::response, std::string(20, 'x') + frame(kHeaders, kEnd | kWhole, 1, field("grpc-status", "0")));
    ASSERT_TRUE(talk.seen.exchanges[0].response_over);
    EXPECT_TRUE(talk.seen.exchanges[0].response_end.complete);
    EXPECT_EQ(talk.seen.exchanges[0].response_end.end, talk.at(Direction::response));
}

TEST(Http2, AThousandStreamsAtOnceKeepTheirOwnBytes) {
    Talk talk;
    std::string requests;
    std::string responses;
    for (std::uint32_t index = 0; index < 1000; ++index) {
        requests += asks(2 * index + 1, "/" + std::to_string(index));
        responses = answers(2 * index + 1, std::string(index % 50, 'x')) + responses;
    }
    talk.give(Direction::request, kStart + requests);
    talk.give(Direction::response, kServerStart + responses);
    ASSERT_EQ(talk.seen.exchanges.size(), 1000U);
    for (std::size_t index = 0; index < 1000; ++index) {
        const Recorder::Seen& seen = talk.seen.exchanges[index];
        EXPECT_EQ(seen.request.target, "/" + std::to_string(index));
        EXPECT_EQ(seen.response_end.body_bytes, index % 50);
        EXPECT_EQ(seen.response_end.bytes, 10 + 9 + index % 50);
        EXPECT_FALSE(seen.response.answers_in_order);
    }
    EXPECT_TRUE(talk.seen.faults.empty());
}

TEST(Http2, ABlockThatStandsForMuchIsReadInBounds) {
    Talk talk;
    // 4,000 times the same entry of 4,000 bytes.
    const std::string big = std::string("\x40") + "\1x" + raw("\x7f\xa1\x1e") + std::string(4000, 'v');
    std::string block = indexed(2) + field(":path", "/bomb") + big;
    block.append(4000, static_cast<char>(0x80 | 62));
    talk.give(Direction::request, kStart + frame(kHeaders, kEnd | kWhole, 1, block));
    ASSERT_EQ(talk.seen.exchanges.size(), 1U);
    EXPECT_EQ(talk.seen.exchanges[0].request.target, "/bomb");
}

}  // namespace
}  // namespace timesink::proto::test
