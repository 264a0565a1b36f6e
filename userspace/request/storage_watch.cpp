#include "request/storage_watch.hpp"

#include <string>

#include "proto/lines.hpp"
#include "request/route.hpp"
#include "request/statement.hpp"
#include "s3/answer.hpp"

namespace timesink::request {

namespace {

/// Most requests have neither a signature in the header nor a query in which one could be.
bool may_be_signed(const proto::Head& head) {
    return head.target.find("Signature=") != std::string::npos ||
           proto::value_of(head.attributes, "http.request.header.authorization").starts_with("AWS");
}

}  // namespace

std::unique_ptr<StorageWatch> StorageWatch::of_request(const proto::Head& head) {
    if (!may_be_signed(head)) {
        return nullptr;
    }
    s3::Request request;
    request.method = head.operation;
    request.target = head.target;
    request.host = head.host;
    request.signature = proto::value_of(head.attributes, "http.request.header.authorization");
    request.signed_service = proto::value_of(head.attributes, "aws.signed.service");
    request.content_type = proto::value_of(head.attributes, "http.request.header.content-type");
    request.copies = !proto::value_of(head.attributes, "http.request.header.x-amz-copy-source").empty();
    request.names_other_api = !proto::value_of(head.attributes, "http.request.header.x-amz-target").empty();
    request.has_content_digest = !proto::value_of(head.attributes, "http.request.header.x-amz-content-sha256").empty();
    auto read = s3::read_call(request);
    if (!read) {
        return nullptr;
    }
    auto watch = std::make_unique<StorageWatch>();
    StorageCall& call = watch->call_;
    call.object = read->key.empty() ? 0 : fingerprint_of(read->bucket + '/' + read->key);
    call.upload = read->upload_id.empty() ? 0 : fingerprint_of(read->upload_id);
    call.key = read->key.empty() ? std::string() : fold_path("/" + read->key).substr(1);
    call.operation = std::move(read->operation);
    call.http_method = head.operation;
    call.bucket = std::move(read->bucket);
    call.part = read->part;
    call.multipart = read->multipart;
    call.moves = read->moves;
    call.presigned = read->presigned;
    std::uint64_t decoded = 0;
    if (proto::parse_decimal(proto::value_of(head.attributes, "http.request.header.x-amz-decoded-content-length"), decoded)) {
        watch->decoded_ = decoded;
    }
    return watch;
}

void StorageWatch::content(const proto::Content& content) {
    const bool telling = status_ >= 300 || call_.multipart != s3::Multipart::none || call_.operation == "CopyObject";
    if (content.direction == proto::Direction::response && telling) {
        const std::string_view text = proto::as_text(content.bytes);
        text.empty() ? answer_.skip() : answer_.append(text);
    }
}

void StorageWatch::finish(Exchange& exchange) {
    const std::string_view answer = answer_.head();
    call_.error_code = s3::error_code(answer);
    if (call_.upload == 0 && call_.multipart == s3::Multipart::create) {
        const std::string_view id = s3::element(answer, "UploadId");
        call_.upload = id.empty() ? 0 : fingerprint_of(id);
    }
    const bool moved = exchange.status >= 200 && exchange.status < 300;
    if (call_.moves == s3::Moves::stores) {
        call_.size = decoded_ != 0 ? decoded_ : exchange.body_out;
    } else if (call_.moves == s3::Moves::fetches && moved) {
        call_.size = exchange.body_in;
    }
    if (moved && !call_.error_code.empty() && exchange.error.empty()) {
        exchange.error = call_.error_code;
    }
    exchange.storage = std::make_shared<const StorageCall>(std::move(call_));
}

}  // namespace timesink::request
