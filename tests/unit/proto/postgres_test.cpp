#include "proto/postgres/postgres.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string be32(std::uint32_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(value >> shift & 0xff));
    }
    return out;
}
std::string be16(std::uint16_t value) {
    return be32(value).substr(2);
}
std::string message(char type, const std::string& payload = "") {
    return std::string(1, type) + be32(static_cast<std::uint32_t>(payload.size() + 4)) + payload;
}
std::string z(const std::string& text) {
    return text + '\0';
}
// The client's
std::string opening(std::uint32_t code, const std::string& rest = "") {
    return be32(static_cast<std::uint32_t>(rest.size() + 8)) + be32(code) + rest;
}
std::string query(const std::string& text) {
    return message('Q', z(text));
}
std::string parse(const std::string& name, const std::string& text) {
    return message('P', z(name) + z(text) + be16(0));
}
std::string bind(const std::string& name, const std::string& portal = "") {
    return message('B', z(portal) + z(name) + be16(0) + be16(1) + be32(3) + "abc" + be16(0));
}
std::string describe(char what, const std::string& name = "") {
    return message('D', what + z(name));
}
std::string execute(const std::string& portal = "") {
    return message('E', z(portal) + be32(0));
}
std::string close(char what, const std::string& name) {
    return message('C', what + z(name));
}
const std::string kSync = message('S');
const std::string kFlush = message('H');
// The server's
std::string ready(char status = 'I') {
    return message('Z', std::string(1, status));
}
std::string tag(const std::string& text) {
    return message('C', z(text));
}
std::string row(const std::string& value) {
    return message('D', be16(1) + be32(static_cast<std::uint32_t>(value.size())) + value);
}
std::string failure(const std::string& code) {
    return message('E', z("SERROR") + z("C" + code) + z("Mno") + '\0');
}
const std::string kRows = message('T', be16(1) + z("id") + be32(0) + be16(0) + be32(23) + be16(4) + be32(0xffffffff) + be16(0));
const std::string kParsed = message('1');
const std::string kBound = message('2');
const std::string kClosed = message('3');
const std::string kNoData = message('n');
const std::string kParameters = message('t', be16(0));
const std::string kAuthenticated = message('R', be32(0));

const std::vector<Step> kProbe = {client(query("SELECT 'probe'")), server(kRows + row("p") + tag("SELECT 1") + ready())};

