#include "proto/http1/http1.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

const std::vector<Step> kProbe = {client("GET /probe HTTP/1.1\r\n\r\n"), server("HTTP/1.1 204 No Content\r\n\r\n")};

const std::string kGet = "GET /a HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const std::string kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

const Case kCases[] = {
    {"a request and its response",
     {client(kGet), server(kHello)},
     {"GET /a @shop.test -> 200 {http.response.header.content-length=5} body=5"}},
    {"keep-alive: one after the other",
     {client("GET /a HTTP/1.1\r\n\r\n"), server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
      client("GET /b HTTP/1.1\r\n\r\n"), server("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")},
     {"GET /a -> 200 {http.response.header.content-length=0}", "GET /b -> 404 {http.response.header.content-length=0}"}},
    {"a second request may arrive before the first response",
     {client("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
      server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n22")},
     {"GET /a -> 200 {http.response.header.content-length=1} body=1",
      "GET /b -> 201 {http.response.header.content-length=2} body=2"}},
    {"a HEAD response has no body although it announces one",
     {client("HEAD /a HTTP/1.1\r\n\r\n"), server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
      client("GET /b HTTP/1.1\r\n\r\n"), server("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")},
     {"HEAD /a -> 200 {http.response.header.content-length=5}", "GET /b -> 304 {http.response.header.content-length=7}"}},
    {"a 204 has no body although it is chunked",
     {client("GET /a HTTP/1.1\r\n\r\n"), server("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n")},
     {"GET /a -> 204 {http.response.header.transfer-encoding=chunked}"}},
    {"chunks with extensions and trailers",
     {client("GET /a HTTP/1.1\r\n\r\n"),
      server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;name=\"v\"\r\nhello\r\n1F "
             "\r\n0123456789012345678901234567890\r\n0;last\r\n"
             "X-Sum: 1\r\nX-Other: 2\r\n\r\n")},
     {"GET /a -> 200 {http.response.header.transfer-encoding=chunked} body=36"}},
    {"a chunked request streamed in several calls",
     {client("POST /up HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), client("3\r\nabc\r\n"), client("2\r\nde\r\n"),
      client("0\r\n\r\n"), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
     {"POST /up {http.request.header.transfer-encoding=gzip, chunked} [5] -> 200 {http.response.header.content-length=0}"}},
    {"Expect: 100-continue and other interim responses answer nothing",
     {client("POST /up HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"), server("HTTP/1.1 100 Continue\r\n\r\n"),
      client("data"), server("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
     {"POST /up {http.request.header.content-length=4} [4] -> 200 {http.response.header.content-length=2} body=2"}},
    {"an early response, before the request is over",
     {client("POST /up HTTP/1.1\r\nContent-Length: 8\r\n\r\n1234"), server("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
      client("5678")},
     {"POST /up {http.request.header.content-length=8} [8] -> 413 {http.response.header.content-length=0}"}},
    {"a response that lasts until the connection closes",
     {client("GET /a HTTP/1.0\r\n\r\n"), server("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhel"), server("lo")},
     {"GET /a -> 200 {http.response.header.content-type=text/plain} body=5"},
     Closes::by_server},
    {"a response cut off by the close is incomplete",
     {client("GET /a HTTP/1.1\r\n\r\n"), server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")},
     {"GET /a -> 200 {http.response.header.content-length=10} body=5 cut"},
     Closes::by_server},
    {"an upgrade ends the protocol",
     {client("GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: Other/1\r\n\r\n"),
      server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: Other/1\r\n\r\n\x81\x05hello")},
     {"GET /chat -> 101", "=> other"}},
    {"a tunnel",
     {client("CONNECT db.test:5432 HTTP/1.1\r\n\r\n"), server("HTTP/1.1 200 Connected\r\n\r\n")},
     {"CONNECT db.test:5432 @db.test:5432 -> 200", "=> tunnel"}},
    {"a refused tunnel is an ordinary exchange",
     {client("CONNECT db.test:5432 HTTP/1.1\r\n\r\n"), server("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")},
     {"CONNECT db.test:5432 @db.test:5432 -> 403 {http.response.header.content-length=2} body=2"}},
    {"names are case-insensitive, a folded line goes on, lines may end in LF alone",
     {client("GET /a HTTP/1.1\nHOST: h\nTRACEparent:\n  00-1-2-01\nUser-Agent: x\n\n"),
      server("HTTP/1.1 200\nCONTENT-length:\t2 \nX-Request-ID: r1\n\nok")},
     {"GET /a @h {http.request.header.traceparent=00-1-2-01} -> 200 {http.response.header.content-length=2, "
      "http.response.header.x-request-id=r1} body=2"}},
    {"empty lines ahead of a request line are ignored",
     {client("\r\n\r\nGET /a HTTP/1.1\r\n\r\n"), server("HTTP/1.1 204 No Content\r\n\r\n")},
     {"GET /a -> 204"}},
    {"the absolute form: the authority is not the path's",
     {client("GET http://api.test:81/v1/x?y=1 HTTP/1.1\r\nHost: proxy\r\n\r\n"), server("HTTP/1.1 204 No Content\r\n\r\n")},
     {"GET /v1/x?y=1 @api.test:81 -> 204"}},
    {"of an authorization only the scheme is kept",
     {client("PUT /b/k HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=secret\r\nContent-Length: 0\r\n\r\n"),
      server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
     {"PUT /b/k {http.request.header.authorization=AWS4-HMAC-SHA256, http.request.header.content-length=0} -> 200 "
      "{http.response.header.content-length=0}"}},
    {"of a signature the scheme, and the service that it is for",
     {client("PUT /b/k HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=secret/20261121/r/s3/aws4_request, "
             "Signature=secret\r\nContent-Length: 0\r\n\r\n"),
      server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
     {"PUT /b/k {http.request.header.authorization=AWS4-HMAC-SHA256, aws.signed.service=s3, "
      "http.request.header.content-length=0} "
      "-> 200 {http.response.header.content-length=0}"}},
    {"smuggling: Transfer-Encoding overrides Content-Length",
     {client("POST /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\n0\r\n\r\n"),
      server("HTTP/1.1 204 No Content\r\n\r\n")},
     {"POST /a {http.request.header.content-length=4, http.request.header.transfer-encoding=chunked} [1] -> 204"}},
    {"a length repeated alike is one length",
     {client("POST /a HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2, 2\r\n\r\nhi"),
      server("HTTP/1.1 204 No Content\r\n\r\n")},
     {"POST /a {http.request.header.content-length=2, http.request.header.content-length=2, 2} [2] -> 204"}},
    {"smuggling: conflicting lengths are not followed",
     {client("POST /a HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\nhi"),
      server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")},
     {"POST /a {http.request.header.content-length=2, http.request.header.content-length=40} ... -> 400 "
      "{http.response.header.content-length=0}"}},
    {"a negative length is not followed",
     {client("POST /a HTTP/1.1\r\nContent-Length: -5\r\n\r\nhi"),
      server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")},
     {"POST /a {http.request.header.content-length=-5} ... -> 400 {http.response.header.content-length=0}"}},
    {"a length of 2^63 is not followed",
     {client("POST /a HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\nhi"),
      server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")},
     {"POST /a {http.request.header.content-length=9223372036854775808} ... -> 400 {http.response.header.content-length=0}"}},
    {"a chunk of 2^64 bytes is not followed",
     {client("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nhi"),
      server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")},
     {"POST /a {http.request.header.transfer-encoding=chunked} ... -> 400 {http.response.header.content-length=0}"}},
    {"smuggling: a coding that is not chunked at the end has no length",
     {client("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
      server("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")},
     {"POST /a {http.request.header.transfer-encoding=chunked, identity} ... -> 501 {http.response.header.content-length=0}"}},
    {"a response to a request older than the attach is nobody's",
     {server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), client(kGet), server(kHello)},
     {"GET /a @shop.test -> 200 {http.response.header.content-length=5} body=5",
      "nobody -> 200 {http.response.header.content-length=2} body=2"}},
    {"what is not HTTP/1 is left to others", {client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}, {"not mine"}},
};

class Http1Cases : public ::testing::TestWithParam<Case> {};
TEST_P(Http1Cases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), http1::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Http1, Http1Cases, ::testing::ValuesIn(kCases));

TEST(Http1, AThousandPipelinedRequestsAreAnsweredInOrder) {
    std::string requests;
    std::string responses;
    for (int i = 0; i < 1000; ++i) {
        requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n";
        responses += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(i) + "\r\n\r\n" +
                     std::string(static_cast<std::size_t>(i), 'x');
    }
    const Recorder seen = run_at_once({client(requests), server(responses)}, http1::make);
    ASSERT_EQ(seen.exchanges.size(), 1000U);
    for (std::size_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(seen.exchanges[i].request.target, "/" + std::to_string(i));
        EXPECT_EQ(seen.exchanges[i].response_end.body_bytes, i);
    }
}

TEST(Http1, ABodyOf64MbIsSkippedByItsLength) {
    const auto parser = http1::make();
    Recorder seen;
    const std::string get = "GET /big HTTP/1.1\r\n\r\n";
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n";
    const std::string next = "HTTP/1.1 204 No Content\r\n\r\n";
    const auto give = [&](Direction direction, std::uint64_t position, const std::string& bytes) {
        parser->parse({direction, position, std::as_bytes(std::span(bytes)), true}, seen);
    };
    give(Direction::request, 0, get + get);
    give(Direction::response, 0, head);
    parser->gap(Direction::response, head.size(), head.size() + 67108864, seen);
    give(Direction::response, head.size() + 67108864, next);
    EXPECT_EQ(seen.losses, 0);
    ASSERT_EQ(seen.exchanges.size(), 2U);
    EXPECT_EQ(seen.exchanges[0].response_end.body_bytes, 67108864U);
    EXPECT_EQ(seen.exchanges[1].response.status, 204);
}

TEST(Http1, TheEndOfAChunkedBodyIsSeenBehindAGapAtTheEndOfACall) {
    const auto parser = http1::make();
    Recorder seen;
    const auto give = [&](Direction direction, std::uint64_t position, const std::string& bytes, bool ends_call) {
        parser->parse({direction, position, std::as_bytes(std::span(bytes)), ends_call}, seen);
    };
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc";
    give(Direction::request, 0, "GET /s HTTP/1.1\r\n\r\n", true);
    give(Direction::response, 0, head, false);
    parser->gap(Direction::response, head.size(), 5000, seen);
    give(Direction::response, 5000, "xyz\r\n", true);
    EXPECT_FALSE(seen.exchanges[0].response_over);
    give(Direction::response, 5005, "1\r\nz\r\n0\r\n\r\n", true);
    ASSERT_TRUE(seen.exchanges[0].response_over);
    EXPECT_TRUE(seen.exchanges[0].response_end.complete);
    EXPECT_EQ(seen.exchanges[0].response_end.end, 5016U);
}

TEST(Http1, ATargetBeyondTheCaptureIsTruncated) {
    const auto parser = http1::make();
    Recorder seen;
    const std::string line = "GET /" + std::string(20000, 'x') + " HTTP/1.1\r\n\r\n";
    parser->parse({Direction::request, 0, std::as_bytes(std::span(line)), true}, seen);
    ASSERT_EQ(seen.exchanges.size(), 1U);
    EXPECT_TRUE(seen.exchanges[0].request.target_truncated);
    EXPECT_EQ(seen.exchanges[0].request_end.end, line.size());
}

}  // namespace
}  // namespace timesink::proto::test
