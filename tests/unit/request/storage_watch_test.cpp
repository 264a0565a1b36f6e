#include "request/storage_watch.hpp"

#include <gtest/gtest.h>

#include <string>

namespace timesink::request {
namespace {

proto::Head request(const std::string& method, const std::string& target, proto::Attributes more = {}) {
    proto::Head head;
    head.operation = method;
    head.target = target;
    head.host = "127.0.0.1:9000";
    head.attributes = std::move(more);
    head.attributes.emplace_back("http.request.header.authorization", "AWS4-HMAC-SHA256");
    head.attributes.emplace_back("aws.signed.service", "s3");
    return head;
}

void say(StorageWatch& watch, std::string_view text) {
    proto::Content content;
    content.direction = proto::Direction::response;
    content.bytes = std::as_bytes(std::span(text));
    watch.content(content);
}

Exchange finished(StorageWatch& watch, int status, std::uint64_t body_out = 0, std::uint64_t body_in = 0) {
    Exchange exchange;
    exchange.status = status;
    exchange.body_out = body_out;
    exchange.body_in = body_in;
    watch.finish(exchange);
    return exchange;
}

TEST(StorageWatch, KeepsTheShapeOfAKeyOnly) {
    const auto watch = StorageWatch::of_request(request("PUT", "/pictures/users/4711/3f2b8c1e-0000-4000-8000-123456789abc.png"));
    ASSERT_NE(watch, nullptr);
    EXPECT_EQ(watch->call().operation, "PutObject");
    EXPECT_EQ(watch->call().http_method, "PUT");
    EXPECT_EQ(watch->call().bucket, "pictures");
    EXPECT_EQ(watch->call().key.find("4711"), std::string::npos) << watch->call().key;
    EXPECT_EQ(watch->call().key.find("3f2b8c1e"), std::string::npos) << watch->call().key;
    EXPECT_EQ(watch->call().key.rfind("users/", 0), 0U);
}

TEST(StorageWatch, TellsObjectsAndUploadsApart) {
    const auto of = [](const std::string& method, const std::string& target) {
        return StorageWatch::of_request(request(method, target))->call();
    };
    EXPECT_EQ(of("PUT", "/b/k1").object, of("GET", "/b/k1").object);
    EXPECT_NE(of("PUT", "/b/k1").object, of("PUT", "/b/k2").object);
    EXPECT_EQ(of("GET", "/b?list-type=2").object, 0U);
    EXPECT_NE(of("PUT", "/b/k?uploadId=1&partNumber=1").upload, of("PUT", "/b/k?uploadId=2&partNumber=1").upload);
}

TEST(StorageWatch, HasTheUploadIdFromTheAnswer) {
    const auto create = StorageWatch::of_request(request("POST", "/b/k?uploads"));
    proto::Head answer;
    answer.status = 200;
    create->response(answer);
    say(*create, "<InitiateMultipartUploadResult><UploadId>abc</Upl");
    say(*create, "oadId></InitiateMultipartUploadResult>");
    const auto part = StorageWatch::of_request(request("PUT", "/b/k?uploadId=abc&partNumber=2"));
    EXPECT_EQ(finished(*create, 200).storage->upload, part->call().upload);
    EXPECT_NE(part->call().upload, 0U);
}

TEST(StorageWatch, GivesTheErrorsCode) {
    const auto get = StorageWatch::of_request(request("GET", "/b/k"));
    proto::Head answer;
    answer.status = 404;
    get->response(answer);
    say(*get, "<Error><Code>NoSuchKey</Code></Error>");
    const Exchange missing = finished(*get, 404, 0, 37);
    EXPECT_EQ(missing.storage->error_code, "NoSuchKey");
    EXPECT_EQ(missing.error, "");  // the status says it
    EXPECT_EQ(missing.storage->size, 0U);

    const auto complete = StorageWatch::of_request(request("POST", "/b/k?uploadId=abc"));
    answer.status = 200;
    complete->response(answer);
    say(*complete, "<Error><Code>InternalError</Code></Error>");
    EXPECT_EQ(finished(*complete, 200).error, "InternalError");
}

TEST(StorageWatch, AnObjectsBytesAreNoErrors) {
    const auto get = StorageWatch::of_request(request("GET", "/b/k"));
    proto::Head answer;
    answer.status = 200;
    get->response(answer);
    say(*get, "<Error><Code>NoSuchKey</Code></Error>");
    const Exchange exchange = finished(*get, 200, 0, 37);
    EXPECT_EQ(exchange.storage->error_code, "");
    EXPECT_EQ(exchange.storage->size, 37U);
}

TEST(StorageWatch, SizesAreTheObjectsNotTheSignedPieces) {
    const auto plain = StorageWatch::of_request(request("PUT", "/b/k"));
    EXPECT_EQ(finished(*plain, 200, 1000).storage->size, 1000U);
    const auto chunked =
        StorageWatch::of_request(request("PUT", "/b/k", {{"http.request.header.x-amz-decoded-content-length", "1000"}}));
    EXPECT_EQ(finished(*chunked, 200, 1180).storage->size, 1000U);
}

TEST(StorageWatch, IsNotForOthers) {
    proto::Head head;
    head.operation = "GET";
    head.target = "/b/k";
    EXPECT_EQ(StorageWatch::of_request(head), nullptr);
    head.attributes.emplace_back("http.request.header.authorization", "Bearer");
    EXPECT_EQ(StorageWatch::of_request(head), nullptr);
}

}  // namespace
}  // namespace timesink::request
