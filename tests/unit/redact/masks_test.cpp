#include "redact/masks.hpp"

#include <gtest/gtest.h>

#include "request/route.hpp"
#include "request/statement.hpp"

namespace timesink::redact {
namespace {

constexpr Secret kSecret = {5, 6};

struct Row {
    const char* name;
    std::string_view text;
    std::string_view masked;
};
void PrintTo(const Row& row, std::ostream* out) {
    *out << row.name;
}

class Statement : public ::testing::TestWithParam<Row> {};

TEST_P(Statement, LosesItsValuesAndKeepsItsShape) {
    const std::string masked = masked_statement(GetParam().text, false);
    EXPECT_EQ(masked, GetParam().masked);
    EXPECT_EQ(masked.size(), GetParam().text.size());
    EXPECT_EQ(request::shape_of_sql(masked, false).text, request::shape_of_sql(GetParam().text, false).text);
    EXPECT_EQ(masked_statement(masked, false), masked) << "twice";
}

const Row kStatements[] = {
    {"a literal", "SELECT * FROM t WHERE name = 'alice'", "SELECT * FROM t WHERE name = 'xxxxx'"},
    {"numbers of every form", "SELECT 17, -3.5e-7, 0x1F, .5", "SELECT 00, -000000, 0000, 00"},
    {"parameters stay", "SELECT $1, :name, ?, %s, @v", "SELECT $1, :name, ?, %s, @v"},
    {"a doubled quote", "SELECT 'it''s' FROM t", "SELECT 'xxxxx' FROM t"},
    {"escapes that are meant so", "SELECT E'a\\'b', 'c'", "SELECT E'xxxx', 'x'"},
    {"a dollar quote", "DO $f$ BEGIN secret(); END $f$", "DO $f$xxxxxxxxxxxxxxxxxxxxx$f$"},
    {"one that is not closed", "SELECT 'abc", "SELECT 'xxx"},
    {"identifiers stay", "SELECT \"Name\", `t` FROM [x]", "SELECT \"Name\", `t` FROM [x]"},
    {"a comment", "SELECT 1 /* for alice */ -- and bob", "SELECT 0 /*xxxxxxxxxxx*/ --xxxxxxxx"},
    {"ids that are handed on in a comment",
     "SELECT 1 /*traceparent='00-11111111111111111111111111111111-2222222222222222-01',route='%2Fme'*/",
     "SELECT 0 /*traceparent='00-11111111111111111111111111111111-2222222222222222-01',xxxxxxxxxxxxx*/"},
    {"a list", "INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (0, 'x'), (0, 'x')"},
};
INSTANTIATE_TEST_SUITE_P(Masks, Statement, ::testing::ValuesIn(kStatements));

TEST(StatementMask, OfStandardSqlHidesAllBehindABackslashThatMayEndAText) {
    // The lexer takes \' for an escape; where it is none, the texts behind it are told apart wrongly.
    const std::string masked = masked_statement("INSERT INTO t VALUES ('C:\\', 'secret', 'x')", false);
    EXPECT_EQ(masked.find("secret"), std::string::npos) << masked;
    EXPECT_TRUE(masked.starts_with("INSERT INTO t VALUES ('xx"));
}

TEST(StatementMask, OfMysqlTakesDoubleQuotesForTexts) {
    EXPECT_EQ(masked_statement("SELECT \"alice\", 'b\\'ob' FROM t", true), "SELECT 'xxxxx', 'xxxxx' FROM t");
    EXPECT_EQ(masked_statement("SELECT \"a\\\"b secret", true).find("secret"), std::string::npos);
}

struct TargetMask : ::testing::TestWithParam<Row> {};

TEST_P(TargetMask, KeepsTheRoute) {
    const std::string masked = masked_target(GetParam().text, kSecret);
    EXPECT_EQ(masked, GetParam().masked);
}

const Row kTargets[] = {
    {"a query", "GET /search?q=alice&page=2 HTTP/1.1", "GET /search?q=xxxxx&page=x HTTP/1.1"},
    {"what has no name is a value", "GET /a?token HTTP/1.1", "GET /a?xxxxx HTTP/1.1"},
    {"short numbers stay", "GET /orders/17 HTTP/1.1", "GET /orders/17 HTTP/1.1"},
    {"a parameter of a segment", "/a;jsessionid=ABC/b", "/a;jsessionid=xxx/b"},
    {"a user in a URL", "GET http://alice:pw@host/x?a=b HTTP/1.1", "GET http://xxxxxxxx@host/x?a=x HTTP/1.1"},
    {"a fragment", "/a#secret", "/a#xxxxxx"},
    {"a status", "HTTP/1.1 404 No alice here", "HTTP/1.1 404 xxxxxxxxxxxxx"},
};
INSTANTIATE_TEST_SUITE_P(Masks, TargetMask, ::testing::ValuesIn(kTargets));

TEST(TargetMask, MakesOtherIdsOfIds) {
    constexpr std::string_view kOne = "/u/123e4567-e89b-12d3-a456-426614174000";
    constexpr std::string_view kOther = "/u/123e4567-e89b-12d3-a456-426614174001";
    EXPECT_NE(masked_target(kOne, kSecret), kOne);
    EXPECT_EQ(masked_target(kOne, kSecret), masked_target(kOne, kSecret));
    EXPECT_NE(masked_target(kOne, kSecret), masked_target(kOther, kSecret));
    EXPECT_EQ(masked_target("/users/alice@example.com", kSecret).find("alice"), std::string::npos);
    EXPECT_EQ(masked_target("/call/49170123456789", kSecret).find("49170"), std::string::npos);
}

TEST(TargetMask, KeepsWhatObjectStorageIsAskedFor) {
    EXPECT_EQ(masked_target("POST /b/k?uploads HTTP/1.1", kSecret), "POST /b/k?uploads HTTP/1.1");
    const std::string part = masked_target("/b/k?partNumber=3&uploadId=2~AbCdEfGh&X-Amz-Signature=0f0f", kSecret);
    EXPECT_TRUE(part.starts_with("/b/k?partNumber=3&uploadId=")) << part;
    EXPECT_TRUE(part.ends_with("&X-Amz-Signature=xxxx")) << part;
    EXPECT_EQ(part.find("AbCd"), std::string::npos);
    EXPECT_EQ(masked_target("/b?X-Amz-Credential=KEY%2F20261121%2Feu-1%2Fs3%2Faws4_request", kSecret),
              "/b?X-Amz-Credential=xxxxxxxxxxxxxxxxxxxxx%2Fs3%2Faws4_request");
}

TEST(TargetMask, FoldsAsTheTargetItself) {
    for (const std::string_view path : {"/u/123e4567-e89b-12d3-a456-426614174000", "/users/alice@example.com", "/users/a%40b.c",
                                        "/find/M%C3%BCller", "/call/49170123456789", "/h/0123456789abcdef0123456789abcdef",
                                        "/img/0123456789abcdef0123456789abcdef.png", "/t/01ARZ3NDEKTSV4RRFFQ69G5FAV"}) {
        EXPECT_EQ(request::fold_path(masked_target(path, kSecret)), request::fold_path(path)) << path;
    }
}

struct FieldMask : ::testing::TestWithParam<Row> {};

TEST_P(FieldMask, KeepsWhatIsRead) {
    EXPECT_EQ(masked_field(GetParam().text), GetParam().masked);
}

const Row kFields[] = {
    {"a field that is read", "content-type: text/html", "content-type: text/html"},
    {"in whatever case", "X-Request-ID: 17", "X-Request-ID: 17"},
    {"a cookie", "Cookie: session=abc; b=c", "Cookie: xxxxxxxxxxxxxxxx"},
    {"one that nobody knows", "X-Api-Key:  k3y ", "X-Api-Key:  xxx "},
    {"a scheme", "AUTHORIZATION: Bearer abc def", "AUTHORIZATION: Bearer xxxxxxx"},
    {"a secret where the scheme should be", "Authorization: s3cret twice", "Authorization: xxxxxxxxxxxx"},
    {"a secret alone", "Authorization: s3cret", "Authorization: xxxxxx"},
    {"for which API it is signed", "Authorization: AWS4-HMAC-SHA256 Credential=KEY/20261121/eu-1/s3/aws4_request, Signature=0f",
     "Authorization: AWS4-HMAC-SHA256 Credential=xxxxxxxxxxxxxxxxx/s3/aws4_request,xxxxxxxxxxxxx"},
    {"one that only has to be there", "x-amz-content-sha256: 0f0f", "x-amz-content-sha256: xxxx"},
    {"a continuation", "  secret", "  xxxxxx"},
    {"no field", "secret", "xxxxxx"},
    {"no value", "Host:", "Host:"},
};
INSTANTIATE_TEST_SUITE_P(Masks, FieldMask, ::testing::ValuesIn(kFields));

TEST(KeyMask, KeepsTheShape) {
    for (const std::string_view key :
         {"user:4711:name", "session:0123456789abcdef0123456789abcdef", "{user:1}:cart", "{4711}:cart", "a.b/c|17"}) {
        const std::string masked = masked_key(key, kSecret);
        EXPECT_EQ(masked.size(), key.size());
        EXPECT_EQ(request::shape_of_redis("GET", masked, {}).text, request::shape_of_redis("GET", key, {}).text) << key;
        EXPECT_EQ(masked.find("4711"), std::string::npos);
    }
    EXPECT_EQ(masked_key("mail:alice@example.com", kSecret), "mail:xxxxx@xxxxxxx.com");
    EXPECT_EQ(masked_key(std::string_view("\x01\x02secret", 8), kSecret), " xxxxxxx");
}

}  // namespace
}  // namespace timesink::redact
