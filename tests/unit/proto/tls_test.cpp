#include "proto/tls/tls.hpp"

#include <gmock/gmock.h>

#include "proto/tls/record.hpp"
#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string number(std::size_t value, int bytes) {
    std::string text;
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        text += static_cast<char>(value >> shift & 0xff);
    }
    return text;
}
std::string record(int type, const std::string& body, int minor = 3) {
    return std::string(1, static_cast<char>(type)) + '\3' + static_cast<char>(minor) + number(body.size(), 2) + body;
}
std::string data(std::size_t length) {
    return record(23, std::string(length, '\xc5'));
}
std::string extension(int type, const std::string& body) {
    return number(static_cast<std::size_t>(type), 2) + number(body.size(), 2) + body;
}
std::string hello(int type, const std::string& rest, const std::string& extensions) {
    const std::string body = "\3\3" + std::string(32, 'r') + rest + number(extensions.size(), 2) + extensions;
    return record(22, std::string(1, static_cast<char>(type)) + number(body.size(), 3) + body, type == 1 ? 1 : 3);
}
std::string client_hello() {
    const std::string name = "api.example";
    return hello(1, raw("\0\0\2\x13\1\1\0"),
                 extension(0, number(name.size() + 3, 2) + '\0' + number(name.size(), 2) + name) +
                     extension(16, number(12, 2) + "\x2h2\x8http/1.1") + extension(43, "\2\3\4"));
}
std::string server_hello(bool modern) {
    return hello(2, modern ? raw("\0\x13\1\0") : raw("\0\xc0\x2f\0"), modern ? extension(43, "\3\4") : "");
}
const std::string kChange = record(20, "\1");

const std::vector<Step> kProbe = {client(data(50)), server(data(60))};
const std::vector<Step> kModern = {client(client_hello()), server(server_hello(true) + kChange + data(900)),
                                   client(kChange + data(53))};
const std::vector<Step> kOlder = {client(client_hello()), server(server_hello(false) + record(22, std::string(900, '\x0b'))),
                                  client(record(22, std::string(70, '\x10')) + kChange + record(22, std::string(40, 'f'))),
                                  server(kChange + record(22, std::string(40, 'f')))};

std::vector<Step> after(std::vector<Step> steps, const std::vector<Step>& more) {
    steps.insert(steps.end(), more.begin(), more.end());
    return steps;
}
std::size_t bytes_of(const std::vector<Step>& steps) {
    std::size_t bytes = 0;
    for (const Step& step : steps) {
        bytes += step.bytes.size();
    }
    return bytes;
}
const std::string kHandshake13 = "handshake @api.example (housekeeping) {tls.next_protocol=h2} -> {tls.protocol.version=1.3}";
const std::string kHandshake12 = "handshake @api.example (housekeeping) {tls.next_protocol=h2} -> {tls.protocol.version=1.2}";
const std::string kTurn13 = " tls, not decoded @api.example {tls.protocol.version=1.3, tls.next_protocol=h2}";
const std::string kTurn12 = " tls, not decoded @api.example {tls.protocol.version=1.2, tls.next_protocol=h2}";

const Case kCases[] = {
    {"1.3: the flight that looks like data is none",
     after(kModern, {client(data(100)), server(data(400) + data(500))}),
     {kHandshake13, kTurn13 + " [105] -> body=910"},
     Closes::by_server,
     true,
     bytes_of(kModern)},
    {"1.3: the request comes with the Finished",
     {client(client_hello()), server(server_hello(true) + kChange + data(900)), client(kChange + data(53) + data(100)),
      server(data(400)), client(data(30)), server(data(40))},
     {kHandshake13, kTurn13 + " [105] -> body=405", kTurn13 + " [35] -> ..."},
     Closes::no,
     false,
     bytes_of(kModern)},
    {"1.3: a certificate of the client's comes before its Finished",
     {client(client_hello()), server(server_hello(true) + kChange + data(900)),
      client(kChange + data(700) + data(200) + data(53)), client(data(100)), server(data(400))},
     {kHandshake13, kTurn13 + " [105] -> body=405"},
     Closes::by_server,
     true,
     bytes_of(kModern) + 910},
    {"1.3: an alert asks nothing",
     after(kModern, {client(data(100)), server(data(400)), client(data(19))}),
     {kHandshake13, kTurn13 + " [105] -> body=405"},
     Closes::by_server,
     false,
     bytes_of(kModern)},
    {"1.2",
     after(kOlder, {client(data(100)), server(data(400)), client(data(30)), server(data(40))}),
     {kHandshake12, kTurn12 + " [105] -> body=405", kTurn12 + " [35] -> ..."},
     Closes::no,
     false,
     bytes_of(kOlder)},
    {"attached in the middle",
     {server(data(30)), client(data(100)), server(data(400))},
     {" tls, not decoded [105] -> body=405"},
     Closes::by_server},
    {"not TLS", {client("GET / HTTP/1.1\r\n\r\n")}, {"not mine"}},
};

class TlsCases : public ::testing::TestWithParam<Case> {};
TEST_P(TlsCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), tls::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Tls, TlsCases, ::testing::ValuesIn(kCases));

Match detect(Direction direction, const std::string& bytes) {
    return tls::detect(direction, std::as_bytes(std::span(bytes)));
}

TEST(Tls, IsToldByItsHellosAndByRecordsThatFit) {
    EXPECT_EQ(detect(Direction::request, client_hello()), Match::yes);
    EXPECT_EQ(detect(Direction::request, client_hello().substr(0, 11)), Match::yes);
    EXPECT_EQ(detect(Direction::request, client_hello().substr(0, 3)), Match::maybe);
    EXPECT_EQ(detect(Direction::response, server_hello(true)), Match::yes);
    EXPECT_EQ(detect(Direction::response, client_hello()), Match::no);
    EXPECT_EQ(detect(Direction::request, data(40)), Match::yes);
    EXPECT_EQ(detect(Direction::request, data(40).substr(0, 30)), Match::maybe);
    EXPECT_EQ(detect(Direction::request, data(40) + data(9000).substr(0, 100)), Match::yes);
    EXPECT_EQ(detect(Direction::request, record(23, "x") + "rest of it"), Match::no);
    EXPECT_EQ(detect(Direction::request, "GET / HTTP/1.1\r\n"), Match::no);
}

TEST(Tls, NamesTheConnectionByTheClientsRandom) {
    Secured facts;
    const std::string bytes = client_hello();
    ASSERT_TRUE(tls::read_client_hello(std::string_view(bytes).substr(tls::kHeaderBytes), facts));
    EXPECT_TRUE(facts.random_known);
    EXPECT_THAT(facts.client_random, ::testing::Each(std::byte{'r'}));
    EXPECT_EQ(facts.server_name, "api.example");
    for (std::size_t cut = 0; cut + tls::kHeaderBytes < bytes.size(); ++cut) {
        Secured part;
        EXPECT_FALSE(tls::read_client_hello(std::string_view(bytes).substr(tls::kHeaderBytes, cut), part)) << cut;
    }
}

}  // namespace
}  // namespace timesink::proto::test
