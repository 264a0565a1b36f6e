#include "proto/mysql/mysql.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string packet(int sequence, const std::string& payload) {
    std::string out;
    for (const int shift : {0, 8, 16}) {
        out.push_back(static_cast<char>(payload.size() >> shift));
    }
    return out + static_cast<char>(sequence) + payload;
}
std::string query(const std::string& sql) {
    return packet(0, "\x03" + sql);
}
std::string ok(int sequence, int rows = 0, int status = 2) {
    return packet(sequence, std::string(1, '\0') + static_cast<char>(rows) + '\0' + static_cast<char>(status) + raw("\0\0\0"));
}
std::string eof(int sequence, int status = 2) {
    return packet(sequence, raw("\xfe\0\0") + static_cast<char>(status) + '\0');
}
std::string ok_eof(int sequence, int status = 2) {
    return packet(sequence, raw("\xfe\0\0") + static_cast<char>(status) + raw("\0\0\0"));
}
std::string failure(int sequence) {
    return packet(sequence, "\xff\x26\x04#23000Duplicate entry");
}
std::string column(int sequence) {
    return packet(sequence,
                  "\x03"
                  "def\x04shop\x01t\x01t\x01n\x01n" +
                      raw("\x0c\x3f\0\x0b\0\0\0\3\0\0\0\0\0"));
}
/// One column, two rows.
std::string result(int first = 1, int status = 2) {
    return packet(first, "\1") + column(first + 1) + eof(first + 2) +
           packet(first + 3,
                  "\x01"
                  "1") +
           packet(first + 4,
                  "\x01"
                  "2") +
           eof(first + 5, status);
}

const std::vector<Step> kProbe = {client(query("SELECT probe")), server(result())};

const std::string kGreeting =
    packet(0, "\x0a" + raw("10.11.19-MariaDB\0\1\0\0\0") + "abcdefgh" +
                  raw("\0\xfe\xf7\x2d\2\0\xff\xf7\x15\0\0\0\0\0\0\7\0\0\0") + raw("ijklmnopqrst\0mysql_native_password\0"));
const std::string kLoginFixed = raw("\x0d\xa2\x3a\0\0\0\0\1\x2d") + std::string(23, '\0');
const std::string kLogin = packet(1, kLoginFixed + raw("app\0") + raw("\0shop\0mysql_native_password\0"));
const std::string kPrepared = packet(1, raw("\0\7\0\0\0\1\0\1\0\0\0\0"));
const std::string kExecute = packet(0, raw("\x17\7\0\0\0\0\1\0\0\0\0\1\3\0\5\0\0\0"));

