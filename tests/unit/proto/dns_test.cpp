#include "proto/dns/dns.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string number(unsigned value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string name(const std::string& dotted) {
    std::string out;
    for (std::size_t at = 0; at < dotted.size();) {
        const std::size_t end = std::min(dotted.find('.', at), dotted.size());
        out += static_cast<char>(end - at) + dotted.substr(at, end - at);
        at = end + 1;
    }
    return out + '\0';
}

constexpr unsigned kA = 1;
constexpr unsigned kAaaa = 28;

std::string question(const std::string& host, unsigned type) {
    return name(host) + number(type) + number(1);
}
std::string asks(unsigned id, const std::string& host, unsigned type = kA) {
    return number(id) + raw("\1\0") + number(1) + number(0) + number(0) + number(0) + question(host, type);
}
/// With EDNS, as resolvers of today ask.
std::string asks_with_options(unsigned id, const std::string& host, unsigned type = kA) {
    return number(id) + raw("\1\x20") + number(1) + number(0) + number(0) + number(1) + question(host, type) +
           raw("\0\0\x29\4\xd0\0\0\0\0\0\x0c\0\x0a\0\x08") + "cookie!!";
}
/// `data`: of each of its records.
std::string tells(unsigned id, const std::string& host, unsigned type, const std::vector<std::string>& data, unsigned rcode = 0,
                  unsigned flags = 0x8180) {
    std::string out = number(id) + number(flags | rcode) + number(1) + number(static_cast<unsigned>(data.size())) + number(0) +
                      number(0) + question(host, type);
    for (const std::string& one : data) {
        out += raw("\xc0\x0c") + number(type) + number(1) + raw("\0\0\0\x3c") + number(static_cast<unsigned>(one.size())) + one;
    }
    return out;
}
const std::string kV4 = raw("\x7f\0\0\1");
const std::string kV6 = std::string(15, '\0') + '\1';

std::vector<Step> probe(int round) {
    const unsigned id = 900 + static_cast<unsigned>(round);
    return {client(asks(id, "probe")), server(tells(id, "probe", kA, {kV4}))};
}

const Case kCases[] = {
    {"an address",
     {client(asks(1, "api.example")), server(tells(1, "api.example", kA, {kV4, kV4}))},
     {"A api.example -> rows=2"}},
    {"names are told in one way",
     {client(asks(1, "API.Example")), server(tells(1, "API.Example", kA, {kV4}))},
     {"A api.example -> rows=1"}},
    {"both families in one call, answered the other way round",
     {client(asks(1, "db.local") + asks(2, "db.local", kAaaa)), server(tells(2, "db.local", kAaaa, {})),
      server(tells(1, "db.local", kA, {kV4}))},
     {"A db.local -> rows=1", "AAAA db.local ->"}},
    {"options are no question", {client(asks_with_options(7, "a.b")), server(tells(7, "a.b", kA, {kV4}))}, {"A a.b -> rows=1"}},
    {"there is no such name", {client(asks(1, "nowhere")), server(tells(1, "nowhere", kA, {}, 3))}, {"A nowhere -> NXDOMAIN"}},
    {"the server could not find out", {client(asks(1, "a")), server(tells(1, "a", kA, {}, 2))}, {"A a -> SERVFAIL"}},
    {"an answer that repeats no question",
     {client(asks(1, "a")), server(number(1) + number(0x8001) + std::string(8, '\0'))},
     {"A a -> FORMERR"}},
    {"asked again, answered once",
     {client(asks(1, "slow")), client(asks(1, "slow")), server(tells(1, "slow", kA, {kV4}))},
     {"A slow -> {dns.asked_again=1} rows=1"},
     Closes::no,
     true,
     asks(1, "slow").size()},
    {"answered twice",  // were the first in a gap, the second would be the answer
     {client(asks(1, "a")), server(tells(1, "a", kA, {kV4})), server(tells(1, "a", kA, {kV4}))},
     {"A a -> rows=1"},
     Closes::no,
     true,
     asks(1, "a").size() + 2 * tells(1, "a", kA, {kV4}).size()},
    {"too long for a datagram",
     {client(asks(1, "long")), server(tells(1, "long", kA, {}, 0, 0x8380))},
     {"A long -> {dns.truncated=true}"}},
    {"the answer to another question is none",
     {client(asks(1, "a")), server(tells(1, "b", kA, {kV4})), server(tells(1, "a", kA, {kV4}))},
     {"A a -> rows=1"}},
    {"a number that is used again",
     {client(asks(1, "a")), client(asks(1, "b")), server(tells(1, "b", kA, {kV4}))},
     {"A a -> lost cut", "A b -> rows=1"}},
    {"attached before an answer",
     {server(tells(5, "a", kA, {kV4})), client(asks(1, "b")), server(tells(1, "b", kA, {kV4}))},
     {"A b -> rows=1"}},
    {"records with names of their own",
     {client(asks(1, "a.b", kAaaa)), server(tells(1, "a.b", kAaaa, {kV6, kV6, kV6}))},
     {"AAAA a.b -> rows=3"}},
    {"a name that is none",
     {client(number(1) + raw("\1\0") + number(1) + std::string(6, '\0') + raw("\3a\1b\0") + number(kA) + number(1))},
     {"not mine"}},
    {"not of DNS", {client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, {"not mine"}},
};

class Dns : public ::testing::TestWithParam<Case> {};
TEST_P(Dns, IsReadInEveryWay) {
    run_case(GetParam(), dns::make, probe);
}
INSTANTIATE_TEST_SUITE_P(Cases, Dns, ::testing::ValuesIn(kCases));

}  // namespace
}  // namespace timesink::proto::test