const Case kCases[] = {
    {"a simple query",
     {client(query("SELECT 1")), server(kRows + row("1") + tag("SELECT 1") + ready())},
     {"SELECT SELECT 1 -> rows=1 body=12 {postgresql.transaction=I}"}},
    {"several statements in one text are one exchange",
     {client(query("INSERT INTO a VALUES (1), (2); UPDATE a SET x = 2")), server(tag("INSERT 0 2") + tag("UPDATE 3") + ready())},
     {"INSERT INSERT INTO a VALUES (1), (2); UPDATE a SET x = 2 -> rows=5 {postgresql.transaction=I}"}},
    {"an error, inside a transaction",
     {client(query("BEGIN")), server(tag("BEGIN") + ready('T')), client(query("INSERT INTO a VALUES (1)")),
      server(failure("23505") + ready('E')), client(query("ROLLBACK")), server(tag("ROLLBACK") + ready('I'))},
     {"BEGIN BEGIN -> {postgresql.transaction=T}", "INSERT INSERT INTO a VALUES (1) -> 23505 {postgresql.transaction=E}",
      "ROLLBACK ROLLBACK -> {postgresql.transaction=I}"}},
    {"start-up, refused TLS, authentication, then the first query",
     {client(opening(80877103)), server("N"), client(opening(196608, z("user") + z("app") + z("database") + z("shop") + '\0')),
      server(message('R', be32(10) + z("SCRAM-SHA-256") + '\0')), client(message('p', z("SCRAM-SHA-256") + be32(3) + "n,,")),
      server(kAuthenticated + message('S', z("TimeZone") + z("UTC")) + message('K', be32(7) + be32(9)) + ready()),
      client(query("SELECT 1")), server(kRows + row("1") + tag("SELECT 1") + ready())},
     {"SSLREQUEST (housekeeping) ->", "STARTUP (housekeeping) {db.namespace=shop} -> {postgresql.transaction=I}",
      "SELECT SELECT 1 -> rows=1 body=12 {postgresql.transaction=I}"}},
    {"accepted TLS ends the protocol",
     {client(opening(80877103)), server("S"), client("\x16\x03\x01")},
     {"SSLREQUEST (housekeeping) ->", "=> tls"}},
    {"a refused start-up",
     {client(opening(196608, z("user") + z("app") + '\0')), server(failure("28P01"))},
     {"STARTUP (housekeeping) {db.namespace=app} -> 28P01"}},
    {"a cancel request is not answered", {client(opening(80877102, be32(7) + be32(9)))}, {"CANCEL (housekeeping) (one way)"}},
    {"extended, unnamed: one exchange from Parse to ReadyForQuery",
     {client(parse("", "SELECT $1") + bind("") + describe('P') + execute() + kSync),
      server(kParsed + kBound + kRows + row("1") + row("22") + tag("SELECT 2") + ready())},
     {"SELECT SELECT $1 -> rows=2 body=25 {postgresql.transaction=I}"}},
    {"a statement prepared first and executed twice",
     {client(parse("s1", "SELECT $1") + describe('S', "s1") + kFlush), server(kParsed + kParameters + kRows),
      client(bind("s1") + execute() + kSync), server(kBound + row("1") + tag("SELECT 1") + ready()),
      client(bind("s1") + execute() + kSync), server(kBound + row("1") + tag("SELECT 1") + ready('T'))},
     {"PREPARE SELECT $1 's1' (housekeeping) ->", "SELECT SELECT $1 's1' -> rows=1 body=12 {postgresql.transaction=I}",
      "SELECT SELECT $1 's1' -> rows=1 body=12 {postgresql.transaction=T}"}},
    {"prepared with a Sync of its own",
     {client(parse("s1", "UPDATE t SET a = 1") + kSync), server(kParsed + ready()),
      client(bind("s1") + describe('P') + execute() + kSync), server(kBound + kNoData + tag("UPDATE 4") + ready())},
     {"PREPARE UPDATE t SET a = 1 's1' (housekeeping) -> {postgresql.transaction=I}",
      "UPDATE UPDATE t SET a = 1 's1' -> rows=4 {postgresql.transaction=I}"}},
    {"a statement prepared before the attach has a name only",
     {client(bind("old_7") + execute() + kSync), server(kBound + row("1") + tag("SELECT 1") + ready())},
     {" 'old_7' -> rows=1 body=12 {postgresql.transaction=I}"}},
    {"pipelined groups, each with its Sync",
     {client(parse("", "SELECT 1") + bind("") + execute() + kSync + parse("", "SELECT 2") + bind("") + execute() + kSync),
      server(kParsed + kBound + row("1") + tag("SELECT 1") + ready() + kParsed + kBound + row("2") + tag("SELECT 1") + ready())},
     {"SELECT SELECT 1 -> rows=1 body=12 {postgresql.transaction=I}",
      "SELECT SELECT 2 -> rows=1 body=12 {postgresql.transaction=I}"}},
    {"a pipeline without Sync between: each Execute is an exchange",
     {client(parse("", "SELECT 1") + bind("") + execute() + parse("", "SELECT 2") + bind("") + execute() + kSync),
      server(kParsed + kBound + row("1") + tag("SELECT 1") + kParsed + kBound + row("2") + tag("SELECT 1") + ready())},
     {"SELECT SELECT 1 -> rows=1 body=12", "SELECT SELECT 2 -> rows=1 body=12 {postgresql.transaction=I}"}},
    {"after an error the rest up to the Sync is aborted",
     {client(parse("", "SELECT 1/0") + bind("") + execute() + parse("", "SELECT 2") + bind("") + execute() +
             parse("", "SELECT 3") + bind("") + execute() + kSync + query("SELECT 4")),
      server(kParsed + kBound + failure("22012") + ready() + tag("SELECT 1") + ready())},
     {"SELECT SELECT 1/0 -> 22012", "SELECT SELECT 2 -> aborted", "SELECT SELECT 3 -> aborted {postgresql.transaction=I}",
      "SELECT SELECT 4 -> rows=1 {postgresql.transaction=I}"}},
    {"a statement that does not parse",
     {client(parse("x", "SELEC") + describe('S', "x") + kFlush), server(failure("42601")), client(kSync), server(ready())},
     {"PREPARE SELEC 'x' (housekeeping) -> 42601", "SYNC (housekeeping) -> {postgresql.transaction=I}"}},
    {"a portal fetched in two parts",
     {client(parse("", "SELECT a FROM b") + bind("", "p") + execute("p") + kFlush),
      server(kParsed + kBound + row("1") + message('s')), client(execute("p") + kSync),
      server(row("2") + tag("SELECT 1") + ready('T'))},
     {"SELECT SELECT a FROM b -> body=12", "SELECT SELECT a FROM b -> rows=1 body=12 {postgresql.transaction=T}"}},
    {"a statement closed on its own, and one closed behind its use",
     {client(close('S', "s1") + kSync), server(kClosed + ready()),
      client(parse("s2", "SELECT 1") + bind("s2") + execute() + close('S', "s2") + kSync),
      server(kParsed + kBound + tag("SELECT 0") + kClosed + ready())},
     {"CLOSE (housekeeping) -> {postgresql.transaction=I}", "SELECT SELECT 1 's2' -> {postgresql.transaction=I}"}},
    {"COPY in, by a query",
     {client(query("COPY t FROM STDIN")), server(message('G', raw("\0\0\1\0\0"))),
      client(message('d', "1\n") + message('d', "22\n")), client(message('c')), server(tag("COPY 2") + ready())},
     {"COPY COPY t FROM STDIN [5] -> rows=2 {postgresql.transaction=I}"}},
    {"COPY in, extended: the Sync sent with the Execute is ignored by the server",
     {client(parse("", "COPY t FROM STDIN") + bind("") + describe('P') + execute() + kSync),
      server(kParsed + kBound + kNoData + message('G', raw("\0\0\1\0\0"))), client(message('d', "1\n") + message('c') + kSync),
      server(tag("COPY 1") + ready())},
     {"COPY COPY t FROM STDIN [2] -> rows=1 {postgresql.transaction=I}"}},
    {"COPY in that fails",
     {client(query("COPY t FROM STDIN")), server(message('G', raw("\0\0\1\0\0"))), client(message('d', "x\n")),
      server(failure("22P02") + ready())},
     {"COPY COPY t FROM STDIN [2] cut -> 22P02 {postgresql.transaction=I}"}},
    {"COPY out",
     {client(query("COPY t TO STDOUT")), server(message('H', raw("\0\0\1\0\0")) + message('d', "1\n") + message('d', "2\n") +
                                                message('c') + tag("COPY 2") + ready())},
     {"COPY COPY t TO STDOUT -> rows=2 body=4 {postgresql.transaction=I}"}},
    {"COPY both ways, as replication does",
     {client(query("START_REPLICATION SLOT s LOGICAL 0/0")), server(message('W', raw("\0\0\0"))), server(message('d', "wal")),
      client(message('d', "r")), client(message('c')), server(message('c') + tag("COPY 0") + ready())},
     {"START_REPLICATION START_REPLICATION SLOT s LOGICAL 0/0 -> body=3 {postgresql.transaction=I}"},
     Closes::no},
    {"a function call",
     {client(message('F', be32(1598) + be16(0) + be16(0) + be16(0))), server(message('V', be32(4) + "abcd") + ready())},
     {"FUNCTION -> {postgresql.transaction=I}"}},
    {"messages at any time belong to nobody",
     {server(message('A', be32(1) + z("channel") + z("payload"))), client(query("SELECT 1")),
      server(message('N', z("SNOTICE") + '\0') + message('S', z("a") + z("b")) + tag("SELECT 1") +
             message('A', be32(1) + z("c") + z("")) + ready())},
     {"SELECT SELECT 1 -> rows=1 {postgresql.transaction=I}"}},
    {"an empty query is a ping",
     {client(query("-- ping")), server(message('I') + ready())},
     {" -- ping (housekeeping) -> {postgresql.transaction=I}"}},
    {"what pools send to clean a session is housekeeping, transactions are not",
     {client(query("SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;")), server(tag("RESET") + ready()),
      client(query("discard  all")), server(tag("DISCARD ALL") + ready()), client(query("COMMIT")),
      server(tag("COMMIT") + ready()), client(query("RESET ALL; DELETE FROM t")), server(tag("DELETE 1") + ready())},
     {"SELECT SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL; (housekeeping) -> {postgresql.transaction=I}",
      "DISCARD discard  all (housekeeping) -> {postgresql.transaction=I}", "COMMIT COMMIT -> {postgresql.transaction=I}",
      "RESET RESET ALL; DELETE FROM t -> rows=1 {postgresql.transaction=I}"}},
    {"terminate",
     {client(query("SELECT 1")), server(tag("SELECT 1") + ready()), client(message('X'))},
     {"SELECT SELECT 1 -> rows=1 {postgresql.transaction=I}", "TERMINATE (housekeeping) (one way)"},
     Closes::by_server},
    {"a result that was under way at the attach is nobody's",
     {server(row("1") + tag("SELECT 1") + ready()), client(query("SELECT 2")), server(tag("SELECT 0") + ready())},
     {"SELECT SELECT 2 -> {postgresql.transaction=I}", "nobody -> rows=1 body=12"}},
    {"a length below its own size is not a message", {client(raw("Q\0\0\0\2"))}, {"not mine"}},
    {"a length of 2 GB is not a message", {client(raw("Q\x7f\xff\xff\xff"))}, {"not mine"}},
    {"a negative length is not a message", {client(raw("P\xff\xff\xff\xff"))}, {"not mine"}},
};

