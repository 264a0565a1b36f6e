#include "proto/memcached/memcached.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

const std::vector<Step> kProbe = {client("get probe\r\n"), server("VALUE probe 0 1\r\nx\r\nEND\r\n")};

std::string binary(bool request, int opcode, const std::string& extras, const std::string& key, const std::string& value,
                   int status = 0, int opaque = 0) {
    const std::size_t body = extras.size() + key.size() + value.size();
    std::string out = request ? "\x80" : "\x81";
    out += static_cast<char>(opcode);
    out += '\0';
    out += static_cast<char>(key.size());
    out += static_cast<char>(extras.size());
    out += '\0';
    out += '\0';
    out += static_cast<char>(status);
    out += raw("\0\0\0") + static_cast<char>(body) + raw("\0\0\0") + static_cast<char>(opaque) + std::string(8, '\0');
    return out + extras + key + value;
}
std::string asks(int opcode, const std::string& key, int opaque = 0, const std::string& extras = "",
                 const std::string& value = "") {
    return binary(true, opcode, extras, key, value, 0, opaque);
}
std::string answers(int opcode, const std::string& value, int opaque = 0, int status = 0, const std::string& key = "") {
    return binary(false, opcode, status == 0 && !value.empty() && key.empty() ? std::string(4, '\0') : "", key, value, status,
                  opaque);
}
const std::vector<Step> kBinaryProbe = {client(asks(0, "probe", 9)), server(answers(0, "x", 9))};

const Case kCases[] = {
    {"a value",
     {client("get user:7\r\n"), server("VALUE user:7 0 5\r\nhello\r\nEND\r\n")},
     {"get get {memcached.key=user:7} -> rows=1 body=5"}},
    {"a miss is no error", {client("get a\r\n"), server("END\r\n")}, {"get get {memcached.key=a} ->"}},
    {"many keys",
     {client("gets a b c\r\n"), server("VALUE a 0 1 7\r\nx\r\nVALUE c 1 2 8\r\nyy\r\nEND\r\n")},
     {"gets gets {memcached.key=a} -> rows=2 body=3"}},
    {"data that looks like an end",
     {client("get a\r\n"), server("VALUE a 0 5\r\nEND\r\n\r\nEND\r\n")},
     {"get get {memcached.key=a} -> rows=1 body=5"}},
    {"storing",
     {client("set a 0 60 5\r\nhello\r\n"), server("STORED\r\n"), client("cas a 0 60 1 9\r\nx\r\n"), server("EXISTS\r\n")},
     {"set set {memcached.key=a} [5] ->", "cas cas {memcached.key=a} [1] ->"}},
    {"nobody waits for a noreply",
     {client("set a 0 0 1 noreply\r\nx\r\nincr n 1\r\n"), server("6\r\n")},
     {"set set (one way) {memcached.key=a} [1]", "incr incr {memcached.key=n} ->"}},
    {"pipelined",
     {client("get a\r\nset b 0 0 1\r\nx\r\ndelete c\r\n"), server("END\r\nSTORED\r\nNOT_FOUND\r\n")},
     {"get get {memcached.key=a} ->", "set set {memcached.key=b} [1] ->", "delete delete {memcached.key=c} ->"},
     Closes::no,
     false},
    {"errors",
     {client("incr a 1\r\n"), server("CLIENT_ERROR cannot increment\r\n"), client("get b\r\n"), server("SERVER_ERROR busy\r\n")},
     {"incr incr {memcached.key=a} -> CLIENT_ERROR", "get get {memcached.key=b} -> SERVER_ERROR"}},
    {"statistics",
     {client("stats\r\n"), server("STAT pid 1\r\nSTAT uptime 2\r\nEND\r\n"), client("version\r\n"), server("VERSION 1.6.18\r\n")},
     {"stats stats (housekeeping) ->", "version version (housekeeping) ->"}},
    {"meta commands",
     {client("mg a v t\r\n"), server("VA 2 t60\r\nxx\r\n"), client("ms b 1 T0\r\nx\r\n"), server("HD\r\n"), client("md c\r\n"),
      server("NF\r\n")},
     {"mg mg {memcached.key=a} -> rows=1 body=2", "ms ms {memcached.key=b} [1] ->", "md md {memcached.key=c} ->"}},
    {"quiet meta commands, ended by a no-op",
     {client("mg a v q\r\nmg b v q\r\nmn\r\n"), server("VA 1\r\nx\r\nMN\r\n")},
     {"mg mg (one way) {memcached.key=a}", "mg mg (one way) {memcached.key=b}", "mn mn (housekeeping) ->"},
     Closes::no,
     false},
    {"attached before an answer",
     {server("STORED\r\n"), client("get a\r\n"), server("END\r\n")},
     {"get get {memcached.key=a} ->"}},
    {"not memcached", {client("GET / HTTP/1.1\r\n\r\n")}, {"not mine"}},
    {"not memcached either", {server("220 mail ESMTP\r\n")}, {"not mine"}},
};

