#include "s3/call.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "s3/query.hpp"

namespace timesink::s3 {
namespace {

constexpr std::size_t kLongestBucket = 255;  // S3's names of before 2018 in us-east-1; today 63

/// Of the APIs that are signed as S3 is, those that speak S3.
bool is_s3(std::string_view service) {
    constexpr std::array<std::string_view, 4> kServices = {"s3", "s3express", "s3-outposts", "s3-object-lambda"};
    return std::find(kServices.begin(), kServices.end(), service) != kServices.end();
}

/// "KEY/20261121/us-east-1/s3/aws4_request", with its slashes escaped as clients do.
std::string_view service_of_credential(std::string_view credential) {
    const auto cut = [&]() -> std::string_view {
        const std::size_t plain = credential.rfind('/');
        std::size_t escaped = credential.rfind("%2F");
        escaped = escaped == std::string_view::npos ? credential.rfind("%2f") : escaped;
        const bool use_plain = plain != std::string_view::npos && (escaped == std::string_view::npos || plain > escaped);
        const std::size_t at = use_plain ? plain : escaped;
        if (at == std::string_view::npos) {
            return {};
        }
        const std::string_view last = credential.substr(at + (use_plain ? 1 : 3));
        credential = credential.substr(0, at);
        return last;
    };
    return cut() == "aws4_request" ? cut() : std::string_view();
}

/// Amazon's other APIs have hosts of their own: "dynamodb.eu-west-1.amazonaws.com".
bool is_of_another_service(std::string_view host) {
    return host.ends_with(".amazonaws.com") && !host.starts_with("s3") && host.find(".s3.") == std::string_view::npos &&
           host.find(".s3-") == std::string_view::npos && host.find(".s3express-") == std::string_view::npos;
}

bool is_signed_for_s3(const Request& request, const Query& query, std::string_view host) {
    const bool in_header = request.signature.starts_with("AWS4-");
    const bool presigned = query.has("X-Amz-Signature");
    if (in_header || presigned) {
        const std::string_view service =
            in_header ? request.signed_service : service_of_credential(query.value("X-Amz-Credential"));
        if (!service.empty()) {
            return is_s3(service);
        }
        const bool form = request.content_type.starts_with("application/x-www-form-urlencoded");
        const bool json = request.content_type.starts_with("application/x-amz-json");
        const bool of_s3 = request.has_content_digest || presigned || request.copies;
        return of_s3 && !request.names_other_api && !form && !json && !is_of_another_service(host);
    }
    // Version 2, of old clients and stores: "AWS KEY:SIGNATURE", or in the query.
    return (request.signature == "AWS" && !request.names_other_api) ||
           (query.has("AWSAccessKeyId") && query.has("Signature") && query.has("Expires"));
}

/// The bucket in the name of a host; empty: there is none, it is in the path.
std::string_view bucket_of_host(std::string_view host) {
    // "bucket.s3.eu-west-1.amazonaws.com", "bucket.s3-eu-west-1.…", "bucket.s3.example.com": S3's label behind the bucket's.
    // The last one, as buckets have dots in their names.
    for (std::size_t dot = host.rfind('.'); dot != std::string_view::npos && dot > 0; dot = host.rfind('.', dot - 1)) {
        const std::string_view label = host.substr(dot + 1, host.find('.', dot + 1) - dot - 1);
        if (label == "s3" || label.starts_with("s3-") || label.starts_with("s3express-")) {
            return host.substr(0, dot);
        }
    }
    /// Stores whose hosts have no such label, and how many labels stand before the suffix where the bucket is in the path.
    struct Store {
        std::string_view suffix;
        std::size_t labels;
    };
    constexpr std::array<Store, 5> kStores = {{{".digitaloceanspaces.com", 1},
                                               {".linodeobjects.com", 1},
                                               {".r2.cloudflarestorage.com", 1},
                                               {"storage.googleapis.com", 0},
                                               {"localhost", 0}}};
    for (const Store& store : kStores) {
        if (!host.ends_with(store.suffix)) {
            continue;
        }
        std::string_view before = host.substr(0, host.size() - store.suffix.size());
        if (!store.suffix.starts_with('.') && !before.empty()) {
            if (!before.ends_with('.')) {
                continue;  // "notlocalhost"
            }
            before.remove_suffix(1);
        }
        for (std::size_t i = 0; i < store.labels; ++i) {  // the region's, the account's
            const std::size_t dot = before.rfind('.');
            before = dot == std::string_view::npos ? std::string_view() : before.substr(0, dot);
        }
        return before;
    }
    return {};
}

std::string_view without_port(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    const bool port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos &&
                      std::all_of(host.begin() + static_cast<std::ptrdiff_t>(colon) + 1, host.end(), is_digit);
    return port ? host.substr(0, colon) : host;
}

/// A parameter that stands for a part of a bucket or an object: "?tagging" makes PutObject PutObjectTagging.
struct Aspect {
    std::string_view parameter;
    std::string_view name;
    bool of_objects;
    bool of_buckets;
};
constexpr std::array<Aspect, 24> kAspects = {{
    {"acl", "Acl", true, true},
    {"tagging", "Tagging", true, true},
    {"attributes", "Attributes", true, false},
    {"retention", "Retention", true, false},
    {"legal-hold", "LegalHold", true, false},
    {"torrent", "Torrent", true, false},
    {"location", "Location", false, true},
    {"versioning", "Versioning", false, true},
    {"policy", "Policy", false, true},
    {"policyStatus", "PolicyStatus", false, true},
    {"cors", "Cors", false, true},
    {"lifecycle", "LifecycleConfiguration", false, true},
    {"encryption", "Encryption", false, true},
    {"notification", "NotificationConfiguration", false, true},
    {"replication", "Replication", false, true},
    {"website", "Website", false, true},
    {"logging", "Logging", false, true},
    {"accelerate", "AccelerateConfiguration", false, true},
    {"requestPayment", "RequestPayment", false, true},
    {"ownershipControls", "OwnershipControls", false, true},
    {"publicAccessBlock", "PublicAccessBlock", false, true},
    {"analytics", "AnalyticsConfiguration", false, true},
    {"inventory", "InventoryConfiguration", false, true},
    {"metrics", "MetricsConfiguration", false, true},
}};

std::string_view verb_of(std::string_view method) {
    return method == "GET" ? "Get" : method == "PUT" ? "Put" : method == "DELETE" ? "Delete" : std::string_view();
}

std::string aspect_operation(std::string_view method, const Query& query, bool object) {
    for (const Aspect& aspect : kAspects) {
        const bool applies = object ? aspect.of_objects : aspect.of_buckets;
        if (applies && !verb_of(method).empty() && query.has(aspect.parameter)) {
            return std::string(verb_of(method)) + (object ? "Object" : "Bucket") + std::string(aspect.name);
        }
    }
    if (object && method == "PUT" && query.has("object-lock")) {
        return "PutObjectLockConfiguration";
    }
    return {};
}

std::string bucket_operation(const Request& request, const Query& query) {
    if (std::string aspect = aspect_operation(request.method, query, false); !aspect.empty()) {
        return aspect;
    }
    if (query.has("object-lock")) {  // named after objects, though it is the bucket's
        return std::string(verb_of(request.method)) + "ObjectLockConfiguration";
    }
    if (request.method == "GET") {
        return query.has("uploads")     ? "ListMultipartUploads"
               : query.has("versions")  ? "ListObjectVersions"
               : query.has("list-type") ? "ListObjectsV2"
               : query.has("session")   ? "CreateSession"
                                        : "ListObjects";
    }
    if (request.method == "POST") {
        return query.has("delete") ? "DeleteObjects" : "PostObject";
    }
    return request.method == "PUT"      ? "CreateBucket"
           : request.method == "HEAD"   ? "HeadBucket"
           : request.method == "DELETE" ? "DeleteBucket"
                                        : "";
}

void read_object_operation(const Request& request, const Query& query, Call& call) {
    const std::string_view method = request.method;
    const bool of_upload = query.has("uploadId");
    call.upload_id = query.value("uploadId");
    if (std::string aspect = aspect_operation(method, query, true); !aspect.empty()) {
        call.operation = std::move(aspect);
    } else if (method == "GET") {
        call.operation = of_upload ? "ListParts" : "GetObject";
        call.moves = of_upload ? Moves::nothing : Moves::fetches;
    } else if (method == "HEAD") {
        call.operation = "HeadObject";
    } else if (method == "PUT" && of_upload) {
        call.operation = request.copies ? "UploadPartCopy" : "UploadPart";
        call.multipart = Multipart::part;
        call.moves = request.copies ? Moves::nothing : Moves::stores;
        call.part = query.number("partNumber");
    } else if (method == "PUT") {
        call.operation = request.copies ? "CopyObject" : "PutObject";
        call.moves = request.copies ? Moves::nothing : Moves::stores;
    } else if (method == "POST" && query.has("uploads")) {
        call.operation = "CreateMultipartUpload";
        call.multipart = Multipart::create;
    } else if (method == "POST" && of_upload) {
        call.operation = "CompleteMultipartUpload";
        call.multipart = Multipart::complete;
    } else if (method == "POST") {
        call.operation = query.has("restore") ? "RestoreObject" : query.has("select") ? "SelectObjectContent" : "PostObject";
    } else if (method == "DELETE") {
        call.operation = of_upload ? "AbortMultipartUpload" : "DeleteObject";
        call.multipart = of_upload ? Multipart::abort : Multipart::none;
    }
}

}  // namespace

std::optional<Call> read_call(const Request& request) {
    const std::size_t mark = request.target.find('?');
    const Query query(mark == std::string_view::npos ? std::string_view() : request.target.substr(mark + 1));
    const std::string host = lower(without_port(request.host));
    if (!request.target.starts_with('/') || !is_signed_for_s3(request, query, host)) {
        return std::nullopt;
    }
    std::string_view path = request.target.substr(1, mark == std::string_view::npos ? mark : mark - 1);
    Call call;
    call.presigned = request.signature.empty();
    std::string_view bucket = bucket_of_host(host);
    if (bucket.empty()) {
        const std::size_t slash = path.find('/');
        bucket = path.substr(0, slash);
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
    if (bucket.empty() && !path.empty()) {
        return std::nullopt;  // "//key": nobody's
    }
    call.bucket = bucket.substr(0, kLongestBucket);
    call.key = path.substr(0, kLongestKey);
    if (call.bucket.empty()) {
        call.operation = request.method == "GET" ? "ListBuckets" : "";
    } else if (call.key.empty()) {
        call.operation = bucket_operation(request, query);
    } else {
        read_object_operation(request, query, call);
    }
    if (call.operation.empty()) {
        return std::nullopt;
    }
    return call;
}

}  // namespace timesink::s3
