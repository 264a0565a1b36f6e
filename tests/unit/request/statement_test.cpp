#include "request/statement.hpp"

#include <gmock/gmock.h>

namespace timesink::request {
namespace {

struct Case {
    const char* name;
    const char* sql;
    const char* shape;
    const char* operation;
};

const Case kCases[] = {
    {"literals", "select * from orders where id = 17 and name = 'o''brien' and x = 1.5e-3",
     "SELECT * FROM orders WHERE id = ? AND name = ? AND x = ?", "SELECT"},
    {"parameters of every dialect", "SELECT a FROM b WHERE c = $1 AND d = ? AND e = :name AND f = @p AND g = %s AND h = ?2",
     "SELECT a FROM b WHERE c = ? AND d = ? AND e = ? AND f = ? AND g = ? AND h = ?", "SELECT"},
    {"a list", "SELECT 1 FROM t WHERE id IN (1, 2,3 , $4)", "SELECT ? FROM t WHERE id IN (?)", "SELECT"},
    {"an empty list", "SELECT 1 FROM t WHERE id IN ()", "SELECT ? FROM t WHERE id IN ()", "SELECT"},
    {"a subquery is not a list", "SELECT 1 FROM t WHERE id IN (SELECT id FROM u WHERE x = 2)",
     "SELECT ? FROM t WHERE id IN (SELECT id FROM u WHERE x = ?)", "SELECT"},
    {"many rows", "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (3, 'z') RETURNING id",
     "INSERT INTO t(a, b) VALUES (?) RETURNING id", "INSERT"},
    {"rows with more than values", "INSERT INTO t VALUES (1, now()), (2, now())", "INSERT INTO t VALUES (?, now()), (?, now())",
     "INSERT"},
    {"negative numbers", "SELECT -1, a - 1 FROM t WHERE x IN (-1, +2) LIMIT -1", "SELECT ?, a - ? FROM t WHERE x IN (?) LIMIT ?",
     "SELECT"},
    {"an array", "SELECT ARRAY[1,2,3], a[1]", "SELECT ARRAY[?], a[?]", "SELECT"},
    {"comments", "/* a /* nested */ one */ SELECT 1 -- end\n FROM t", "SELECT ? FROM t", "SELECT"},
    {"white space and semicolons", "  SELECT\n\t a ,b\n  FROM\tt ; ", "SELECT a, b FROM t", "SELECT"},
    {"identifiers stay as they are", "select \"User\".\"Id\", `k`, Name from Shop.Users u",
     "SELECT \"User\".\"Id\", `k`, Name FROM Shop.Users u", "SELECT"},
    {"casts", "SELECT '1'::int, x::text", "SELECT ?::int, x::text", "SELECT"},
    {"strings of PostgreSQL", "SELECT E'a\\'b', $$it's$$, $x$ $$ $x$, B'01', U&'x'", "SELECT ?, ?, ?, ?, ?", "SELECT"},
    {"a backslash at the end of a standard string", "SELECT 'C:\\'", "SELECT ?", "SELECT"},
    {"hex and binary numbers", "SELECT 0xff, 0b01, x'ff', 1_000", "SELECT ?, ?, ?, ?", "SELECT"},
    {"WITH resolves to its main verb", "WITH a AS (SELECT 1), b AS (DELETE FROM t RETURNING id) INSERT INTO c SELECT * FROM b",
     "WITH a AS (SELECT ?), b AS (DELETE FROM t RETURNING id) INSERT INTO c SELECT * FROM b", "INSERT"},
    {"calls", "SELECT count(*), coalesce(a, 0) FROM t", "SELECT count(*), coalesce(a, ?) FROM t", "SELECT"},
    {"JSON operators", "SELECT a->>'k' FROM t WHERE b @> '{}'", "SELECT a ->> ? FROM t WHERE b @> ?", "SELECT"},
    {"variables of the system", "SELECT @@session.sql_mode, @@autocommit, @mine, a @@ b",
     "SELECT @@session.sql_mode, @@autocommit, ?, a @@ b", "SELECT"},
    {"a transaction", "begin", "BEGIN", "BEGIN"},
    {"an unknown verb", "frobnicate x", "frobnicate x", "FROBNICATE"},
    {"a string cut off", "SELECT * FROM t WHERE a = 'secr", "SELECT * FROM t WHERE a = ?", "SELECT"},
    {"a comment cut off", "SELECT 1 /* tra", "SELECT ?", "SELECT"},
    {"a dollar string cut off", "SELECT $a$ secr", "SELECT ?", "SELECT"},
    {"nothing", "", "", ""},
    {"only a comment", "-- ping", "", ""},
};

TEST(SqlShape, KeepsWhatIsTheSameInAllExecutions) {
    for (const Case& test : kCases) {
        const StatementShape shape = shape_of_sql(test.sql);
        EXPECT_EQ(shape.text, test.shape) << test.name;
        EXPECT_EQ(shape.operation, test.operation) << test.name;
        EXPECT_EQ(shape_of_sql(shape.text).text, test.shape) << test.name << ", twice";
    }
}

TEST(SqlShape, NeverShowsAValueHoweverItIsCut) {
    const std::string sql =
        "SELECT a FROM t WHERE b = 'geheim' AND c IN ('geheim', E'gehe\\'im') AND d = $q$geheim$q$ /* geheim */ -- geheim";
    for (std::size_t size = 0; size <= sql.size(); ++size) {
        EXPECT_THAT(shape_of_sql(std::string_view(sql).substr(0, size), true).text, ::testing::Not(::testing::HasSubstr("gehe")))
            << size;
    }
}

TEST(SqlShape, ATruncatedTextIsAnotherShape) {
    EXPECT_EQ(shape_of_sql("SELECT a FROM t", true).text, "SELECT a FROM t …");
    EXPECT_NE(shape_of_sql("SELECT a FROM t", true).fingerprint, shape_of_sql("SELECT a FROM t").fingerprint);
}

TEST(SqlShape, TheFingerprintIsThePublishedHash) {
    EXPECT_EQ(fingerprint_of("a"), 0xaf63dc4c8601ec8cU);  // FNV-1a's own test vector
    EXPECT_EQ(shape_of_sql("SELECT 1").fingerprint, shape_of_sql("select  22").fingerprint);
    EXPECT_EQ(shape_of_sql("").fingerprint, 0U);
}

TEST(SqlShape, CommentsOfSqlcommenterAreGivenAsAttributes) {
    const StatementShape shape =
        shape_of_sql("SELECT 1 /*action='list',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/");
    EXPECT_EQ(shape.text, "SELECT ?");
    EXPECT_THAT(shape.attributes,
                ::testing::UnorderedElementsAre(
                    ::testing::Pair("sql.comment.traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                    ::testing::Pair("sql.comment.action", "list")));
}

TEST(RedisShape, FoldsTheKeyAsPathsAreFolded) {
    EXPECT_EQ(shape_of_redis("HGET", "user:17:cart").text, "HGET user:{id}:cart");
    EXPECT_EQ(shape_of_redis("GET", "session:6f9619ff-8b86-d011-b42d-00cf4fc964ff").text, "GET session:{uuid}");
    EXPECT_EQ(shape_of_redis("GET", "{user42}:x").text, "GET {user42}:x");
    EXPECT_EQ(shape_of_redis("PING", "").text, "PING");
    EXPECT_EQ(shape_of_redis("EVALSHA", "bull:mail:wait", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db").text,
              "EVALSHA #e0e1f9fa bull:mail:wait");
    EXPECT_EQ(shape_of_redis("GET", std::string("a\0b", 3)).text, "GET {text}");
}

TEST(ShapeCache, GivesTheSameAndStaysSmall) {
    ShapeCache cache;
    for (int i = 0; i < 20'000; ++i) {
        EXPECT_EQ(cache.sql("SELECT a FROM t WHERE id = " + std::to_string(i)).text, "SELECT a FROM t WHERE id = ?");
    }
    EXPECT_EQ(cache.sql("SELECT 1", true).text, "SELECT ? …");
    EXPECT_EQ(cache.sql("SELECT 1").text, "SELECT ?");
}

}  // namespace
}  // namespace timesink::request