class PostgresCases : public ::testing::TestWithParam<Case> {};
TEST_P(PostgresCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), postgres::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Postgres, PostgresCases, ::testing::ValuesIn(kCases));

class Connection {
public:
    void give(Direction direction, const std::string& bytes, bool ends_call = true) {
        std::uint64_t& at = at_[static_cast<int>(direction)];
        parser_->parse({direction, at, std::as_bytes(std::span(bytes)), ends_call}, seen);
        at += bytes.size();
    }
    void gap(Direction direction, std::uint64_t length) {
        std::uint64_t& at = at_[static_cast<int>(direction)];
        parser_->gap(direction, at, at + length, seen);
        at += length;
    }
    Recorder seen;

private:
    std::unique_ptr<Parser> parser_ = postgres::make();
    std::uint64_t at_[2] = {};
};

TEST(Postgres, TheEndOfABigResultIsFoundInTheLastBytesOfItsCall) {
    Connection connection;
    connection.give(Direction::request, query("SELECT * FROM big"));
    connection.give(Direction::response, kRows + row("1") + row(std::string(4000, 'x')).substr(0, 4000), false);
    connection.gap(Direction::response, 12000);
    connection.give(Direction::response, "xyz" + row("last"));
    connection.give(Direction::response, row("1").substr(0, 5), false);
    connection.gap(Direction::response, 4000);
    connection.give(Direction::response, "rest of a row" + tag("SELECT 4711") + ready('T'));
    EXPECT_THAT(connection.seen.lines(),
                ::testing::ElementsAre(::testing::MatchesRegex(
                    "SELECT SELECT \\* FROM big -> rows=4711 body=[0-9]+ \\{postgresql.transaction=T\\}")));
}

