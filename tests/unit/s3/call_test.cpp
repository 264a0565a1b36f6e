#include "s3/call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "s3/answer.hpp"

namespace timesink::s3 {
namespace {

struct Case {
    const char* name;
    Request request;
    std::string expected;  ///< "OPERATION bucket key", "-": none of S3's
};
std::ostream& operator<<(std::ostream& out, const Case& each) {
    return out << each.name;
}

Request signed_for(std::string_view service, std::string_view method, std::string_view target,
                   std::string_view host = "127.0.0.1:9000") {
    return {.method = method, .target = target, .host = host, .signature = "AWS4-HMAC-SHA256", .signed_service = service};
}
Request s3(std::string_view method, std::string_view target, std::string_view host = "127.0.0.1:9000") {
    return signed_for("s3", method, target, host);
}
Request copying(std::string_view target) {
    Request request = s3("PUT", target);
    request.copies = true;
    return request;
}
Request unsigned_get(std::string_view target) {
    return {.method = "GET", .target = target, .host = "127.0.0.1:9000"};
}
Request service_unknown(Request request) {
    request.signed_service = {};
    return request;
}

constexpr const char* kPresigned =
    "/b/k.png?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261121%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=1&"
    "X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=ab";

const Case kCases[] = {
    {"a path without a bucket", s3("GET", "//bk?x=1"), "-"},
    {"an object is fetched", s3("GET", "/b/a/k.png?x-id=GetObject"), "GetObject b a/k.png"},
    {"an object is stored", s3("PUT", "/b/a/k.png"), "PutObject b a/k.png"},
    {"an object's header", s3("HEAD", "/b/k"), "HeadObject b k"},
    {"an object is deleted", s3("DELETE", "/b/k?versionId=7"), "DeleteObject b k"},
    {"a copy names its source in a header", copying("/b/k"), "CopyObject b k"},
    {"many are deleted at once", s3("POST", "/b?delete"), "DeleteObjects b "},
    {"a list, version 2", s3("GET", "/b?list-type=2&prefix=a"), "ListObjectsV2 b "},
    {"a list, version 1, with a slash behind the bucket", s3("GET", "/b/"), "ListObjects b "},
    {"all buckets", s3("GET", "/"), "ListBuckets  "},
    {"a bucket is made", s3("PUT", "/b"), "CreateBucket b "},
    {"a bucket's header", s3("HEAD", "/b"), "HeadBucket b "},
    {"an aspect of a bucket", s3("GET", "/b?versioning"), "GetBucketVersioning b "},
    {"an aspect of an object", s3("PUT", "/b/k?tagging"), "PutObjectTagging b k"},
    {"a multipart upload begins", s3("POST", "/b/k?uploads"), "CreateMultipartUpload b k"},
    {"a part", s3("PUT", "/b/k?partNumber=3&uploadId=u1"), "UploadPart b k"},
    {"a part that is copied", copying("/b/k?partNumber=3&uploadId=u1"), "UploadPartCopy b k"},
    {"a multipart upload ends", s3("POST", "/b/k?uploadId=u1"), "CompleteMultipartUpload b k"},
    {"a multipart upload is given up", s3("DELETE", "/b/k?uploadId=u1"), "AbortMultipartUpload b k"},
    {"the parts so far", s3("GET", "/b/k?uploadId=u1"), "ListParts b k"},
    {"a bucket in the host", s3("GET", "/a/k", "pictures.s3.eu-west-1.amazonaws.com"), "GetObject pictures a/k"},
    {"a bucket with dots in the host", s3("GET", "/k", "my.pictures.s3.example.com:9000"), "GetObject my.pictures k"},
    {"a bucket whose name is S3's label", s3("GET", "/k", "s3.s3.amazonaws.com"), "GetObject s3 k"},
    {"the host of S3 itself", s3("GET", "/b/k", "s3.eu-west-1.amazonaws.com"), "GetObject b k"},
    {"another store, bucket in the path", s3("GET", "/b/k", "nyc3.digitaloceanspaces.com"), "GetObject b k"},
    {"another store, bucket in the host", s3("GET", "/k", "b.nyc3.digitaloceanspaces.com"), "GetObject b k"},
    {"a bucket below localhost", s3("PUT", "/k", "b.localhost:9000"), "PutObject b k"},
    {"a host that only ends like it", s3("PUT", "/b/k", "notlocalhost"), "PutObject b k"},
    {"presigned: the signature is in the query", unsigned_get(kPresigned), "GetObject b k.png"},
    {"presigned by version 2", unsigned_get("/b/k?AWSAccessKeyId=A&Signature=s&Expires=1"), "GetObject b k"},
    {"presigned for another API", unsigned_get("/?X-Amz-Credential=A%2F1%2Fr%2Fsts%2Faws4_request&X-Amz-Signature=ab"), "-"},
    {"presigned with its values taken away", unsigned_get("/b/k?X-Amz-Credential=****&X-Amz-Signature=**"), "GetObject b k"},
    {"signed for another API", signed_for("dynamodb", "POST", "/"), "-"},
    {"signed for an API that begins like it", signed_for("s3tables", "GET", "/b/k"), "-"},
    {"not signed at all", unsigned_get("/b/k"), "-"},
    {"a scope that is not known, with S3's digest of the content",
     [] {
         Request request = service_unknown(s3("PUT", "/b/k"));
         request.has_content_digest = true;
         return request;
     }(),
     "PutObject b k"},
    {"a scope that is not known, and nothing else", service_unknown(s3("PUT", "/b/k")), "-"},
    {"a scope that is not known, of another API's target",
     [] {
         Request request = service_unknown(s3("POST", "/"));
         request.has_content_digest = request.names_other_api = true;
         return request;
     }(),
     "-"},
    {"a scope that is not known, at another API's host",
     [] {
         Request request = service_unknown(s3("POST", "/b", "sqs.eu-west-1.amazonaws.com"));
         request.has_content_digest = true;
         return request;
     }(),
     "-"},
    {"a method that S3 does not have", s3("PATCH", "/b/k"), "-"},
    {"a target that is no path", s3("OPTIONS", "*"), "-"},
};

class ReadCall : public testing::TestWithParam<Case> {};

TEST_P(ReadCall, NamesTheOperation) {
    const auto call = read_call(GetParam().request);
    EXPECT_EQ(call ? call->operation + " " + call->bucket + " " + call->key : "-", GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Table, ReadCall, testing::ValuesIn(kCases));

TEST(ReadCall, TellsWhatMovesAndThePartsOfAnUpload) {
    const auto part = read_call(s3("PUT", "/b/k?partNumber=12&uploadId=u1"));
    ASSERT_TRUE(part);
    EXPECT_EQ(part->part, 12U);
    EXPECT_EQ(part->upload_id, "u1");
    EXPECT_EQ(part->multipart, Multipart::part);
    EXPECT_EQ(part->moves, Moves::stores);
    EXPECT_FALSE(part->presigned);
    EXPECT_EQ(read_call(s3("PUT", "/b/k?partNumber=12345678901&uploadId=u1"))->part, 0U);
    EXPECT_EQ(read_call(s3("HEAD", "/b/k"))->moves, Moves::nothing);
    EXPECT_TRUE(read_call(unsigned_get(kPresigned))->presigned);
}

TEST(ReadCall, BoundsWhatItKeeps) {
    const std::string target = "/b/" + std::string(100000, 'k');
    EXPECT_EQ(read_call(s3("GET", target))->key.size(), kLongestKey);
}

TEST(Answer, GivesTheCodeOfAnErrorAndTheIdOfAnUpload) {
    EXPECT_EQ(error_code("<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>x</Message></Error>"), "NoSuchKey");
    EXPECT_EQ(error_code("<ListBucketResult><Code>NoSuchKey</Code></ListBucketResult>"), "");
    EXPECT_EQ(error_code("<Error><Code>NoSuch"), "");
    EXPECT_EQ(error_code("<Error><Code>a b</Code></Error>"), "");
    EXPECT_EQ(error_code("<Error><Code></Error>"), "");
    EXPECT_EQ(element("<R><UploadId>2~ab.c-d_e</UploadId></R>", "UploadId"), "2~ab.c-d_e");
    EXPECT_EQ(element("<R><UploadId>" + std::string(300, 'a') + "</UploadId></R>", "UploadId"), "");
}

}  // namespace
}  // namespace timesink::s3
