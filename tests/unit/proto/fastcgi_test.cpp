#include "proto/fastcgi/fastcgi.hpp"

#include <gmock/gmock.h>

#include <utility>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string record(int type, const std::string& content, int padding = 0, int id = 1) {
    std::string out{'\1', static_cast<char>(type), '\0', static_cast<char>(id)};
    out += static_cast<char>(content.size() >> 8);
    out += static_cast<char>(content.size());
    out += static_cast<char>(padding);
    out += '\0';
    out += content;
    return out.append(static_cast<std::size_t>(padding), 'p');
}
std::string length(std::size_t value) {
    return value < 128
               ? std::string(1, static_cast<char>(value))
               : std::string{'\x80', static_cast<char>(value >> 16), static_cast<char>(value >> 8), static_cast<char>(value)};
}
using Pairs = std::vector<std::pair<std::string, std::string>>;
std::string params(const Pairs& pairs) {
    std::string out;
    for (const auto& [name, value] : pairs) {
        out += length(name.size()) + length(value.size());
        out += name;
        out += value;
    }
    return record(4, out, static_cast<int>(7 - (out.size() + 7) % 8));
}
const std::string kBegin = record(1, raw("\0\1\0\0\0\0\0\0"));
const std::string kBeginKept = record(1, raw("\0\1\1\0\0\0\0\0"));
const std::string kEnd = record(3, raw("\0\0\0\0\0\0\0\0"));
std::string ask(const Pairs& pairs, const std::string& body = "") {
    return kBegin + params(pairs) + record(4, "") + (body.empty() ? "" : record(5, body)) + record(5, "");
}
std::string get(const std::string& uri) {
    return ask({{"SCRIPT_FILENAME", "/srv/index.php"},
                {"QUERY_STRING", ""},
                {"REQUEST_METHOD", "GET"},
                {"REQUEST_URI", uri},
                {"HTTP_HOST", "shop"}});
}
std::string page(const std::string& body) {
    return record(6, "Content-type: text/html\r\n\r\n" + body, 3);
}
const std::vector<Step> kProbe = {client(get("/probe")), server(page("x") + kEnd)};
const std::string kHtml = "{http.response.header.content-type=text/html}";

const Case kCases[] = {
    {"a page",
     {client(get("/orders/7?a=b")), server(page("hello") + kEnd)},
     {"GET /orders/7?a=b @shop -> 200 " + kHtml + " body=32"}},
    {"a body, a long field, an id that is handed on",
     {client(ask({{"REQUEST_METHOD", "POST"},
                  {"REQUEST_URI", "/pay"},
                  {"HTTP_COOKIE", std::string(300, 'c')},
                  {"HTTP_X_REQUEST_ID", "r-1"}},
                 "amount=3")),
      server(page("") + kEnd)},
     {"POST /pay {http.request.header.x-request-id=r-1} [8] -> 200 " + kHtml + " body=27"}},
    {"a status of its own, and what the script complained of",
     {client(get("/nothing")), server(record(7, "PHP Notice: no") + record(6, "Status: 404 Not Found\r\n\r\n") + kEnd)},
     {"GET /nothing @shop -> 404 body=25"}},
    {"moved", {client(get("/old")), server(record(6, "Location: /new\r\n\r\n") + kEnd)}, {"GET /old @shop -> 302 body=18"}},
    {"a connection that is kept, and an answer in pieces",
     {client(kBeginKept + params({{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/a"}}) + record(4, "") + record(5, "")),
      server(page("1")), server(record(6, "2")), server(record(6, "") + kEnd), client(get("/b")), server(page("3") + kEnd)},
     {"GET /a -> 200 " + kHtml + " body=29", "GET /b @shop -> 200 " + kHtml + " body=28"}},
    {"without a URI the script's name has to do",
     {client(ask({{"REQUEST_METHOD", "GET"}, {"PATH_INFO", "/7"}, {"SCRIPT_NAME", "/index.php"}})), server(page("") + kEnd)},
     {"GET /index.php/7 -> 200 " + kHtml + " body=27"}},
    {"the server has too much to do",
     {client(get("/a")), server(record(3, raw("\0\0\0\0\2\0\0\0")))},
     {"GET /a @shop -> overloaded"}},
    {"not FastCGI", {client("GET / HTTP/1.1\r\n\r\n")}, {"not mine"}},
};

class FastCgiCases : public ::testing::TestWithParam<Case> {};
TEST_P(FastCgiCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), fastcgi::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(FastCgi, FastCgiCases, ::testing::ValuesIn(kCases));

/// A length that reaches beyond its record is a lie.
TEST(FastCgi, PairsThatAreCutOffSayNothing) {
    const std::string lie = record(4, raw("\x0e\x7fREQUEST_METHODGET"));
    const Recorder seen =
        run_at_once({client(kBegin + lie + record(4, "") + record(5, "")), server(page("") + kEnd)}, fastcgi::make);
    ASSERT_EQ(seen.exchanges.size(), 1U);
    EXPECT_EQ(seen.exchanges[0].request.operation, "");
    EXPECT_EQ(seen.exchanges[0].response.status, 200);
}

}  // namespace
}  // namespace timesink::proto::test