TEST(Postgres, ABigResultOfOneStatementInAPipelineLeavesTheOthersUnpaired) {
    Connection connection;
    connection.give(Direction::request, query("SELECT 1") + query("SELECT 2"));
    connection.give(Direction::response, kRows, false);
    connection.gap(Direction::response, 9000);
    connection.give(Direction::response, tag("SELECT 9") + ready());
    for (const Recorder::Seen& seen : connection.seen.exchanges) {
        EXPECT_FALSE(seen.response_end.complete);
    }
}

TEST(Postgres, AValueBeyondTheCaptureIsSkippedByItsLength) {
    Connection connection;
    const std::string big =
        message('B', z("") + z("") + be16(0) + be16(1) + be32(64 << 20) + std::string(20, 'v') /* and 64 MB more */);
    std::string bind = big;
    bind.replace(1, 4, be32(static_cast<std::uint32_t>(big.size() - 1 + (64 << 20))));
    connection.give(Direction::request, parse("", "INSERT INTO t VALUES ($1)") + bind, false);
    connection.gap(Direction::request, 64 << 20);
    connection.give(Direction::request, execute() + kSync);
    connection.give(Direction::response, kParsed + kBound + tag("INSERT 0 1") + ready());
    EXPECT_EQ(connection.seen.losses, 0);
    EXPECT_THAT(connection.seen.lines(),
                ::testing::ElementsAre("INSERT INSERT INTO t VALUES ($1) -> rows=1 {postgresql.transaction=I}"));
}

