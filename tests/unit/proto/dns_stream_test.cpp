#include <gmock/gmock.h>

#include "proto/dns/dns.hpp"
#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string number(std::size_t value) {
    return {static_cast<char>(value >> 8U), static_cast<char>(value)};
}
std::string framed(const std::string& message) {
    return number(message.size()) + message;
}
std::string question(const std::string& label) {
    return static_cast<char>(label.size()) + label + raw("\0\0\1\0\1");
}
std::string asks(unsigned id, const std::string& label) {
    return framed(number(id) + raw("\1\0\0\1\0\0\0\0\0\0") + question(label));
}
std::string tells(unsigned id, const std::string& label, unsigned rcode = 0) {
    return framed(number(id) + number(0x8180U | rcode) + number(1) + number(rcode == 0 ? 1 : 0) + raw("\0\0\0\0") +
                  question(label) + (rcode == 0 ? raw("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1") : ""));
}

std::vector<Step> probe(int round) {
    const unsigned id = 900 + static_cast<unsigned>(round);
    return {client(asks(id, "probe")), server(tells(id, "probe"))};
}

const Case kCases[] = {
    {"an address", {client(asks(1, "api")), server(tells(1, "api"))}, {"A api -> rows=1"}},
    {"two questions in one call, answered the other way round",
     {client(asks(1, "a") + asks(2, "b")), server(tells(2, "b") + tells(1, "a", 3))},
     {"A a -> NXDOMAIN", "A b -> rows=1"}},
    {"one after the other",
     {client(asks(1, "a")), server(tells(1, "a")), client(asks(2, "b")), server(tells(2, "b"))},
     {"A a -> rows=1", "A b -> rows=1"}},
    {"a length that is none", {client(raw("\0\3abc")), server("x")}, {"not mine"}},
    {"not of DNS", {client("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(20000, 'x'))}, {"not mine"}},
};

class DnsStream : public ::testing::TestWithParam<Case> {};
TEST_P(DnsStream, IsReadInEveryWay) {
    run_case(GetParam(), dns::make_stream, probe);
}
INSTANTIATE_TEST_SUITE_P(Cases, DnsStream, ::testing::ValuesIn(kCases));

TEST(DnsStream, TheLengthAheadOfAMessageCountsAsItsOwn) {
    const std::string question = asks(1, "a"), answer = tells(1, "a");
    const Recorder told = run_at_once({client(question + asks(2, "b")), server(answer)}, dns::make_stream);
    ASSERT_EQ(told.exchanges.size(), 2U);
    EXPECT_EQ(told.exchanges[0].request.begin, 0U);
    EXPECT_EQ(told.exchanges[0].request_end.end, question.size());
    EXPECT_EQ(told.exchanges[0].response.begin, 0U);
    EXPECT_EQ(told.exchanges[0].response_end.end, answer.size());
    EXPECT_EQ(told.exchanges[1].request.begin, question.size());
}

TEST(DnsStream, IsKnownByItsFirstMessage) {
    const auto match = [](const std::string& bytes) {
        return dns::detect_stream(Direction::request, std::as_bytes(std::span(bytes)));
    };
    EXPECT_EQ(match(asks(1, "api")), Match::yes);
    EXPECT_EQ(match(asks(1, "api") + asks(2, "b")), Match::yes);
    EXPECT_EQ(match(asks(1, "api").substr(0, 2)), Match::maybe);
    EXPECT_EQ(match(asks(1, "api").substr(2)), Match::no) << "as over UDP";
    EXPECT_EQ(match(number(40) + asks(1, "api").substr(2) + std::string(20, 'x')), Match::no) << "longer than its message";
}

}  // namespace
}  // namespace timesink::proto::test