const Case kCases[] = {
    {"a connection and a query",
     {server(kGreeting), client(kLogin), server(ok(2)), client(query("SELECT n FROM t WHERE id = 7")), server(result())},
     {"LOGIN (housekeeping) {db.namespace=shop} ->", "SELECT SELECT n FROM t WHERE id = 7 -> rows=2 body=4"}},
    {"a login in several steps",
     {server(kGreeting), client(kLogin),
      server(packet(2, raw("\xfe"
                           "caching_sha2_password\0x"))),
      client(packet(3, "hash")), server(packet(4, "\1\4")), client(packet(5, "key")), server(ok(6)), client(packet(0, "\x0e")),
      server(ok(1))},
     {"LOGIN (housekeeping) {db.namespace=shop} ->", "PING (housekeeping) ->"}},
    {"a refused login",
     {server(kGreeting), client(kLogin), server(packet(2, "\xff\x15\x04#28000Access denied"))},
     {"LOGIN (housekeeping) {db.namespace=shop} -> 1045 {mysql.sqlstate=28000}"},
     Closes::no,
     false},
    {"TLS is not ours",
     {server(kGreeting), client(packet(1, raw("\x0d\xaa\x3a\0\0\0\0\1\x2d") + std::string(23, '\0')))},
     {"=> tls"}},
    {"changed rows", {client(query("UPDATE t SET n = 1")), server(ok(1, 5))}, {"UPDATE UPDATE t SET n = 1 -> rows=5"}},
    {"a transaction, until it ends",
     {client(query("BEGIN")), server(ok(1, 0, 3)), client(query("SELECT n FROM t WHERE id = 7")), server(result(1, 3)),
      client(query("COMMIT")), server(ok(1))},
     {"BEGIN BEGIN -> {mysql.transaction=T}", "SELECT SELECT n FROM t WHERE id = 7 -> rows=2 body=4 {mysql.transaction=T}",
      "COMMIT COMMIT ->"}},
    {"an error",
     {client(query("INSERT INTO t VALUES (1)")), server(failure(1))},
     {"INSERT INSERT INTO t VALUES (1) -> 1062 {mysql.sqlstate=23000}"}},
    {"an error behind rows",
     {client(query("SELECT n FROM t")), server(packet(1, "\1") + column(2) + eof(3) +
                                               packet(4,
                                                      "\x01"
                                                      "1") +
                                               failure(5))},
     {"SELECT SELECT n FROM t -> 1062 rows=1 body=2 {mysql.sqlstate=23000}"}},
    {"a result set without EOF",
     {client(query("SELECT n FROM t")),
      server(packet(1, "\1") + column(2) +
             packet(3,
                    "\x01"
                    "1") +
             ok_eof(4)),
      client(query("SELECT n FROM none")), server(packet(1, "\1") + column(2) + ok_eof(3))},
     {"SELECT SELECT n FROM t -> rows=1 body=2", "SELECT SELECT n FROM none ->"}},
    {"several results",
     {client(query("CALL p()")), server(result(1, 8 | 2) + result(7, 8) + ok(13))},
     {"CALL CALL p() -> rows=4 body=8"}},
    {"a prepared statement",
     {client(packet(0, "\x16SELECT n FROM t WHERE id = ?")), server(kPrepared + column(2) + eof(3) + column(4) + eof(5)),
      client(kExecute), server(result()), client(packet(0, raw("\x19\7\0\0\0")) + kExecute), server(failure(1))},
     {"PREPARE SELECT n FROM t WHERE id = ? (housekeeping) ->", "SELECT SELECT n FROM t WHERE id = ? -> rows=2 body=4",
      "CLOSE_STATEMENT (housekeeping) (one way)", "EXECUTE '7' -> 1062 {mysql.sqlstate=23000}"}},
    {"a statement prepared before the attach", {client(kExecute), server(ok(1, 1))}, {"EXECUTE '7' -> rows=1"}},
    {"MariaDB executes what it was asked to prepare before it said its number",
     {client(packet(0, "\x16SELECT n FROM t WHERE id = ?") + packet(0, raw("\x17\xff\xff\xff\xff\0\1\0\0\0\0\1\3\0\7\0\0\0"))),
      server(kPrepared + column(2) + eof(3) + column(4) + eof(5) + result())},
     {"PREPARE SELECT n FROM t WHERE id = ? (housekeeping) ->", "SELECT SELECT n FROM t WHERE id = ? -> rows=2 body=4"}},
    {"MariaDB leaves columns out that are as before",
     {client(kExecute), server(packet(1, raw("\1\0")) + eof(2) + packet(3, raw("\0\0\1")) + eof(4))},
     {"EXECUTE '7' -> rows=1 body=3"}},
    {"rows to be fetched",
     {client(kExecute), server(packet(1, "\1") + column(2) + eof(3, 0x42)), client(packet(0, raw("\x1c\7\0\0\0\2\0\0\0"))),
      server(packet(1, raw("\0\0\1")) + packet(2, raw("\0\0\2")) + eof(3, 0x42))},
     {"EXECUTE '7' ->", "FETCH '7' -> rows=2 body=6"}},
    {"a file is sent",
     {client(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t")),
      server(packet(1,
                    "\xfb"
                    "f")),
      client(packet(2, "1\n2\n") + packet(3, "")), server(ok(4, 2))},
     {"LOAD LOAD DATA LOCAL INFILE 'f' INTO TABLE t [4] -> rows=2"}},
    {"a file is refused by the client",
     {client(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t")),
      server(packet(1,
                    "\xfb"
                    "f")),
      client(packet(2, "")), server(ok(3))},
     {"LOAD LOAD DATA LOCAL INFILE 'f' INTO TABLE t ->"}},
    {"drivers' own statements",
     {client(query("SET NAMES utf8mb4")), server(ok(1)), client(packet(0, "\x1f")), server(ok(1)), client(packet(0, "\1"))},
     {"SET SET NAMES utf8mb4 (housekeeping) ->", "RESET_CONNECTION (housekeeping) ->", "QUIT (housekeeping) (one way)"}},
    {"commands ahead of their answers",
     {client(query("SELECT 1") + query("SELECT 2")), server(result() + ok(1, 3))},
     {"SELECT SELECT 1 -> rows=2 body=4", "SELECT SELECT 2 -> rows=3"},
     Closes::no,
     false},
    {"progress of a long statement",
     {client(query("ALTER TABLE t ADD x INT")), server(packet(1, raw("\xff\xff\xff\1\1\2\0\0\0\5stage")) + ok(2))},
     {"ALTER ALTER TABLE t ADD x INT ->"}},
    {"attached between a command and its answer",
     {server(ok(1)), client(query("SELECT 1")), server(result())},
     {"SELECT SELECT 1 -> rows=2 body=4"}},
    {"a connection closed in the middle of a result",
     {client(query("SELECT 1")), server(packet(1, "\1") + column(2) + eof(3) +
                                        packet(4,
                                               "\x01"
                                               "1"))},
     {"SELECT SELECT 1 -> rows=1 body=2 cut"},
     Closes::by_server},
    {"not MySQL", {client("GET / HTTP/1.1\r\n\r\n")}, {"not mine"}},
};

class MysqlCases : public ::testing::TestWithParam<Case> {};

TEST_P(MysqlCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), mysql::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Mysql, MysqlCases, ::testing::ValuesIn(kCases));

TEST(Mysql, TheEndOfABigResultIsFoundInTheLastBytesOfItsCall) {
    const auto parser = mysql::make();
    Recorder seen;
    const auto give = [&](Direction direction, std::uint64_t position, const std::string& bytes, bool ends_call) {
        parser->parse({direction, position, std::as_bytes(std::span(bytes)), ends_call}, seen);
    };
    give(Direction::request, 0, query("SELECT n FROM big"), true);
    const std::string begin = packet(1, "\1") + column(2) + eof(3) +
                              packet(4,
                                     "\x01"
                                     "1");
    give(Direction::response, 0, begin, false);
    parser->gap(Direction::response, begin.size(), 100000, seen);
    give(Direction::response, 100000,
         "\x02"
         "34" +
             eof(77),
         true);
    ASSERT_TRUE(seen.exchanges[0].response_over);
    EXPECT_TRUE(seen.exchanges[0].response_end.complete);
    EXPECT_EQ(seen.exchanges[0].response_end.end, 100000U + 3 + 9);
}

/// Of what the server answers a statement of which only the number is known.
std::uint64_t columns_of(const std::string& answer) {
    return run_at_once({client(kExecute), server(answer)}, mysql::make).exchanges.at(0).response_end.columns;
}

TEST(Mysql, ResultsOfTheSameColumnsSayThatTheyAre) {
    const std::string two = packet(1, "\2") + column(2) + column(3) + eof(4) + eof(5);
    const std::string none = packet(1, "\1") + column(2) + eof(3) + eof(4);
    const std::string other = packet(1, "\1") +
                              packet(2,
                                     "\3"
                                     "def\4shop\1t\1t\6number\6number" +
                                         raw("\x0c\x3f\0\x0b\0\0\0\3\0\0\0\0\0")) +
                              eof(3) + eof(4);
    EXPECT_NE(columns_of(result()), 0U);
    EXPECT_EQ(columns_of(result()), columns_of(none));
    EXPECT_NE(columns_of(result()), columns_of(two));
    EXPECT_NE(columns_of(result()), columns_of(other));
    EXPECT_EQ(columns_of(ok(1, 1)), 0U);
    EXPECT_EQ(columns_of(failure(1)), 0U);
}

}  // namespace
}  // namespace timesink::proto::test