TEST(Postgres, AStatementWhoseTextHidesItsBindAndExecuteIsStillOne) {
    Connection connection;
    const std::string text = "SELECT '" + std::string(5000, 'x') + "'";
    const std::string all = parse("", text) + bind("") + execute() + kSync;
    connection.give(Direction::request, all.substr(0, 4096), false);
    connection.gap(Direction::request, all.size() - 4096 - 30);
    connection.give(Direction::request, all.substr(all.size() - 30));
    connection.give(Direction::response, kParsed + kBound + kRows + row("x") + tag("SELECT 1") + ready());
    ASSERT_EQ(connection.seen.exchanges.size(), 1U);
    EXPECT_EQ(connection.seen.exchanges[0].request.operation, "SELECT");
    EXPECT_TRUE(connection.seen.exchanges[0].request.target_truncated);
    EXPECT_TRUE(connection.seen.exchanges[0].response_end.complete);
    EXPECT_EQ(connection.seen.exchanges[0].response_end.rows, 1U);
}

TEST(Postgres, AThousandPipelinedStatementsAreAnsweredInOrder) {
    std::string requests;
    std::string responses;
    for (int i = 0; i < 1000; ++i) {
        requests += parse("", "SELECT " + std::to_string(i)) + bind("") + execute() + (i % 10 == 9 ? kSync : "");
        responses += kParsed + kBound + tag("SELECT " + std::to_string(i)) + (i % 10 == 9 ? ready() : "");
    }
    const Recorder seen = run_at_once({client(requests), server(responses)}, postgres::make);
    ASSERT_EQ(seen.exchanges.size(), 1000U);
    for (std::size_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(seen.exchanges[i].request.target, "SELECT " + std::to_string(i));
        EXPECT_EQ(seen.exchanges[i].response_end.rows, i);
    }
}

/// Of what the server answers a statement of which only the name is known.
std::uint64_t columns_of(const std::string& rows) {
    const Recorder seen =
        run_at_once({client(bind("s1") + execute() + kSync), server(kBound + rows + tag("SELECT 1") + ready())}, postgres::make);
    return seen.exchanges.at(0).response_end.columns;
}

TEST(Postgres, RowsSayHowManyColumnsTheyHave) {
    const std::string two = message('D', be16(2) + be32(1) + "a" + be32(0xffffffff));
    EXPECT_NE(columns_of(row("1")), 0U);
    EXPECT_EQ(columns_of(row("1")), columns_of(row("something") + row("else")));
    EXPECT_NE(columns_of(row("1")), columns_of(two));
    EXPECT_EQ(columns_of(""), 0U);
    EXPECT_EQ(columns_of(message('D', "xx" + be32(1) + "a")), 0U) << "a recording in which the number was masked";
}

}  // namespace
}  // namespace timesink::proto::test