const Case kBinaryCases[] = {
    {"a value",
     {client(asks(0, "user:7", 1)), server(answers(0, "hello", 1))},
     {"get get {memcached.key=user:7} -> rows=1 body=5"}},
    {"a miss is no error", {client(asks(0, "a")), server(answers(0, "Not found", 0, 1))}, {"get get {memcached.key=a} ->"}},
    {"storing",
     {client(asks(1, "a", 3, std::string(8, '\0'), "xyz")), server(answers(1, "", 3, 2))},
     {"set set {memcached.key=a} [3] -> KEY_EXISTS"}},
    {"quiet ones answer only what they have, a no-op ends them",
     {client(asks(0x0d, "a", 1) + asks(0x0d, "b", 2) + asks(0x0a, "", 3)),
      server(answers(0x0d, "x", 2, 0, "b") + answers(0x0a, "", 3))},
     {"get get (one way) {memcached.key=a}", "get get (one way) {memcached.key=b}", "noop noop (housekeeping) ->"}},
    {"statistics",
     {client(asks(0x10, "", 1)), server(answers(0x10, "1", 1, 0, "pid") + answers(0x10, "", 1))},
     {"stats stats (housekeeping) -> rows=1 body=1"}},
};

class MemcachedCases : public ::testing::TestWithParam<Case> {};
TEST_P(MemcachedCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), memcached::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Memcached, MemcachedCases, ::testing::ValuesIn(kCases));

class MemcachedBinaryCases : public ::testing::TestWithParam<Case> {};
TEST_P(MemcachedBinaryCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), memcached::make, kBinaryProbe);
}
INSTANTIATE_TEST_SUITE_P(Memcached, MemcachedBinaryCases, ::testing::ValuesIn(kBinaryCases));

TEST(Memcached, ABigValueIsSkippedByItsLengthAndManyEndWithTheirCall) {
    const auto parser = memcached::make();
    Recorder seen;
    const auto give = [&](Direction direction, std::uint64_t position, const std::string& bytes, bool ends_call) {
        parser->parse({direction, position, std::as_bytes(std::span(bytes)), ends_call}, seen);
    };
    give(Direction::request, 0, "get a b\r\nget c\r\n", true);
    const std::string head = "VALUE a 0 1000000\r\n";
    give(Direction::response, 0, head + "xxx", false);
    parser->gap(Direction::response, head.size() + 3, head.size() + 1000000, seen);
    give(Direction::response, head.size() + 1000000, "\r\nEND\r\nEND\r\n", true);
    ASSERT_EQ(seen.exchanges.size(), 2U);
    EXPECT_EQ(seen.exchanges[0].response_end.body_bytes, 1000000U);
    EXPECT_TRUE(seen.exchanges[1].response_end.complete);
    EXPECT_EQ(seen.losses, 0);
}

}  // namespace
}  // namespace timesink::proto::test
