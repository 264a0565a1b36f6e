#include "request/propagation.hpp"

#include <gtest/gtest.h>

namespace timesink::request {
namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr const char* kTrace = "trace:0af7651916cd43dd8448eb211c80319c";

std::vector<std::string> ids_of_sql(std::string_view sql) {
    proto::Attributes attributes;
    read_comment_ids(sql, attributes);
    return propagated_ids(attributes);
}
std::vector<std::string> ids_of(std::string_view name, const std::string& value) {
    return propagated_ids({{name, value}});
}
using Ids = std::vector<std::string>;

TEST(Propagation, SqlCommenterSaysTheTrace) {
    EXPECT_EQ(ids_of_sql(std::string("SELECT 1 /*db_driver='psycopg',traceparent='") + kParent + "'*/"), Ids{kTrace});
    EXPECT_EQ(ids_of_sql(std::string("/* traceparent='") + kParent + "' */ SELECT 1"), Ids{kTrace});
}

TEST(Propagation, MarginaliaSaysTheRequest) {
    EXPECT_EQ(ids_of_sql("SELECT 1 /*application:shop,request_id:ab-cd-ef-01*/"), Ids{"id:ab-cd-ef-01"});
    EXPECT_EQ(ids_of_sql("SELECT 1 /*request_id='ab%2Dcd%2Def'*/"), Ids{"id:ab-cd-ef"});
}

TEST(Propagation, ACommentInsideOfALiteralIsData) {
    EXPECT_EQ(ids_of_sql("INSERT INTO t VALUES ('/*request_id:forged-id*/')"), Ids{});
    EXPECT_EQ(ids_of_sql("SELECT \"/*request_id:forged-id*/\", $$/*request_id:forged-id*/$$"), Ids{});
    EXPECT_EQ(ids_of_sql("SELECT 1 -- /*request_id:forged-id*/"), Ids{});
}

TEST(Propagation, WhatWasCutOffIsNotTaken) {
    EXPECT_EQ(ids_of_sql("SELECT 1 /*request_id:abcdef-0"), Ids{});
    EXPECT_EQ(ids_of_sql("SELECT 1 /*"), Ids{});
    EXPECT_EQ(ids_of_sql("SELECT 1 /*/"), Ids{});
}

TEST(Propagation, HeadersAndCommentsGiveTheSameId) {
    EXPECT_EQ(ids_of("http.request.header.traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"), Ids{kTrace});
    EXPECT_EQ(ids_of("http.request.header.x-request-id", " ab-cd-ef-01 "), Ids{"id:ab-cd-ef-01"});
    EXPECT_EQ(ids_of("http.request.header.x-correlation-id", "ab-cd-ef-01"), Ids{"id:ab-cd-ef-01"});
    EXPECT_EQ(
        propagated_ids({{"http.request.header.x-request-id", "ab-cd-ef-01"}, {"db.query.comment.request-id", "ab-cd-ef-01"}}),
        Ids{"id:ab-cd-ef-01"});
}

TEST(Propagation, WhatIsNoIdIsNone) {
    const std::string zeros = "00-" + std::string(32, '0') + "-b7ad6b7169203331-01";
    for (const std::string& value :
         {zeros, std::string("00-xyz"), std::string(), std::string("00-0af7651916cd43dd8448eb211c8031"),
          std::string("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01")}) {
        EXPECT_EQ(ids_of("http.request.header.traceparent", value), Ids{}) << value;
    }
    EXPECT_EQ(ids_of("http.request.header.x-request-id", "1"), Ids{});
    EXPECT_EQ(ids_of("http.request.header.x-request-id", std::string(kLongestId + 1, 'x')), Ids{});
    EXPECT_EQ(ids_of("http.response.header.x-request-id", "ab-cd-ef-01"), Ids{});
}

}  // namespace
}  // namespace timesink::request
